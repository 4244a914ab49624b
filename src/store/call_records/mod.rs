//! Model calls as rows: packed as differences, found again by what was asked.

pub(super) mod archive;
pub(super) mod calls;
pub(super) mod request_delta;
