//! The module as a whole: versions as they are written, read back, damaged and adopted.

mod card;
mod damage;
mod editions;
mod files;
mod round_trip;
