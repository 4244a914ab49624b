//! The module as a whole: versions as they are written, read back, damaged and adopted.

mod card;
mod columns;
mod damage;
mod editions;
mod files;
mod older;
mod readers;
mod round_trip;
