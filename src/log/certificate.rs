//! Certificates as JSSE prints them, line by line.

use std::borrow::Cow;

use memchr::memchr;

use super::legacy::dump::has_offset;
use super::text::{text, without_indent};

/// Certificates of one message that are kept: JSSE itself accepts chains of ten (`jdk.tls.maxCertificateChainLength`).
const KEPT_IN_CHAIN: usize = 16;
/// Certificates of one trust store that are kept; the JDK's own has some 150.
const KEPT_IN_STORE: usize = 1024;
/// Digits of a key identifier, which is mostly a SHA-1 hash (RFC 5280 §4.2.1.2).
const SHA1_DIGITS: usize = 40;
/// Alternative names that are kept of one certificate.
const KEPT_NAMES: usize = 32;

/// A certificate, as far as the log prints it (RFC 5280 §4.1).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Certificate {
    /// Distinguished name of the holder.
    pub subject: String,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// Serial number in lower-case hex, without separators and leading zeros.
    pub serial: String,
    /// First moment of validity, as printed.
    pub not_before: String,
    /// Last moment of validity, as printed.
    pub not_after: String,
    /// `subjectAltName`: DNS names and addresses.
    pub names: Vec<String>,
    /// `keyIdentifier` of the holder's key, in lower-case hex.
    pub subject_key: Option<String>,
    /// `keyIdentifier` of the issuer's key, in lower-case hex.
    pub authority_key: Option<String>,
    /// Whether `basicConstraints` makes it a certificate authority.
    pub authority: bool,
    /// Line that names the subject.
    pub line: u64,
}

impl Certificate {
    /// Whether holder and issuer are the same.
    #[must_use]
    pub fn is_self_signed(&self) -> bool {
        !self.subject.is_empty()
            && self.subject == self.issuer
            && (self.authority_key.is_none() || self.subject_key.is_none() || self.authority_key == self.subject_key)
    }

    /// Whether `other` can have signed this certificate: names chain, and key identifiers do not contradict
    /// (RFC 5280 §4.2.1.1). Names that the log has lost chain with none.
    #[must_use]
    pub fn is_issued_by(&self, other: &Certificate) -> bool {
        !self.issuer.is_empty()
            && self.issuer == other.subject
            && match (&self.authority_key, &other.subject_key) {
                (Some(wanted), Some(found)) => wanted == found,
                _ => true,
            }
    }

    /// Whether both are the same certificate.
    #[must_use]
    pub fn same_as(&self, other: &Certificate) -> bool {
        self.subject == other.subject
            && self.issuer == other.issuer
            && (self.serial == other.serial || self.serial.is_empty() || other.serial.is_empty())
    }
}

/// What the next lines of a certificate belong to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Within {
    #[default]
    Fields,
    SubjectKey,
    AuthorityKey,
}

/// Reads the certificates of a payload line by line, modern and legacy.
#[derive(Debug, Clone, Default)]
pub(super) struct Certificates {
    found: Vec<Certificate>,
    store: bool,
    left_out: bool,
    within: Within,
}

impl Certificates {
    /// Reads a trust store, of which more certificates are kept but no alternative names.
    pub(super) fn of_store() -> Self {
        Self {
            store: true,
            ..Self::default()
        }
    }

    /// The certificates read.
    pub(super) fn into_found(mut self) -> Vec<Certificate> {
        self.found
            .retain(|certificate| !certificate.subject.is_empty() || !certificate.issuer.is_empty());
        self.found
    }

    fn begin(&mut self) {
        self.within = Within::Fields;
        let limit = if self.store { KEPT_IN_STORE } else { KEPT_IN_CHAIN };
        self.left_out = self.found.len() >= limit;
        if !self.left_out {
            self.found.push(Certificate::default());
        }
    }

    /// Takes a line of the layout of 8u272 and later; answers whether it names the holder or the issuer.
    pub(super) fn modern(&mut self, line: &[u8], number: u64) -> bool {
        let line = without_indent(line);
        let Some(rest) = line.strip_prefix(b"\"") else {
            self.extension(line);
            return false;
        };
        let Some(end) = memchr(b'"', rest) else { return false };
        let (key, value) = (&rest[..end], &rest[end + 1..]);
        let mut copy = |field: fn(&mut Certificate) -> &mut String| {
            self.set(|certificate| *field(certificate) = quoted(value).into_owned());
        };
        match key {
            b"certificate" => self.begin(),
            b"serial number" => self.set(|certificate| certificate.serial = hex(quoted_bytes(value))),
            b"not before" => copy(|certificate| &mut certificate.not_before),
            b"not  after" | b"not after" => copy(|certificate| &mut certificate.not_after),
            b"issuer" => {
                copy(|certificate| &mut certificate.issuer);
                return true;
            }
            b"subject" => {
                copy(|certificate| &mut certificate.subject);
                self.set(|certificate| certificate.line = number);
                return true;
            }
            _ => {}
        }
        false
    }

    /// Takes a line of `X509Certificate.toString`; answers whether it names the holder or the issuer.
    pub(super) fn legacy(&mut self, line: &[u8], number: u64) -> bool {
        let field = line.trim_ascii_start();
        let named = match field.first() {
            Some(b'V') if field.starts_with(b"Version: V") => {
                self.begin();
                false
            }
            Some(b'V') => self.legacy_field(field, b"Validity: [From: ", |certificate, from| {
                from.trim_end_matches(',').clone_into(&mut certificate.not_before);
            }),
            Some(b'T') => self.legacy_field(field, b"To: ", |certificate, to| {
                to.trim_end_matches(']').clone_into(&mut certificate.not_after);
            }),
            Some(b'S') => {
                let subject = self.legacy_field(field, b"Subject: ", |certificate, subject| {
                    if certificate.subject.is_empty() {
                        subject.trim().clone_into(&mut certificate.subject);
                        certificate.line = number;
                    }
                });
                if !subject
                    && !self.legacy_field(field, b"SerialNumber: [", |certificate, serial| {
                        certificate.serial = legacy_serial(serial);
                    })
                {
                    self.extension(field);
                }
                subject
            }
            Some(b'I') => {
                let issuer = self.legacy_field(field, b"Issuer: ", |certificate, issuer| {
                    issuer.trim().clone_into(&mut certificate.issuer);
                });
                if !issuer {
                    self.extension(field);
                }
                issuer
            }
            _ => {
                self.extension(field);
                false
            }
        };
        named && (line.starts_with(b"  Subject: ") || line.starts_with(b"  Issuer: "))
    }

    /// Sets what a field of this name says, if the line is one.
    fn legacy_field(&mut self, line: &[u8], name: &[u8], set: impl FnOnce(&mut Certificate, &str)) -> bool {
        let Some(value) = line.strip_prefix(name) else {
            return false;
        };
        self.set(|certificate| set(certificate, &text(value)));
        true
    }

    /// Lines of extensions, which both layouts print alike.
    fn extension(&mut self, line: &[u8]) {
        match line.first() {
            Some(b'S') if line.starts_with(b"SubjectKeyIdentifier [") => self.within = Within::SubjectKey,
            Some(b'A') if line.starts_with(b"AuthorityKeyIdentifier [") => self.within = Within::AuthorityKey,
            Some(b']') => self.within = Within::Fields,
            Some(b'O') if line.starts_with(b"ObjectId: ") => self.within = Within::Fields,
            // `[1]: ObjectId: 2.5.29.14 Criticality=false`
            Some(b'[') if memchr(b' ', line).is_some_and(|blank| line[blank + 1..].starts_with(b"ObjectId: ")) => {
                self.within = Within::Fields;
            }
            Some(b'C') if line.starts_with(b"CA:true") => self.set(|certificate| certificate.authority = true),
            Some(b'D' | b'I') => {
                let name = line
                    .strip_prefix(b"DNSName: ")
                    .or_else(|| line.strip_prefix(b"IPAddress: "));
                if let Some(name) = name.filter(|_| !self.store) {
                    self.set(|certificate| {
                        if certificate.names.len() < KEPT_NAMES {
                            certificate.names.push(text(name).trim().to_owned());
                        }
                    });
                }
            }
            Some(b'0'..=b'9') if self.within != Within::Fields => self.key_identifier(line),
            _ => {}
        }
    }

    fn key_identifier(&mut self, row: &[u8]) {
        let Some(row) = DumpRow::of(row) else { return };
        let within = self.within;
        self.set(|certificate| {
            let key = match within {
                Within::SubjectKey => &mut certificate.subject_key,
                _ => &mut certificate.authority_key,
            };
            let key = key.get_or_insert_with(|| String::with_capacity(SHA1_DIGITS));
            if key.len() < 128 {
                key.push_str(row.digits());
            }
        });
    }

    fn set(&mut self, change: impl FnOnce(&mut Certificate)) {
        if !self.left_out
            && let Some(certificate) = self.found.last_mut()
        {
            change(certificate);
        }
    }
}

/// The value of `: "value",` as text.
pub(super) fn quoted(value: &[u8]) -> Cow<'_, str> {
    text(quoted_bytes(value))
}

/// The value of `: "value",`.
pub(super) fn quoted_bytes(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii_start();
    let value = value.strip_prefix(b":").unwrap_or(value).trim_ascii();
    let value = value.strip_suffix(b",").unwrap_or(value);
    let inner = value.strip_prefix(b"\"");
    inner.map_or(value, |inner| inner.strip_suffix(b"\"").unwrap_or(inner))
}

/// The digits of a hex text in lower case, without separators and leading zeros.
pub(super) fn hex(bytes: &[u8]) -> String {
    let mut digits = hex_digits(bytes);
    let zeros = digits.len() - digits.trim_start_matches('0').len();
    digits.drain(..zeros);
    digits
}

/// The hex digits among these bytes in lower case; more than a random or a serial number has are cut.
pub(super) fn hex_digits(bytes: &[u8]) -> String {
    const LIMIT: usize = 128;
    if bytes.len() <= LIMIT && bytes.iter().fold(true, |all, byte| all & byte.is_ascii_hexdigit()) {
        return text(bytes).to_ascii_lowercase();
    }
    let mut digits = [0; LIMIT];
    let mut length = 0;
    for byte in bytes {
        // Without a branch: where blanks stand in between, half of its guesses would be wrong.
        let Some(place) = digits.get_mut(length) else { break };
        *place = byte.to_ascii_lowercase();
        length += usize::from(byte.is_ascii_hexdigit());
    }
    text(&digits[..length]).into_owned()
}

/// A serial number as the legacy layouts print it: in hex, after blanks, or as IBM does it, in decimal.
fn legacy_serial(text: &str) -> String {
    let digits = text.trim_end().trim_end_matches(']');
    if digits.starts_with(' ') || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return hex(text.as_bytes());
    }
    let mut number: Vec<u8> = Vec::new();
    for digit in digits.bytes().take(64) {
        let mut carry = u32::from(digit - b'0');
        for half in number.iter_mut().rev() {
            let value = u32::from(*half) * 10 + carry;
            *half = u8::try_from(value % 16).unwrap_or_default();
            carry = value / 16;
        }
        if carry > 0 {
            number.insert(0, u8::try_from(carry).unwrap_or_default());
        }
    }
    number
        .iter()
        .filter_map(|half| char::from_digit((*half).into(), 16))
        .collect()
}

/// The bytes of a row `0010: A2 2A DB 58      .*.X`, in lower-case hex.
struct DumpRow {
    digits: [u8; 32],
    length: usize,
}

impl DumpRow {
    fn of(line: &[u8]) -> Option<Self> {
        let mut rest = line.get(6..).filter(|_| has_offset(line))?;
        let mut row = Self {
            digits: [0; 32],
            length: 0,
        };
        while row.length < row.digits.len() {
            // Three blanks stand in the middle of a row; more mean that the characters follow.
            let blanks = rest.iter().take_while(|byte| **byte == b' ').count();
            let whole = match (row.length, blanks) {
                (0, _) => blanks == 0,
                (16, _) => blanks <= 3,
                _ => blanks == 1,
            };
            let Some([first, second, after @ ..]) = rest.get(blanks..).filter(|_| whole) else {
                break;
            };
            if !first.is_ascii_hexdigit()
                || !second.is_ascii_hexdigit()
                || after.first().is_some_and(|next| *next != b' ')
            {
                break;
            }
            for digit in [first, second] {
                row.digits[row.length] = digit.to_ascii_lowercase();
                row.length += 1;
            }
            rest = after;
        }
        (row.length > 0).then_some(row)
    }

    fn digits(&self) -> &str {
        std::str::from_utf8(&self.digits[..self.length]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_of_the_legacy_layouts() {
        assert_eq!(legacy_serial("    4f0dfa99 5affc16c]"), "4f0dfa995affc16c");
        assert_eq!(legacy_serial("1055879080]"), "3eef6fa8");
        assert_eq!(
            legacy_serial("340282366920938463463374607431768211456]"),
            format!("1{}", "0".repeat(32))
        );
    }

    const LEAF: &str = r#"
    "certificate" : {
      "version"            : "v3",
      "serial number"      : "4F 0D FA 99",
      "signature algorithm": "SHA256withRSA",
      "issuer"             : "CN=Lab Intermediate CA, O="Example, Lab", C=ZZ",
      "not before"         : "2026-11-23 14:47:22.000 GMT",
      "not  after"         : "2036-11-20 14:47:22.000 GMT",
      "subject"            : "CN=localhost",
      "subject public key" : "RSA",
      "extensions"         : [
        {
          ObjectId: 2.5.29.35 Criticality=false
          AuthorityKeyIdentifier [
          KeyIdentifier [
          0000: C5 85 40 F5 EE 01 03 1A   66 08 E1 F1 64 3A B5 4D  ..@.....f...d:.M
          0010: A2 2A DB 58                                        .*.X
          ]
          ]
        },
        {
          ObjectId: 2.5.29.17 Criticality=false
          SubjectAlternativeName [
            DNSName: localhost
            IPAddress: 127.0.0.1
          ]
        }
      ]}"#;

    #[test]
    fn a_modern_certificate() {
        let mut reader = Certificates::default();
        for (number, line) in (1..).zip(LEAF.lines()) {
            reader.modern(line.as_bytes(), number);
        }
        let found = reader.into_found();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].issuer, "CN=Lab Intermediate CA, O=\"Example, Lab\", C=ZZ");
        assert_eq!(found[0].subject, "CN=localhost");
        assert_eq!(found[0].serial, "4f0dfa99");
        assert_eq!(
            found[0].authority_key.as_deref(),
            Some("c58540f5ee01031a6608e1f1643ab54da22adb58")
        );
        assert_eq!(found[0].names, ["localhost", "127.0.0.1"]);
        assert_eq!(found[0].line, 9);
    }

    #[test]
    fn characters_of_a_dump_are_not_bytes() {
        let digits = |line: &[u8]| DumpRow::of(line).map(|row| row.digits().to_owned());
        assert_eq!(digits(b"0010: A2 2A DB 58      .*.X").as_deref(), Some("a22adb58"));
        assert_eq!(digits(b"0040: F4 ").as_deref(), Some("f4"));
        assert_eq!(digits(b"DNSName: x"), None);
    }
}
