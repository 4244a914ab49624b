# What CI checks, in one command.
verify:
    bash .ci/verify

# Build and test quickly.
test:
    cargo test

# The shipped templates, proven.
templates:
    cargo run -- template check

# Everything that CI only samples: each template over five seeds, the battery of cheats for each, the
# oracle on 20 other seeds, and at least 20 structures; every hostile program under gVisor.
prove:
    cargo run --release -- template check --seeds 5 --battery every --replay 20
    SYNTHD_TEST_WHOLE=1 cargo test -p synthd --test integration hostile_table

bench:
    cargo bench

# Packs of public projects that packs-mined/pins.toml pins: all, or those named. Needs PyPI.
mined-packs *NAMES:
    cargo build --release
    python3 packs-mined/build.py --synthd target/release/synthd {{NAMES}}
