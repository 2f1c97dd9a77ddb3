//! The TLSDebugSession kind.
