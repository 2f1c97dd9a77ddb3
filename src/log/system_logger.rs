//! Records through `java.util.logging`, which an empty `-Djavax.net.debug=` leads to: two lines, and from 26 on a payload.

/// Levels of `java.util.logging` and of `System.Logger`.
const LEVELS: [&str; 13] = [
    "SEVERE", "WARNING", "INFO", "CONFIG", "FINE", "FINER", "FINEST", "ALL", "ERROR", "DEBUG", "TRACE", "WARN", "OFF",
];

/// Whether a line is the first of two, `Nov 23, 2026 2:57:06 PM sun.security.ssl.SSLLogger log`, with the class at this place.
pub(super) fn is_first(line: &[u8], class: usize) -> bool {
    class < 60 && line[..class].iter().any(u8::is_ascii_digit) && !line.starts_with(b"\t") && !line.ends_with(b")")
}

/// Where such a line begins behind a prefix, `Nov 23, 2026 2:57:06 PM` standing before the class.
pub(super) fn start(line: &[u8], class: usize) -> Option<usize> {
    let mut words = line[..class].rsplit(|byte| *byte == b' ');
    let [half, time, year, day, month] = [(); 5].map(|()| words.next());
    let (half, time, year, day, month) = (half?, time?, year?, day?, month?);
    // A carrier's own sign may stand before it without a blank.
    let month = month.rsplit(|byte| b"<\",;:+\t".contains(byte)).next()?;
    let number = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_digit);
    let dated = number(year)
        && year.len() == 4
        && day.strip_suffix(b",").is_some_and(number)
        && time.split(|byte| *byte == b':').all(number)
        && !half.is_empty()
        && !month.is_empty();
    let length = half.len() + time.len() + year.len() + day.len() + month.len() + 4;
    dated.then(|| class - length)
}

/// The message of the second line: `SEVERE: Fatal (CERTIFICATE_UNKNOWN): …`.
pub(super) fn message(line: &[u8]) -> Option<&[u8]> {
    let colon = memchr::memchr(b':', line)?;
    let level = std::str::from_utf8(&line[..colon]).ok()?;
    LEVELS
        .contains(&level)
        .then(|| line.get(colon + 2..).unwrap_or_default())
}
