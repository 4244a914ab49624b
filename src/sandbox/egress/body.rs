//! How far the body of a plain request reaches: what comes after it would be another request,
//! perhaps for another host, and is passed on to nobody.

use super::request::MalformedRequest;

/// What is left of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum RemainingBody {
    Length(u64),
    Chunked(ChunkPosition),
}

/// Where in a chunked body one is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ChunkPosition {
    /// In the size, of so many digits.
    Size(u64, u32),
    /// After the size, up to the end of its line.
    Extension(u64),
    Data(u64),
    /// Before the line's end that follows the data.
    DataEnd,
    /// In a line of the trailer, which ends with an empty one.
    Trailer {
        is_empty: bool,
    },
    Over,
}

/// Of a chunk's size: more is no size of anything.
const MOST_DIGITS: u32 = 15;

impl RemainingBody {
    pub(super) fn none() -> Self {
        Self::Length(0)
    }

    pub(super) fn chunked() -> Self {
        Self::Chunked(ChunkPosition::Size(0, 0))
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(ChunkPosition::Over))
    }

    /// How many of these bytes belong to it.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, MalformedRequest> {
        let mut taken = 0;
        while taken < bytes.len() && !self.is_over() {
            taken += self.step(&bytes[taken..])?;
        }
        Ok(taken)
    }

    /// At least one byte of some.
    fn step(&mut self, bytes: &[u8]) -> Result<usize, MalformedRequest> {
        match self {
            Self::Length(left) | Self::Chunked(ChunkPosition::Data(left)) if *left > 0 => {
                let taken = (bytes.len() as u64).min(*left);
                *left -= taken;
                Ok(taken as usize)
            }
            Self::Length(_) => Ok(bytes.len()),
            Self::Chunked(chunk) => {
                let next = std::mem::replace(chunk, ChunkPosition::Over).after(bytes[0])?;
                *chunk = next;
                Ok(1)
            }
        }
    }
}

impl ChunkPosition {
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
            (Self::Size(_, 0), _) => return broken,
            (Self::Size(size, _), b'\r' | b';' | b' ' | b'\t') => Self::Extension(size),
            // After the line, data, or the trailer that ends all of it.
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
