//! What a file without a single debug record is, as far as its bytes tell.

use memchr::memmem;

use crate::log::is_utf16;

/// Bytes at the start of a file by which binary content is told.
const LOOKED_AT: usize = 4 * 1024;
/// Longer than the name of any exception here.
const LONGEST: usize = 80;
/// How the names of exceptions begin that only debug output explains.
const EXCEPTIONS: [&[u8]; 2] = [b"javax.net.ssl.SSL", b"sun.security.validator.ValidatorException"];

/// Looks at a file as it is read.
#[derive(Debug, Default)]
pub(super) struct Clues {
    /// Bytes of content so far.
    pub(super) bytes: u64,
    /// The class of the first TLS exception.
    pub(super) exception: Option<String>,
    /// The first bytes are those of no text.
    pub(super) is_binary: bool,
    start: Vec<u8>,
    tail: Vec<u8>,
}

impl Clues {
    /// Counts the next bytes.
    pub(super) fn count(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let room = LOOKED_AT - self.start.len();
        if room > 0 {
            self.start.extend_from_slice(&bytes[..bytes.len().min(room)]);
            self.is_binary = is_binary(&self.start);
        }
    }

    /// Looks for an exception in them.
    pub(super) fn look(&mut self, bytes: &[u8]) {
        if self.exception.is_some() {
            return;
        }
        // A name may lie across two pieces.
        self.tail.extend_from_slice(&bytes[..bytes.len().min(LONGEST)]);
        self.exception = exception(&self.tail).or_else(|| exception(bytes));
        if bytes.len() > LONGEST {
            self.tail.clear();
            self.tail.extend_from_slice(&bytes[bytes.len() - LONGEST..]);
        }
        let surplus = self.tail.len().saturating_sub(LONGEST);
        self.tail.drain(..surplus);
    }
}

fn exception(bytes: &[u8]) -> Option<String> {
    let places = EXCEPTIONS.iter().flat_map(|name| memmem::find_iter(bytes, name));
    places
        .map(|at| {
            let letters = bytes[at..]
                .iter()
                .take(LONGEST)
                .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'.');
            letters.map(|byte| char::from(*byte)).collect::<String>()
        })
        .find(|name| name.ends_with("Exception"))
}

/// Text has no zero bytes, UTF-16 aside.
fn is_binary(first: &[u8]) -> bool {
    !is_utf16(first) && memchr::memchr(0, first).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clues<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Clues {
        let mut clues = Clues::default();
        for piece in pieces {
            clues.count(piece);
            clues.look(piece);
        }
        clues
    }

    #[test]
    fn exceptions_are_found_however_the_bytes_come() {
        let text = b"2026-01-01 ERROR x\njavax.net.ssl.SSLHandshakeException: Remote host closed connection\n\tat a.b(C.java:1)\n";
        for size in 1..text.len() {
            let found = clues(text.chunks(size));
            assert_eq!(
                found.exception.as_deref(),
                Some("javax.net.ssl.SSLHandshakeException"),
                "in pieces of {size}"
            );
            assert_eq!((found.bytes, found.is_binary), (text.len() as u64, false));
        }
        assert_eq!(clues([&b"javax.net.ssl.SSLContext is set up\n"[..]]).exception, None);
    }

    #[test]
    fn zero_bytes_tell_what_is_no_text() {
        let program = b"\x7fELF\x02\x01\x01\0\0";
        assert!(clues(program.chunks(1)).is_binary);
        assert!(!clues(b"\xff\xfea\0b\0".chunks(3)).is_binary);
        assert!(!clues([&b"text \xc3\xa9 \xe9\n"[..]]).is_binary);
    }
}
