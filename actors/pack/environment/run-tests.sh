#!/bin/sh
# Runs all tests of the project. It ends with 0 if all pass.
cd "$(dirname "$0")" || exit 2
. ./tools/env.sh
exec python3 tools/suite.py "$@"
