#!/bin/sh
# Builds the program and runs all cases. It ends with 0 if all are right.
cd "$(dirname "$0")" || exit 2
. ./tools/env.sh
exec sh tools/suite.sh "$@"
