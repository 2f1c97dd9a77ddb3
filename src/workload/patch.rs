//! Building JSON Patches (RFC 6902) with JSON Pointers (RFC 6901).

use json_patch::jsonptr::PointerBuf;
use json_patch::{AddOperation, Patch, PatchOperation, RemoveOperation, ReplaceOperation, TestOperation};
use serde_json::Value;

/// A patch under construction.
#[derive(Debug, Default)]
pub struct Builder(Vec<PatchOperation>);

impl Builder {
    /// The patch fails unless `path` holds `text`. Left out where the API server could not tell that it does: it compares a
    /// string as it is written in JSON (gopkg.in/evanphx/json-patch.v4, `lazyNode.equal`), and writes `<`, `>`, `&`, U+2028,
    /// U+2029 and, in some versions, two control characters as escapes, which a client need not do. So this is never the only
    /// guard.
    #[must_use]
    pub fn test_text(self, path: &[impl AsRef<str>], text: &str) -> Self {
        if text.contains(['<', '>', '&', '\u{2028}', '\u{2029}', '\u{8}', '\u{c}']) {
            self
        } else {
            self.test(path, text)
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_tested_where_the_api_server_compares_it_rightly() {
        let operations = |text: &str| Builder::default().test_text(&["value"], text).build().0.len();
        assert_eq!(operations("-Da=\"x y\" -Db=\\\\d é\t"), 1);
        assert_eq!(operations("-Durl=https://bank.example/?a=1&b=2"), 0);
        assert_eq!(operations("-Da=<b>"), 0);
    }
}
