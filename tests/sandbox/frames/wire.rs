//! The bytes themselves: what is written is what is read, and nothing else is.

use proptest::prelude::*;
use synthd::sandbox::guest::wire::{
    GuestFrame, MAX_FRAME, PayloadReader, PayloadWriter, body_length, decode, encode,
};

#[derive(Clone, Debug)]
enum Field {
    U8(u8),
    U32(u32),
    I32(i32),
    U64(u64),
    Bytes(Vec<u8>),
}

fn field() -> impl Strategy<Value = Field> {
    prop_oneof![
        any::<u8>().prop_map(Field::U8),
        any::<u32>().prop_map(Field::U32),
        any::<i32>().prop_map(Field::I32),
        any::<u64>().prop_map(Field::U64),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Field::Bytes),
    ]
}

fn write(fields: &[Field]) -> Vec<u8> {
    let mut writer = PayloadWriter::default();
    for field in fields {
        match field {
            Field::U8(value) => writer.u8(*value),
            Field::U32(value) => writer.u32(*value),
            Field::I32(value) => writer.i32(*value),
            Field::U64(value) => writer.u64(*value),
            Field::Bytes(value) => writer.bytes(value),
        };
    }
    writer.0
}

/// Whether the next field reads as the one written.
fn reads(reader: &mut PayloadReader<'_>, field: &Field) -> bool {
    match field {
        Field::U8(value) => reader.u8() == Ok(*value),
        Field::U32(value) => reader.u32() == Ok(*value),
        Field::I32(value) => reader.i32() == Ok(*value),
        Field::U64(value) => reader.u64() == Ok(*value),
        Field::Bytes(value) => reader.bytes() == Ok(value.as_slice()),
    }
}

proptest! {
    #[test]
    fn fields_come_back_in_order_and_whole(fields in prop::collection::vec(field(), 0..20)) {
        let bytes = write(&fields);
        let mut reader = PayloadReader::new(&bytes);
        prop_assert!(fields.iter().all(|field| reads(&mut reader, field)));
        prop_assert!(reader.at_end());
        prop_assert!(reader.finish().is_ok());
    }

    #[test]
    fn a_cut_field_is_an_error(fields in prop::collection::vec(field(), 1..20), cut in any::<prop::sample::Index>()) {
        let bytes = write(&fields);
        let bytes = &bytes[..cut.index(bytes.len())];
        let mut reader = PayloadReader::new(bytes);
        prop_assert!(!fields.iter().all(|field| reads(&mut reader, field)));
    }

    #[test]
    fn a_frame_comes_back_whole(id in any::<u32>(), kind in any::<u8>(), payload in prop::collection::vec(any::<u8>(), 0..2000)) {
        let bytes = encode(id, kind, &payload);
        let (prefix, body) = bytes.split_at(4);
        prop_assert_eq!(body_length(prefix.try_into().unwrap()), Ok(body.len()));
        prop_assert_eq!(decode(body.to_vec()), Ok(GuestFrame { id, kind, payload }));
    }

    #[test]
    fn no_length_allows_more_than_the_limit(prefix in any::<[u8; 4]>()) {
        if let Ok(length) = body_length(prefix) {
            prop_assert!((5..=MAX_FRAME).contains(&length));
            prop_assert_eq!(length, u32::from_le_bytes(prefix) as usize);
        }
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..64), order in prop::collection::vec(0_u8..5, 0..20)) {
        let mut reader = PayloadReader::new(&bytes);
        for which in order {
            match which {
                0 => reader.u8().map(drop),
                1 => reader.u32().map(drop),
                2 => reader.i32().map(drop),
                3 => reader.u64().map(drop),
                _ => reader.bytes().map(drop),
            }
            .ok();
        }
        decode(bytes).ok();
    }
}
