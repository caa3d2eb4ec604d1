#!/usr/bin/env bash
# Every check that needs no running part: one line each, and the tool's own words where one fails.
set -uo pipefail
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=0

step() {  # name, command...
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        printf 'ok    %s\n' "$name"
    else
        printf 'FAIL  %s\n%s\n' "$name" "$output"
        failed=1
    fi
}

packages() { for init in */__init__.py; do dirname "$init"; done; }

generated() {
    local before after
    before=$(state)
    scripts/generate.sh || return 1
    after=$(state)
    [ "$before" = "$after" ] && return
    echo "these generated files were not up to date; they are now, so commit them:"
    diff <(echo "$before") <(echo "$after") | sed -n 's/^> [0-9a-f]*  /  /p'
    return 1
}

state() {  # hash and path of every file that git would carry
    git ls-files --cached --others --exclude-standard -z | xargs -0 sha256sum 2>/dev/null
}

step "format" "$bin/ruff" format --check .
step "lint" "$bin/ruff" check .
step "types" "$bin/mypy" $(packages)
for board in esp32 rp2; do
    step "types of $board" "$bin/pyright" --project "edge/boards/pyright-$board.json"
done
step "generated files" generated
step "layering" "$bin/python" -m pytest -q -p no:cacheprovider tests/test_layering.py
step "addresses, paths and locks" "$bin/python" -m pytest -q -p no:cacheprovider tests/test_tracked_files.py
exit "$failed"
