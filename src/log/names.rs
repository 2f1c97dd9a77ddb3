//! Lists of names as a log prints them.

use memchr::memchr;

/// A list of names in one piece of memory: a hello lists some fifty cipher suites, and hardly any is ever looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The names, each followed by a comma or the end; what else the log prints stands between. Not yet text: that is found out
    /// for those that are looked at.
    bytes: Vec<u8>,
}

/// A longer text is cut: the longest list that JSSE prints, of some ninety cipher suites, has four thousand characters.
const LIMIT: usize = 8 * 1024;

impl Names {
    /// The names of `[A(0x1302), B]`, in brackets or without.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let bytes = bytes.trim_ascii();
        let bytes = bytes.strip_prefix(b"[").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"]").unwrap_or(bytes);
        Self {
            bytes: bytes.get(..LIMIT).unwrap_or(bytes).to_owned(),
        }
    }

    /// The names in their order, without the numbers in parentheses behind them. What is no text is none.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let mut rest = Some(self.bytes.as_slice());
        let names = std::iter::from_fn(move || {
            let bytes = rest?;
            let end = memchr(b',', bytes);
            rest = end.map(|end| &bytes[end + 1..]);
            Some(&bytes[..end.unwrap_or(bytes.len())])
        });
        names
            .map(|name| name[..memchr(b'(', name).unwrap_or(name.len())].trim_ascii())
            .filter_map(|name| std::str::from_utf8(name).ok().filter(|name| !name.is_empty()))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.iter().count()
    }
}

impl<'a> FromIterator<&'a str> for Names {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let mut bytes = Vec::new();
        for name in names {
            if !bytes.is_empty() {
                bytes.push(b',');
            }
            bytes.extend_from_slice(name.as_bytes());
        }
        Self { bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_their_numbers() {
        let names = Names::of(b" [TLS_AES_256_GCM_SHA384(0x1302), B , ,C(0x00FF)]");
        assert_eq!(names.iter().collect::<Vec<_>>(), ["TLS_AES_256_GCM_SHA384", "B", "C"]);
        assert_eq!((names.len(), names.is_empty()), (3, false));
        assert!(Names::of(b"[]").is_empty() && Names::default().is_empty());
        assert_eq!(
            ["a", "b"].into_iter().collect::<Names>().iter().collect::<Vec<_>>(),
            ["a", "b"]
        );
    }
}
