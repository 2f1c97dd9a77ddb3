//! Times as logs print them, made comparable.

use std::cmp::Ordering;

use jiff::civil::DateTime;
use jiff::fmt::strtime;

/// A printed time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Milliseconds since 1970 on the clock that was printed, whatever its zone.
    pub(crate) clock: i64,
    /// How far that clock is ahead of UTC, in milliseconds, where its zone says so clearly.
    ahead: Option<i64>,
}

impl Moment {
    /// The time on the clock of `other`, as far as both zones are clear.
    pub(crate) fn on_clock_of(self, other: Moment) -> i64 {
        match (self.ahead, other.ahead) {
            (Some(from), Some(to)) => self.clock - from + to,
            _ => self.clock,
        }
    }
}

/// Reads `2026-11-23 14:54:54.220 GMT`, or `Nov 23, 2026 2:57:06 PM` of `java.util.logging`.
///
/// The hour is that of Java's pattern letter `k` in JSSE's records, from 1 to 24: 24:10 is ten minutes after midnight.
pub(crate) fn moment(text: &str) -> Option<Moment> {
    if let (Some(date), Some(time)) = (text.get(..10), text.get(11..23)) {
        let time = match time.strip_prefix("24:") {
            Some(rest) => format!("00:{rest}"),
            None => time.to_owned(),
        };
        if let Ok(at) = format!("{date}T{time}").parse::<DateTime>() {
            return Some(Moment {
                clock: clock(at)?,
                ahead: ahead(text.get(23..).unwrap_or_default().trim()),
            });
        }
    }
    let at = strtime::parse("%b %d, %Y %I:%M:%S %p", text).ok()?.to_datetime().ok()?;
    Some(Moment {
        clock: clock(at)?,
        ahead: None,
    })
}

/// The order of printed times: by the clock in UTC where the zone is clear, else by the clock that was printed. What is no time
/// comes before all that are.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    // Almost always: each handshake of a log is compared with those before it.
    if one.get(23..) == other.get(23..) && is_plain(one) && is_plain(other) {
        return one.cmp(other);
    }
    order(one).cmp(&order(other))
}

/// Whether it is a time whose digits stand in order of weight and mean what they say: no hour 24, no day that some months lack.
fn is_plain(text: &str) -> bool {
    let Some((head, _)) = text.as_bytes().split_first_chunk::<23>() else {
        return false;
    };
    let in_range = |at: usize, range: std::ops::RangeInclusive<&[u8; 2]>| {
        let digits = [head[at], head[at + 1]];
        digits.iter().all(u8::is_ascii_digit) && range.contains(&&digits)
    };
    let digits = |range: std::ops::Range<usize>| head[range].iter().all(u8::is_ascii_digit);
    digits(0..4)
        && digits(20..23)
        && in_range(5, b"01"..=b"12")
        && in_range(8, b"01"..=b"28")
        && in_range(11, b"00"..=b"23")
        && in_range(14, b"00"..=b"59")
        && in_range(17, b"00"..=b"59")
        && [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':'), (19, b'.')]
            .iter()
            .all(|(at, byte)| head[*at] == *byte)
}

/// The same order, as something that compares: the clock, and the text where that does not tell.
pub(crate) fn order(text: &str) -> (Option<i64>, &str) {
    let clock = moment(text).map(|moment| moment.clock - moment.ahead.unwrap_or_default());
    // Where that does not tell, any order will do, as long as it is always the same.
    (clock, text)
}

/// The zone behind a printed time, such as `GMT`.
pub(crate) fn zone(text: &str) -> &str {
    let rest = text.get(23..).unwrap_or_default().trim();
    if text.get(11..23).is_some_and(|time| time.contains(':'))
        && text.as_bytes().first().is_some_and(u8::is_ascii_digit)
    {
        rest
    } else {
        ""
    }
}

fn clock(at: DateTime) -> Option<i64> {
    Some(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// `GMT`, `UTC`, `GMT-05:00`; the names of other zones are ambiguous.
fn ahead(zone: &str) -> Option<i64> {
    let rest = ["GMT", "UTC"].iter().find_map(|name| zone.strip_prefix(name))?;
    if rest.is_empty() {
        return Some(0);
    }
    let (hours, minutes) = rest.get(1..)?.split_once(':')?;
    let number = |text: &str, most: i64| -> Option<i64> {
        let digits = matches!(text.len(), 1..=2) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| digits && *number <= most)
    };
    // No zone is further from UTC (`java.time.ZoneOffset.MAX`).
    let minutes = number(hours, 18)? * 60 + number(minutes, 59)?;
    match rest.as_bytes()[0] {
        b'+' => Some(minutes * 60_000),
        b'-' => Some(-minutes * 60_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_after_midnight_is_the_twenty_fourth() {
        let midnight = moment("2026-11-23 24:10:00.500 GMT").unwrap();
        assert_eq!(
            midnight.clock - moment("2026-11-22 23:59:59.500 GMT").unwrap().clock,
            601_000
        );
    }

    #[test]
    fn clear_zones_are_comparable() {
        let (here, there) = (
            moment("2026-11-23 14:00:00.000 GMT").unwrap(),
            moment("2026-11-23 09:00:00.000 GMT-05:00").unwrap(),
        );
        assert_eq!(there.on_clock_of(here), here.clock);
        assert_eq!(ahead("GMT+9223372036854775807:00"), None);
        assert_eq!(ahead("GMT+-5:00"), None);
        assert_eq!(ahead("GMT+5:30"), Some(19_800_000));
        assert_eq!(zone("2026-11-23 09:00:00.000 GMT-05:00"), "GMT-05:00");
    }

    #[test]
    fn times_in_their_order() {
        let ordered = [
            "yesterday",
            "2026-11-23 24:10:00.500 GMT",
            "2026-11-23 08:00:00.000 GMT-05:00",
            "2026-11-23 13:30:00.000 CET",
            "Nov 23, 2026 12:57:06 PM",
            "2026-11-23 13:01:00.000 GMT",
            "Nov 23, 2026 2:57:06 PM",
        ];
        let mut sorted = ordered;
        sorted.reverse();
        sorted.sort_by_key(|text| order(text));
        // 8 o'clock at UTC-5 is 13:00 UTC.
        let expected = [0, 1, 4, 2, 5, 3, 6].map(|index| ordered[index]);
        assert_eq!(sorted, expected);
    }

    #[test]
    fn other_layouts() {
        assert_eq!(
            moment("Nov 23, 2026 2:57:06 PM").unwrap().clock,
            moment("2026-11-23 14:57:06.000 CET").unwrap().clock
        );
        assert_eq!(moment("yesterday"), None);
        assert_eq!(zone("Nov 23, 2026 2:57:06 PM"), "");
    }

    #[test]
    fn the_short_way_of_comparing_says_the_same() {
        let mut texts = vec!["", "noon", "Nov 23, 2026 2:57:06 PM", "2026-02-31 10:00:00.000 GMT"];
        texts.extend([
            "2026-11-23 24:10:00.000 GMT",
            "2026-11-23 00:10:00.000 GMT",
            "2026-11-23 23:10:00.000 GMT",
        ]);
        texts.extend([
            "2026-11-23 23:10:00.001 GMT",
            "2026-11-30 23:10:00.000 GMT",
            "2026-12-01 00:00:00.000 GMT",
        ]);
        texts.extend([
            "2026-11-23 23:10:00.000 CET",
            "2026-11-23 23:10:00.000 GMT-05:00",
            "2026-11-23 23:60:00.000 GMT",
        ]);
        texts.extend([
            "2026-13-23 23:10:00.000 GMT",
            "2026-1é-23 23:10:00.000 GMT",
            "2025-12-28 23:59:59.999 GMT",
        ]);
        for one in &texts {
            for other in &texts {
                assert_eq!(compare(one, other), order(one).cmp(&order(other)), "{one} {other}");
            }
        }
    }
}
