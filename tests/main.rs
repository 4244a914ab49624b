//! The integration tests: one binary, one link step. Each module says what it needs of the
//! host; what is missing fails under `CI=true` and is skipped aloud elsewhere.

mod sandbox;
mod support;
