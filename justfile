# What CI checks, in one command.
verify:
    bash .ci/verify

# Build and test quickly.
test:
    cargo test

# The shipped templates, proven.
templates:
    cargo run -- template check

# Everything that CI only samples: each template over five seeds, the battery of cheats for each.
prove:
    cargo run --release -- template check --seeds 5 --battery every

bench:
    cargo bench
