//! Finds the end of the body of a plain HTTP request, byte by byte.
//!
//! The egress proxy forwards exactly one request on a connection. Bytes after its body would be
//! another request, perhaps for another host, so the proxy forwards them to nobody. The length
//! comes from the header (`Content-Length`) or from the chunks themselves
//! (`Transfer-Encoding: chunked`):
//!
//! ```text
//!  Size ─► Extension ─ line ends ─► Data ─ all read, CR ─► DataEnd ─ LF ─► Size (the next chunk)
//!              └─ size 0, line ends ─► Trailer ─ empty line ─► Over
//! ```
//! The bytes may arrive in pieces of any size; the position is kept between them. Malformed
//! chunks are an error, and the connection then ends.

use super::request::MalformedRequest;

/// The part of a request's body that has not been forwarded yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RemainingBody {
    /// So many bytes follow.
    Length(u64),
    /// Chunks follow; the position says what the next byte means.
    Chunked(ChunkPosition),
}

/// What the next byte of a chunked body means. An example of a whole body, with a trailer:
/// `5;x=1\r\nhello\r\n0\r\nName: value\r\n\r\n`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ChunkPosition {
    /// In the size of a chunk: the value so far, and the number of its hexadecimal digits so far.
    Size(u64, u32),
    /// After the size, up to the end of its line. The value is the size of the chunk.
    Extension(u64),
    /// In the data of a chunk. The value is the number of bytes that follow.
    Data(u64),
    /// After the carriage return that follows the data. A line feed must come next.
    DataEnd,
    /// In the trailer: header lines after the last chunk, up to an empty line.
    Trailer {
        /// Whether the current line has no characters yet, so that its end is the end of the
        /// body.
        is_empty: bool,
    },
    /// The body is complete. The next byte does not belong to it.
    Over,
}

/// The most hexadecimal digits of a chunk's size. 15 digits are 60 bits, so the size cannot
/// overflow a `u64`. No real chunk is that large.
const MOST_DIGITS: u32 = 15;

impl RemainingBody {
    /// A request without a body.
    pub(super) fn none() -> Self {
        Self::Length(0)
    }

    /// A chunked body before its first byte.
    pub(super) fn chunked() -> Self {
        Self::Chunked(ChunkPosition::Size(0, 0))
    }

    /// Whether the whole body was taken.
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(ChunkPosition::Over))
    }

    /// Moves on through `bytes`, and returns how many of them (from the front) belong to the
    /// body. A smaller number than `bytes.len()` means that the body is over. `Err` means that a
    /// chunk is malformed; the position is then not usable any more.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, MalformedRequest> {
        let mut taken = 0;
        while taken < bytes.len() && !self.is_over() {
            taken += self.step(&bytes[taken..])?;
        }
        Ok(taken)
    }

    /// Takes at least one byte of `bytes`, which must not be empty.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, MalformedRequest> {
        match self {
            Self::Length(left) | Self::Chunked(ChunkPosition::Data(left)) if *left > 0 => {
                let taken = (bytes.len() as u64).min(*left);
                *left -= taken;
                Ok(taken as usize)
            }
            // Not reached: `take` stops at a length of zero.
            Self::Length(_) => Ok(bytes.len()),
            Self::Chunked(chunk) => {
                // The data of a chunk is used up, or the byte is one of the framing around it.
                let next = std::mem::replace(chunk, ChunkPosition::Over).after(bytes[0])?;
                *chunk = next;
                Ok(1)
            }
        }
    }
}

impl ChunkPosition {
    /// The position after one more byte. Data is counted by `step`, so here it is used up.
    fn after(self, byte: u8) -> Result<Self, MalformedRequest> {
        let broken = Err(MalformedRequest("its chunks are malformed"));
        Ok(match (self, byte) {
            (Self::Size(size, digits), byte) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                if digits >= MOST_DIGITS {
                    return broken;
                }
                Self::Size(size * 16 + u64::from(digit), digits + 1)
            }
            // A size needs at least one digit.
            (Self::Size(_, 0), _) => return broken,
            (Self::Size(size, _), b'\r' | b';' | b' ' | b'\t') => Self::Extension(size),
            // At the end of the line, data follows. After a size of zero, it is the trailer,
            // which ends the body.
            (Self::Extension(0), b'\n') => Self::Trailer { is_empty: true },
            (Self::Extension(size), b'\n') => Self::Data(size),
            (Self::Extension(size), _) => Self::Extension(size),
            (Self::Data(_), b'\r') => Self::DataEnd,
            (Self::DataEnd, b'\n') => Self::Size(0, 0),
            (Self::Trailer { is_empty: true }, b'\n') => Self::Over,
            (Self::Trailer { .. }, b'\n') => Self::Trailer { is_empty: true },
            (Self::Trailer { is_empty }, b'\r') => Self::Trailer { is_empty },
            (Self::Trailer { .. }, _) => Self::Trailer { is_empty: false },
            _ => return broken,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn taken(mut body: RemainingBody, bytes: &[u8]) -> Result<(usize, bool), MalformedRequest> {
        let taken = body.take(bytes)?;
        Ok((taken, body.is_over()))
    }

    #[test]
    fn nothing_after_a_body_belongs_to_it() {
        let next = b"GET / HTTP/1.1\r\nHost: inner\r\n\r\n";
        let with = |body: &str| [body.as_bytes(), next].concat();
        assert_eq!(taken(RemainingBody::none(), next), Ok((0, true)));
        assert_eq!(taken(RemainingBody::Length(5), &with("hello")), Ok((5, true)));
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "5;x=1\r\nhello\r\nA\r\n0123456789\r\n0\r\nTrail: er\r\n\r\n",
        ] {
            assert_eq!(
                taken(RemainingBody::chunked(), &with(body)),
                Ok((body.len(), true)),
                "{body}"
            );
        }
        assert_eq!(taken(RemainingBody::chunked(), b"5\r\nhel"), Ok((6, false)));
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for body in ["x\r\n", "\r\n", "-1\r\n", "5\r\nhelloX", "1\r\nh\rX", "fffffffffffffffff"] {
            assert!(taken(RemainingBody::chunked(), body.as_bytes()).is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn it_ends_where_it_ends_however_it_is_cut(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..5),
            cut in 1usize..9,
        ) {
            let mut whole = Vec::new();
            for chunk in &chunks {
                whole.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
                whole.extend(chunk);
                whole.extend(b"\r\n");
            }
            whole.extend(b"0\r\n\r\n");
            let length = whole.len();
            whole.extend(b"more");
            let mut body = RemainingBody::chunked();
            let sum: usize = whole.chunks(cut).map(|piece| body.take(piece).unwrap()).sum();
            prop_assert_eq!((sum, body.is_over()), (length, true));
        }
    }
}
