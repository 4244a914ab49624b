# What CI checks, in one command.
verify:
    bash .ci/verify

# Build and test quickly.
test:
    cargo test

# The shipped templates, proven.
templates:
    cargo run -- template check

bench:
    cargo bench
