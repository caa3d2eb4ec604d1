#!/usr/bin/env bash
# Run the tests, two files at a time: a file's tests share databases, so they stay in one process.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/python -m pytest -n 2 --dist loadfile -q "$@"
