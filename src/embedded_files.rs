//! The shipped templates and packs in the binary. The build script writes the files of all templates,
//! one behind the other, into one frame of zstd, and those of each pack into another. A frame is
//! expanded when its files are first needed; before that, only names and places are known.
//!
//! The build script reads every frame back before it ends, and each frame has a checksum. So only a
//! program whose own file was damaged has a frame that cannot be expanded. That is an error, see
//! [`DamagedFrame`].

use crate::error::{Code, Error};

/// A file in a frame.
#[derive(Debug)]
pub(crate) struct EmbeddedFile {
    pub(crate) path: &'static str,
    /// Whether the owner may execute it.
    pub(crate) executable: bool,
    /// Its first byte in the expanded frame, and the byte behind its last one.
    pub(crate) at: (usize, usize),
}

/// Compressed bytes of several files.
#[derive(Debug)]
pub(crate) struct EmbeddedFrame {
    pub(crate) packed: &'static [u8],
    /// The number of bytes when it is expanded.
    pub(crate) size: usize,
}

/// Why the program cannot read its own files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the files in this program are damaged: {0}")]
pub(crate) struct DamagedFrame(String);

impl EmbeddedFrame {
    /// All bytes of the frame.
    pub(crate) fn expand(&self) -> Result<Vec<u8>, DamagedFrame> {
        let bytes = zstd::bulk::decompress(self.packed, self.size);
        let bytes = bytes.map_err(|error| DamagedFrame(error.to_string()))?;
        match bytes.len() == self.size {
            true => Ok(bytes),
            false => Err(DamagedFrame(format!("{} of {} bytes", bytes.len(), self.size))),
        }
    }
}

impl EmbeddedFile {
    /// The bytes of the file in its expanded frame.
    pub(crate) fn bytes<'a>(&self, frame: &'a [u8]) -> Result<&'a [u8], DamagedFrame> {
        let (start, end) = self.at;
        frame.get(start..end).ok_or_else(|| DamagedFrame(format!("{} is not there", self.path)))
    }
}

impl From<DamagedFrame> for Error {
    fn from(damaged: DamagedFrame) -> Self {
        Self::new(Code::Unexpected, damaged.to_string())
            .hint("install synthd again; the file of the program has changed since it was built")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with these bytes and a checksum, as the build script writes it.
    fn frame(bytes: &[u8], damage: impl FnOnce(&mut Vec<u8>)) -> EmbeddedFrame {
        let mut compressor = zstd::bulk::Compressor::new(1).unwrap();
        compressor.include_checksum(true).unwrap();
        let mut packed = compressor.compress(bytes).unwrap();
        damage(&mut packed);
        EmbeddedFrame { packed: packed.leak(), size: bytes.len() }
    }

    #[test]
    fn a_file_is_its_part_of_the_frame() {
        let frame = frame(b"onetwo", |_| {}).expand().unwrap();
        let file = |at| EmbeddedFile { path: "two", executable: false, at };
        assert_eq!(file((3, 6)).bytes(&frame).unwrap(), b"two");
        let beyond = file((3, 7)).bytes(&frame).unwrap_err();
        assert!(beyond.to_string().ends_with("damaged: two is not there"), "{beyond}");
        assert!(file((4, 3)).bytes(&frame).is_err());
    }

    #[test]
    fn a_damaged_frame_is_an_error_that_says_what_to_do() {
        let text = "the files of a template\n".repeat(100);
        let last = |packed: &mut Vec<u8>| *packed.last_mut().unwrap() ^= 1;
        let cut = |packed: &mut Vec<u8>| packed.truncate(packed.len() / 2);
        for damaged in [frame(text.as_bytes(), last), frame(text.as_bytes(), cut)] {
            let error = Error::from(damaged.expand().unwrap_err());
            assert_eq!(error.code(), Code::Unexpected);
            assert!(error.report().contains("install synthd again"), "{}", error.report());
        }
        let other = EmbeddedFrame { size: text.len() + 1, ..frame(text.as_bytes(), |_| {}) };
        assert!(other.expand().is_err(), "a frame with fewer bytes than the build wrote");
    }

    /// Rows and records name templates by digests, which must not depend on how files are shipped.
    #[test]
    fn shipped_templates_and_packs_have_the_digests_of_their_files() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let read = crate::templates::load(&[root.join("templates"), root.join("packs")]).unwrap();
        let shipped = crate::templates::load(&[]).unwrap();
        assert!(shipped.ids().eq(read.ids()), "the tree has other templates");
        for template in shipped.iter() {
            let id = &template.id;
            assert_eq!(template.files(), read.get(id).unwrap().files(), "{id}");
        }
    }
}
