//! A line as JSON: container runtimes, shippers and encoders, each with its own name for the text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};

/// Docker writes a longer line in pieces of this size (`defaultBufSize` of its `copier.go`).
const PIECE: usize = 16 * 1024;
/// Names of the text, those that stand for the whole of it first.
const NAMES: [&str; 12] = [
    "log",
    "message",
    "msg",
    "MESSAGE",
    "full_message",
    "short_message",
    "line",
    "textPayload",
    "@message",
    "_raw",
    "event",
    "body",
];

/// What a line carries.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Json<'a> {
    /// The text, of one line or more.
    pub(super) message: Cow<'a, str>,
    /// A container runtime wrote it, perhaps in pieces.
    pub(super) is_of_runtime: bool,
    /// The line goes on in the next one.
    pub(super) is_piece: bool,
}

impl<'a> Json<'a> {
    /// Reads a line, if it is an object with a text.
    pub(super) fn read(line: &'a [u8]) -> Option<Self> {
        let fields: Fields<'a> = serde_json::from_slice(line).ok()?;
        let (_, message) = fields.message?;
        let is_piece = match fields.tag.as_deref() {
            Some(tag) => tag.split(':').any(|tag| tag == "P"),
            None => fields.stream && message.len() >= PIECE && !message.ends_with('\n'),
        };
        Some(Self {
            message,
            is_of_runtime: fields.stream || fields.tag.is_some(),
            is_piece,
        })
    }
}

#[derive(Default)]
struct Fields<'a> {
    /// The text and its rank: the place of its name in [`NAMES`], behind all those if it is in an object within.
    message: Option<(usize, Cow<'a, str>)>,
    stream: bool,
    /// The tag of the CRI, as Fluent Bit's parsers name it.
    tag: Option<Cow<'a, str>>,
}

/// A text, an object with the text that is in it, or anything else.
enum Value<'a> {
    Text(Cow<'a, str>),
    Object(Option<(usize, Cow<'a, str>)>),
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
        let mut fields = Fields::default();
        while let Some(Value::Text(key)) = map.next_key::<Value<'de>>()? {
            fields.stream |= key == "stream";
            let name = NAMES.iter().position(|name| *name == key);
            let found = match (map.next_value()?, name) {
                (Value::Text(text), Some(name)) => Some((name, text)),
                (Value::Text(tag), None) if key == "logtag" || key == "_p" => {
                    fields.tag = Some(tag);
                    None
                }
                (Value::Object(within), _) => within.map(|(name, text)| (NAMES.len() + name, text)),
                _ => None,
            };
            if let Some((rank, text)) = found
                && fields.message.as_ref().is_none_or(|(known, _)| rank < *known)
            {
                fields.message = Some((rank, text));
            }
        }
        Ok(fields)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Value::Other)
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<Self::Value, M::Error> {
        FieldsVisitor.visit_map(map).map(|fields| Value::Object(fields.message))
    }

    fn visit_seq<S: serde::de::SeqAccess<'de>>(self, mut sequence: S) -> Result<Self::Value, S::Error> {
        while sequence.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_found_by_its_name() {
        let message = |line: &str| Json::read(line.as_bytes()).map(|json| json.message.into_owned());
        assert_eq!(
            message(r#"{"log":{"level":"x"},"n":[1,null,true,-1,0.5],"message":"a\tb"}"#).as_deref(),
            Some("a\tb")
        );
        assert_eq!(
            message(r#"{"short_message":"a","full_message":"a\nb"}"#).as_deref(),
            Some("a\nb")
        );
        assert_eq!(
            message(r#"{"preview":false,"result":{"_raw":"a","log":{"message":"b"}}}"#).as_deref(),
            Some("a")
        );
        assert_eq!(message(r#"{"event":{"id":1},"message":"a"}"#).as_deref(), Some("a"));
        assert_eq!(message(r#"{"level":"x"}"#), None);
        assert_eq!(message(r#"{"log":"x""#), None);
        assert_eq!(message(r#"{"message":null}"#), None);
    }
}
