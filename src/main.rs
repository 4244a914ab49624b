//! Parse, run, map the error to an exit code.

#[cfg(not(panic = "unwind"))]
compile_error!("synthd supervises by unwinding: build it with panic = \"unwind\"");

use std::process::ExitCode;

fn main() -> ExitCode {
    synthd::cli::main()
}
