#!/usr/bin/env bash
# Set up what `make demo` (argument: run) or `make test` and `make check` (argument: dev) need: the virtual environment
# .venv with the locked packages, and the programs behind them. Says what it installs, and returns at once when nothing
# is to be done.
set -euo pipefail
cd "$(dirname "$0")/.."
need=${1:-run}
venv=$PWD/.venv
# Debian keeps mosquitto in /usr/sbin, Homebrew in its own sbin
PATH=$PATH:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin

say() { printf 'setup: %s\n' "$*"; }
fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}
has() { command -v "$1" >/dev/null 2>&1; }

# --- Programs ---------------------------------------------------------------------------------------------------------

package_of() {  # program -> package in Debian and Ubuntu
    case $1 in
    influxd) echo influxdb ;;
    snmpget) echo snmp ;;
    sipp) echo sip-tester ;;
    systemd-analyze) echo systemd ;;
    *) echo "$1" ;;
    esac
}

advice() {  # program -> how to get it without apt
    case $1 in
    mosquitto) echo "mosquitto 2.x, the broker: brew install mosquitto | dnf install mosquitto | pacman -S mosquitto" ;;
    influxd) echo "InfluxDB 1.x (influxd): brew install influxdb@1, with its bin folder on PATH | its maker's 1.x package" ;;
    victoria-metrics) echo "VictoriaMetrics (victoria-metrics): brew install victoriametrics | its single-node release" ;;
    snmpd | snmpget) echo "net-snmp ($1): brew install net-snmp | dnf install net-snmp net-snmp-utils | pacman -S net-snmp" ;;
    sipp) echo "SIPp (sipp): brew install sipp | dnf install sipp | its release for Linux" ;;
    strace) echo "strace, what a process does to its files: dnf install strace | pacman -S strace (Linux only)" ;;
    openssl) echo "openssl, keys and certificates in tests: brew install openssl | dnf install openssl" ;;
    socat) echo "socat, a pty with a program behind it: brew install socat | dnf install socat | pacman -S socat" ;;
    systemd-analyze) echo "systemd (systemd-analyze), which checks the units that we ship: any Linux that runs systemd has it" ;;
    faketime) echo "libfaketime (faketime), clocks that are wrong: brew install libfaketime | dnf install libfaketime" ;;
    micropython) echo "MicroPython 1.22 or newer: brew install micropython | build its unix port" ;;
    esac
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

need_root() {  # packages: all at once, because somebody else has to install them
    [ "$(id -u)" = 0 ] || has sudo || fail "this needs root, and there is no sudo. As root, run:" \
        "  apt-get update && apt-get install --no-install-recommends $*" "then run the same make target again."
}

updated=
apt_install() {  # packages; false when apt has none of that name
    need_root "$@"
    if [ -z "$updated" ]; then
        say "apt-get update"
        as_root apt-get update -qq || say "apt-get update reported errors; going on with the lists that are there"
        updated=yes
    fi
    local package
    for package; do
        apt-cache show "$package" >/dev/null 2>&1 || return 1
    done
    say "apt-get install $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --yes --no-install-recommends \
        -o DPkg::Lock::Timeout=120 "$@" >/dev/null
}

rest() {  # service that the package has just started: nothing here uses it
    [ -d /run/systemd/system ] || return 0
    say "systemctl disable --now $1 (the demo and the tests start their own on a free port)"
    as_root systemctl disable --quiet --now "$1" || true
}

programs() {  # programs: install those that are missing, or list them
    local program package absent=() missing=()
    for program; do
        has "$program" || absent+=("$program")
    done
    [ ${#absent[@]} -gt 0 ] || return 0
    ! has apt-get || need_root $(for program in "${absent[@]}"; do package_of "$program"; done)
    for program in "${absent[@]}"; do
        package=$(package_of "$program")
        if has apt-get && apt_install "$package" && has "$program"; then
            rest "$package"
        else
            missing+=("$program")
        fi
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "these are missing, and apt does not offer them here. Please install:"
    for program in "${missing[@]}"; do
        say "  $(advice "$program")"
    done
    case " ${missing[*]} " in *" mosquitto "*) fail "nothing runs without mosquitto." ;; esac
    say "going on without; tests that need them are skipped (with CI=true they fail)."
}

# --- Python -----------------------------------------------------------------------------------------------------------

suits() {  # interpreter
    "$1" -c 'import sqlite3, ssl, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if suits "$candidate"; then
            python=$(command -v "$candidate")
            return
        fi
    done
    if has apt-get && apt_install python3 && suits /usr/bin/python3; then
        python=/usr/bin/python3
        return
    fi
    fail "Python 3.11 or newer (with sqlite3 and ssl) is needed, and none is on PATH." \
        "  Debian 12+, Ubuntu 24.04+: apt install python3 | macOS: brew install python | Fedora: dnf install python3" \
        "  or name one: make demo PYTHON=/path/to/python3"
}

make_venv() { "$python" -m venv --clear "$venv" >"$log" 2>&1 && "$venv/bin/python" -m pip --version >>"$log" 2>&1; }

new_venv() {
    local version log
    log=$(mktemp)
    find_python
    say "virtual environment .venv with $python"
    if ! make_venv && has apt-get; then
        # Debian and Ubuntu ship python3 without venv, in two packages
        version=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        apt_install python3-venv || true
        make_venv || { apt_install "$version" && make_venv; } || [ ! -x /usr/bin/python3 ] || {
            python=/usr/bin/python3
            say "$version does not help; trying $python"
            make_venv || true
        }
    fi
    if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
        cat "$log" >&2
        rm -rf "$venv" "$log"
        fail "$python cannot make a virtual environment (see above); name another: make demo PYTHON=/path/to/python3"
    fi
    rm -f "$log"
}

packages() {
    local lock=requirements/$need.txt stamp=$venv/.installed-$need wanted
    wanted=$(cat "$lock" pyproject.toml scripts/setup.sh; pwd)
    if [ -x "$venv/bin/pole" ] && suits "$venv/bin/python" && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    # an environment that was moved or copied names its old place in every script
    if ! suits "$venv/bin/python" || ! "$venv/bin/python" -m pip --version >/dev/null 2>&1 ||
        { [ -e "$venv/bin/pole" ] && ! grep -qF "$venv/bin/python" "$venv/bin/pole"; }; then
        new_venv
    fi
    say "Python packages of $lock into .venv"
    "$venv/bin/python" -m pip install --disable-pip-version-check --quiet --use-pep517 --require-hashes -r "$lock"
    # `compat` puts the repository itself on the path, so a new package folder needs no second set-up
    "$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation \
        --config-settings editable_mode=compat --editable .
    printf '%s\n' "$wanted" >"$stamp"
}

stubs() {  # what the modules of each board's MicroPython are called, for pyright; both boards have some of one name
    local board target lock
    for board in esp32 rp2; do
        target=.tools/stubs/$board
        lock=requirements/stubs-$board.txt
        cmp -s "$lock" "$target/.installed" && continue
        say "stubs of $board's MicroPython into $target"
        rm -rf "$target"
        "$venv/bin/python" -m pip install --disable-pip-version-check --quiet --no-deps --require-hashes \
            --target "$target" -r "$lock"
        cp "$lock" "$target/.installed"
    done
}

case $need in
run)
    programs mosquitto
    packages
    scripts/micropython.sh || say "MicroPython could not be fetched (see above); the demo's controller runs on CPython."
    ;;
dev)
    programs mosquitto influxd victoria-metrics snmpd snmpget sipp strace faketime socat openssl systemd-analyze
    packages
    stubs
    scripts/micropython.sh || say "MicroPython could not be fetched (see above); its tests are skipped (with CI=true they fail)."
    ;;
*) fail "usage: scripts/setup.sh run|dev" ;;
esac
