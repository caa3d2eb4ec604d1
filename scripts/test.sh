#!/usr/bin/env bash
# Run the tests, four files at a time, since most of what they do is wait; those that tests/conftest.py puts first begin
# first. A file's tests share databases, so they stay in one process.
set -euo pipefail
cd "$(dirname "$0")/.."
exec .venv/bin/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder -q "$@"
