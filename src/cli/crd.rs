//! `tlsdebug crd`: the custom resource definition, generated from the Rust types.

use std::io::{self, Write};

use crate::session::definition::definition;

/// The custom resource definition as YAML, as `kubectl apply --filename -` takes it.
pub fn yaml() -> serde_norway::Result<String> {
    serde_norway::to_string(&definition())
}

/// Writes the definition to `output`.
pub fn run(mut output: impl Write) -> io::Result<()> {
    output.write_all(yaml().map_err(io::Error::other)?.as_bytes())
}
