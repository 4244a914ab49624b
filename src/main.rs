//! Parse, run, map the error to an exit code.

#[cfg(not(panic = "unwind"))]
compile_error!("synthd supervises by unwinding: build it with panic = \"unwind\"");

fn main() {
    if std::env::args().nth(1).as_deref() == Some(synthd::sandbox::namespace::LAUNCHER_COMMAND) {
        let _ = synthd::sandbox::namespace::run_launcher();
    }
}
