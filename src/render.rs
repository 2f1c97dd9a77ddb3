//! Report to text, JSON, HTML.
