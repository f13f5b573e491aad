#!/bin/sh
# `make check`: all of it, even after a failure; the exit code says whether all was well.
set -u
cd "$(dirname "$0")/.." || exit 1
PATH=$PWD/.venv/bin:$PATH
code=0
run() {
  echo "check: $*" >&2
  "$@" || code=1
}

run ruff check .
run mypy --strict fleet
run mypy --strict tests/rig benchmarks
run mypy --config-file tests/mypy.ini tests
run lint-imports --no-logo
run shellcheck .ci/run
find fleet scripts -name '*.sh' | sort | while read -r file; do echo "$file"; done >.venv/shell-files
# shellcheck disable=SC2046 # none of these names has a space
run shellcheck -s sh $(cat .venv/shell-files)
exit "$code"
