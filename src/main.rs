//! Parse, run, map the error to an exit code.

#[cfg(not(panic = "unwind"))]
compile_error!("synthd supervises by unwinding: build it with panic = \"unwind\"");

use std::process::ExitCode;

/// A tenth more calls a second than with the C library's, whose threads wait for each other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    synthd::cli::main()
}
