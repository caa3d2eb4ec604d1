#!/usr/bin/env bash
# Write the lock files from pyproject.toml: every package with its version and hashes, for Python 3.11 and newer on any
# system, and not one address. Without arguments locked versions stay; `--upgrade` takes the newest.
set -euo pipefail
cd "$(dirname "$0")/.."

compile() {  # output, then further options
    local output=$1
    shift
    .venv/bin/uv pip compile pyproject.toml requirements/build.in --quiet --universal --python-version 3.11 \
        --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --output-file "$output" "$@"
}

compile requirements/dev.txt --all-extras "$@"
# the same versions as above, so that `make demo` and `make test` agree in one environment
compile requirements/run.txt --extra gateway --extra ingest --extra sim --extra edge --constraint requirements/dev.txt
