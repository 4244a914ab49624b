//! Bodies: JSON, compressed where that pays. JSON, so that a body outlives the version
//! that wrote it and can be read without this program; zstd only above a threshold,
//! because small bodies gain nothing and most turns are small.

use super::error::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use zstd::bulk::Compressor;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const COMPRESS_ABOVE: usize = 1024;
const LEVEL: i32 = 1;

/// A flag byte, then the JSON of `value`, plain or compressed.
pub(super) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut plain = vec![PLAIN];
    serde_json::to_writer(&mut plain, value).map_err(unencodable)?;
    if plain.len() <= COMPRESS_ABOVE {
        return Ok(plain);
    }
    let mut packed = compress(&plain[1..]).map_err(unencodable)?;
    packed.insert(0, ZSTD);
    Ok(if packed.len() < plain.len() { packed } else { plain })
}

/// The same for bytes that are no JSON of ours.
pub(super) fn pack(plain: &[u8]) -> Result<Vec<u8>, StoreError> {
    if plain.len() > COMPRESS_ABOVE {
        let packed = compress(plain).map_err(unencodable)?;
        if packed.len() < plain.len() {
            return Ok([&[ZSTD], packed.as_slice()].concat());
        }
    }
    Ok([&[PLAIN], plain].concat())
}

pub(super) fn unpack(body: &[u8]) -> Result<Vec<u8>, StoreError> {
    match body.split_first() {
        Some((&PLAIN, plain)) => Ok(plain.to_vec()),
        Some((&ZSTD, packed)) => zstd::stream::decode_all(packed).map_err(StoreError::unreadable),
        _ => Err(StoreError::unreadable("bytes of an unknown form")),
    }
}

/// Like [`encode`], and proves that the body can be read back: JSON turns what it cannot
/// say (a number that is none) into null in silence.
pub(super) fn encode_checked<T: Serialize + DeserializeOwned>(
    value: &T,
) -> Result<Vec<u8>, StoreError> {
    let body = encode(value)?;
    decode::<T>(&body).map_err(unencodable)?;
    Ok(body)
}

pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, StoreError> {
    parse(&unpack(body)?)
}

pub(super) fn parse<T: DeserializeOwned>(json: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(json).map_err(StoreError::unreadable)
}

fn unencodable(error: impl std::fmt::Display) -> StoreError {
    StoreError::refused(format!("cannot be written as JSON: {error}"))
}

// A fresh context costs more than a typical body takes to compress.
thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
}

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
