//! Compressed logs, told by their first bytes: gzip and Zstandard, decoded as they are read.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

/// RFC 1952 §2.3.1, with the only method there is.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];
/// RFC 8878 §3.1.1.
const ZSTANDARD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Decoding a frame takes as much memory as its window, which its header asks for. Decoders should support 8 MiB (RFC 8878
/// §3.1.1.1.2); with more, memory would not be bounded any longer.
const LARGEST_WINDOW: u64 = 8 << 20;

/// What a source holds.
pub(super) struct Input {
    /// Its content, decoded.
    pub(super) content: Box<dyn Read>,
    /// Whether it is compressed: an error in it ends what can be read, and takes nothing back.
    pub(super) compressed: bool,
}

/// Bytes read to tell what a source holds. Four are enough, but set every later read askew to the file's pages, and copying those
/// would take twice as long.
pub(super) const PAGE: usize = 4096;

/// Looks at the first bytes of a source.
pub(super) fn open(mut source: impl Read + 'static) -> io::Result<Input> {
    let mut first = [0; PAGE];
    let mut length = 0;
    while length < ZSTANDARD.len() {
        match source.read(&mut first[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let first = first[..length].to_vec();
    let (gzip, zstandard) = (first.starts_with(&GZIP), first.starts_with(&ZSTANDARD));
    let source = io::Cursor::new(first).chain(source);
    Ok(Input {
        content: if gzip {
            Box::new(MultiGzDecoder::new(BufReader::new(source)))
        } else if zstandard {
            Box::new(Frames::new(BufReader::new(source)))
        } else {
            Box::new(source)
        },
        compressed: gzip || zstandard,
    })
}

/// The frames of a Zstandard file, one after the other.
struct Frames<R> {
    source: R,
    decoder: FrameDecoder,
    within: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(LARGEST_WINDOW);
        Self {
            source,
            decoder,
            within: false,
        }
    }

    /// Begins the next frame; `false` at the end of the source.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                // Tools keep their own notes in such frames.
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(FrameDecoderError::WindowSizeTooBig { requested, .. }) => return Err(too_large(requested)),
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.within {
                self.within = self.begin()?;
                if !self.within {
                    return Ok(0);
                }
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            if self.decoder.is_finished() {
                self.within = false;
            } else {
                self.decoder
                    .decode_blocks(&mut self.source, ruzstd::decoding::BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(io::Error::other)?;
            }
        }
    }
}

fn too_large(window: u64) -> io::Error {
    io::Error::other(format!(
        "it needs a window of {} MiB to be decompressed, and memory is kept for {} MiB; decompress it first: zstd -dc --long=31 FILE | \
         tlsdebug diagnose -",
        window.div_ceil(1 << 20),
        LARGEST_WINDOW >> 20
    ))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn content(bytes: Vec<u8>) -> (Vec<u8>, bool) {
        let mut read = Vec::new();
        let failed = open(io::Cursor::new(bytes))
            .unwrap()
            .content
            .read_to_end(&mut read)
            .is_err();
        (read, failed)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zstandard(text: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn plain_bytes_pass_untouched() {
        for text in [&b""[..], b"\x1f", b"\x1f\x8b", b"(\xb5/", b"a log\n"] {
            assert_eq!(content(text.to_vec()), (text.to_vec(), false));
        }
    }

    #[test]
    fn members_and_frames_one_after_the_other() {
        assert_eq!(
            content([gzip(b"one"), gzip(b" two")].concat()),
            (b"one two".to_vec(), false)
        );
        let note = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let frames = [zstandard(b"one"), note, zstandard(b" two")].concat();
        assert_eq!(content(frames), (b"one two".to_vec(), false));
    }

    #[test]
    fn what_is_cut_off_gives_what_it_holds_and_an_error() {
        let text: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
        for whole in [gzip(&text), zstandard(&text)] {
            let (read, failed) = content(whole[..whole.len() / 2].to_vec());
            assert!(failed && !read.is_empty() && text.starts_with(&read));
        }
    }

    #[test]
    fn a_window_that_is_too_large_is_named() {
        let frame = |exponent: u8| [&ZSTANDARD[..], &[0, exponent << 3], &[0b011, 0, 0, b'x']].concat();
        // One block, the last: no byte of `x`.
        assert_eq!(content(frame(13)), (Vec::new(), false));
        let failed = open(io::Cursor::new(frame(14)))
            .unwrap()
            .content
            .read(&mut [0; 9])
            .unwrap_err();
        assert!(
            failed.to_string().starts_with("it needs a window of 16 MiB"),
            "{failed}"
        );
    }
}
