//! Building JSON Patches (RFC 6902) with JSON Pointers (RFC 6901).

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde_json::Value;

/// A patch under construction.
#[derive(Debug, Default)]
pub struct Builder(Vec<PatchOperation>);

impl Builder {
    /// The patch fails unless `path` holds `value`.
    #[must_use]
    pub fn test(mut self, path: &[impl AsRef<str>], value: impl Into<Value>) -> Self {
        self.0.push(PatchOperation::Test(TestOperation {
            path: pointer(path),
            value: value.into(),
        }));
        self
    }

    /// Adds `value` at `path`; the last token `-` appends to a list.
    #[must_use]
    pub fn add(mut self, path: &[impl AsRef<str>], value: impl Into<Value>) -> Self {
        self.0.push(PatchOperation::Add(AddOperation {
            path: pointer(path),
            value: value.into(),
        }));
        self
    }

    /// Replaces what `path` holds.
    #[must_use]
    pub fn replace(mut self, path: &[impl AsRef<str>], value: impl Into<Value>) -> Self {
        self.0.push(PatchOperation::Replace(ReplaceOperation {
            path: pointer(path),
            value: value.into(),
        }));
        self
    }

    /// Removes what `path` holds.
    #[must_use]
    pub fn remove(mut self, path: &[impl AsRef<str>]) -> Self {
        self.0
            .push(PatchOperation::Remove(RemoveOperation { path: pointer(path) }));
        self
    }

    /// The finished patch.
    #[must_use]
    pub fn build(self) -> Patch {
        Patch(self.0)
    }
}

fn pointer(tokens: &[impl AsRef<str>]) -> PointerBuf {
    PointerBuf::from_tokens(tokens.iter().map(AsRef::as_ref))
}
