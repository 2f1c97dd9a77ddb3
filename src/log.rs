//! Bytes to events: a push parser for what the JVM prints under `-Djavax.net.debug`.
//!
//! [`Reader`] takes bytes in any split and calls back with one [`Event`] for each message that a diagnosis can use. It
//! strips what carried the line (container runtimes, service wrappers), detects the layout line by line, and keeps
//! nothing but the record that is open.

mod carrier;
mod certificate;
mod encoding;
mod event;
mod expand;
mod hello;
mod json;
mod legacy;
mod lines;
mod modern;
pub(crate) mod moment;
mod names;
mod origin;
mod payload;
mod prefix;
mod reader;
mod signs;
mod system_logger;
mod text;

pub use certificate::Certificate;
pub use event::{Alert, AlertLevel, ClientHello, Event, Excerpt, Kind, Line, Sender, ServerHello, Thrown, ThrownBy};
pub use names::Names;
pub use origin::Origin;
pub use reader::Reader;

pub(crate) use encoding::is_utf16;
pub(crate) use event::holds;
