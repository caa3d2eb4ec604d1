#!/usr/bin/env bash
# Write every generated file anew. A package that generates something does it in its module `generate`.
set -euo pipefail
cd "$(dirname "$0")/.."
for module in */generate.py; do
    [ -e "$module" ] || continue
    package=$(dirname "$module")
    echo "generate: $package"
    .venv/bin/python -m "$package.generate"
done
