//! Lists of names as a log prints them.

/// A list of names in one piece of memory: a hello lists some fifty cipher suites, and hardly any is ever looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The names, each followed by a comma or the end; what else the log prints stands between.
    text: String,
}

/// A longer text is cut: the longest list that JSSE prints, of some ninety cipher suites, has four thousand characters.
const LIMIT: usize = 8 * 1024;

impl Names {
    /// The names of `[A(0x1302), B]`, in brackets or without.
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim();
        let text = text.strip_prefix('[').unwrap_or(text);
        let text = text.strip_suffix(']').unwrap_or(text);
        Self {
            text: text[..text.floor_char_boundary(LIMIT)].to_owned(),
        }
    }

    /// The names in their order, without the numbers in parentheses behind them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let names = self.text.split(',');
        names
            .map(|name| name.split('(').next().unwrap_or(name).trim_ascii())
            .filter(|name| !name.is_empty())
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
        let mut text = String::new();
        for name in names {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(name);
        }
        Self { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_their_numbers() {
        let names = Names::of(" [TLS_AES_256_GCM_SHA384(0x1302), B , ,C(0x00FF)]");
        assert_eq!(names.iter().collect::<Vec<_>>(), ["TLS_AES_256_GCM_SHA384", "B", "C"]);
        assert_eq!((names.len(), names.is_empty()), (3, false));
        assert!(Names::of("[]").is_empty() && Names::default().is_empty());
        assert_eq!(
            ["a", "b"].into_iter().collect::<Names>().iter().collect::<Vec<_>>(),
            ["a", "b"]
        );
    }
}
