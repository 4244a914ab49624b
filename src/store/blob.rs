//! Encodes and decodes the bodies that the store keeps in columns of type BLOB.
//!
//! A body is one flag byte and then the data: 0 means plain, 1 means compressed with zstd. The data
//! is JSON, so that a body can be read by later versions and without this program; requests and
//! responses of calls are kept as their own bytes. Only bodies above a size are compressed, because
//! small ones gain nothing, and most turns are small. Example: `\0{"steps":3}`.

use crate::store::error::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use synthd_actors::supervisor::assert_may_block;
use zstd::bulk::Compressor;

/// The flag of data that is not compressed.
const PLAIN: u8 = 0;
/// The flag of data that is compressed with zstd.
const ZSTD: u8 = 1;
/// Bodies of at most so many bytes stay plain. [`encode`] counts the flag byte, and [`pack`] does
/// not.
const COMPRESS_ABOVE: usize = 1024;
/// The compression level of zstd: the fastest of the usual levels.
const LEVEL: i32 = 1;

/// A body with the JSON of `value`. It is compressed if it is large and if that makes it smaller.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    packed(plain(value)?)
}

/// A body with the JSON of `value`, not compressed.
fn plain<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    assert_may_block("encode a body");
    let mut plain = vec![PLAIN];
    serde_json::to_writer(&mut plain, value).map_err(unencodable)?;
    Ok(plain)
}

/// A plain body, compressed if it is large and if that makes it smaller.
fn packed(plain: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    if plain.len() <= COMPRESS_ABOVE {
        return Ok(plain);
    }
    let mut packed = compress(&plain[1..]).map_err(unencodable)?;
    packed.insert(0, ZSTD);
    Ok(if packed.len() < plain.len() { packed } else { plain })
}

/// Like [`encode`], for bytes that are kept as they are and not as JSON.
pub(super) fn pack(plain: &[u8]) -> Result<Vec<u8>, StoreError> {
    assert_may_block("compress a body");
    if plain.len() > COMPRESS_ABOVE {
        let packed = compress(plain).map_err(unencodable)?;
        if packed.len() < plain.len() {
            return Ok([&[ZSTD], packed.as_slice()].concat());
        }
    }
    Ok([&[PLAIN], plain].concat())
}

/// The data of a body without its flag. Fails if the flag is unknown or the compressed data is
/// damaged.
pub(super) fn unpack(body: &[u8]) -> Result<Vec<u8>, StoreError> {
    assert_may_block("decompress a body");
    match body.split_first() {
        Some((&PLAIN, plain)) => Ok(plain.to_vec()),
        Some((&ZSTD, packed)) => zstd::stream::decode_all(packed).map_err(StoreError::unreadable),
        _ => Err(StoreError::unreadable("bytes of an unknown form")),
    }
}

/// Like [`encode`], and decodes the JSON as a test, before it is compressed. JSON has no form for
/// some numbers, such as NaN, and writes null without an error. The test refuses such a value where
/// the type does not permit null.
pub(super) fn encode_checked<T: Serialize + DeserializeOwned>(
    value: &T,
) -> Result<Vec<u8>, StoreError> {
    let plain = plain(value)?;
    parse::<T>(&plain[1..]).map_err(unencodable)?;
    packed(plain)
}

/// The value in a body that [`encode`] made.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, StoreError> {
    parse(&unpack(body)?)
}

/// The value in plain JSON without a flag.
pub(super) fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(json).map_err(StoreError::unreadable)
}

/// The error for a value that cannot be encoded. Only the append with this value fails.
fn unencodable(error: impl std::fmt::Display) -> StoreError {
    StoreError::refused(format!("cannot be written as JSON: {error}"))
}

// The compressor is kept for each thread, because making one costs more than compressing a typical
// body.
thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

/// Compresses with the compressor of this thread.
fn compress(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| match slot {
        Some(compressor) => compressor.compress(plain),
        None => slot.insert(Compressor::new(LEVEL)?).compress(plain),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_survives(text in ".{0,3000}") {
            let body = encode(&text).unwrap();
            prop_assert_eq!(decode::<String>(&body).unwrap(), text);
        }

        #[test]
        fn any_number_survives(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let body = encode(&number).unwrap();
            prop_assert_eq!(decode::<f64>(&body).unwrap().to_bits(), number.to_bits());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            drop(decode::<String>(&bytes));
        }
    }

    #[test]
    fn small_bodies_stay_plain_and_large_ones_shrink() {
        assert_eq!(encode(&"small").unwrap()[0], PLAIN);
        let large = "large ".repeat(1000);
        let body = encode(&large).unwrap();
        assert_eq!(body[0], ZSTD);
        assert!(body.len() < large.len() / 10);
    }

    #[test]
    fn what_json_cannot_say_is_refused() {
        assert!(encode_checked(&f64::NAN).is_err());
        assert!(encode_checked(&1.5f64).is_ok());
    }
}
