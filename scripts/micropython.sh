#!/usr/bin/env bash
# Put the real MicroPython interpreter into .tools/: `micropython` (8-byte words) and `micropython32` (4-byte words, as on
# a controller). Nothing is installed in the system.
#
# On Debian (amd64) both come from Debian 13 or newer as packages, beside the system: apt itself fetches them, from the
# mirror that this machine already uses, and checks the archive's signature and every hash. They run through their own
# C library's loader, so an older Debian serves as well. Elsewhere the `micropython` on PATH is taken.
set -euo pipefail
cd "$(dirname "$0")/.."
tools=$PWD/.tools
tree=$tools/debian
apt=$tools/apt

say() { printf 'micropython: %s\n' "$*"; }

works() {  # wrapper, whether it has 8-byte words
    [ -x "$1" ] && [ "$("$1" -c 'import sys; print(sys.implementation.name, sys.maxsize > 2**31)' 2>&1)" = "micropython $2" ]
}

keep_if_it_works() {  # wrapper, 8-byte words, where it came from
    if works "$1" "$2"; then
        say "$(basename "$1"): $3"
    else
        say "$(basename "$1"): does not run on this machine: $("$1" -c 'print(1)' 2>&1 | tail -n 1)"
        rm -f "$1"
    fi
}

wrap() {  # wrapper, triplet, loader
    cat >"$1" <<WRAPPER
#!/bin/sh
root=\$(cd "\$(dirname "\$0")" && pwd)/debian/$2
exec "\$root/usr/lib/$2/$3" --library-path "\$root/usr/lib/$2" "\$root/usr/bin/micropython" "\$@"
WRAPPER
    chmod +x "$1"
}

private_apt() {  # architecture, command: apt with lists, cache and package database of its own
    local arch=$1
    shift
    "$@" -o "Dir::Etc::SourceList=$apt/debian.sources" -o Dir::Etc::SourceParts=/dev/null -o "Dir::State=$apt/state" \
        -o "Dir::State::status=$apt/status" -o "Dir::Cache=$apt/cache" -o "APT::Architecture=$arch" \
        -o "APT::Architectures=$arch" -o "APT::Architectures::=$arch" -o APT::Sandbox::User= -o Debug::NoLocking=true \
        -o Acquire::Languages=none -o APT::Install-Recommends=false -qq
}

unpack() {  # architecture, folder: MicroPython with the libraries that it needs
    local deb
    rm -rf "$apt" "$2"
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$2"
    : >"$apt/status"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' \
        "$mirror" "$release" "$keyring" >"$apt/debian.sources"
    private_apt "$1" apt-get update
    private_apt "$1" apt-get install --download-only --yes micropython >/dev/null
    for deb in "$apt"/cache/archives/*.deb; do
        dpkg -x "$deb" "$2"
    done
    rm -rf "$apt"
}

from_debian() {
    local release=$VERSION_CODENAME mirror keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    # apt reads its own sources, in whichever of the two formats they are written
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        awk -v release="$release" '$2 == release && $3 == "main" { print $1; exit }')
    [ -n "$mirror" ] || { say "skipped: apt's sources name no Debian mirror for $release main"; return; }
    [ -r "$keyring" ] || { say "skipped: $keyring is missing (package debian-archive-keyring)"; return; }
    [ "${VERSION_ID%%.*}" -ge 13 ] || release=trixie
    say "fetching MicroPython for amd64 and i386 from Debian $release into .tools/ (nothing is installed)"
    unpack amd64 "$tree/x86_64-linux-gnu"
    unpack i386 "$tree/i386-linux-gnu"
    wrap "$tools/micropython" x86_64-linux-gnu ld-linux-x86-64.so.2
    wrap "$tools/micropython32" i386-linux-gnu ld-linux.so.2
    keep_if_it_works "$tools/micropython" True "Debian $release, amd64"
    keep_if_it_works "$tools/micropython32" False "Debian $release, i386"
}

from_path() {
    local found
    found=$(command -v micropython) || { say "skipped: $1, and no micropython is on PATH"; return; }
    ln -sf "$found" "$tools/micropython"
    keep_if_it_works "$tools/micropython" True "$found"
    say "micropython32: skipped: $1"
}

if works "$tools/micropython" True && works "$tools/micropython32" False; then
    exit 0
fi
mkdir -p "$tools"
ID= VERSION_ID=0 VERSION_CODENAME=
[ ! -r /etc/os-release ] || . /etc/os-release
if [ "$ID" != debian ]; then
    from_path "the 32-bit build comes from Debian's packages, and this is ${ID:-no Debian}"
elif [ "$(dpkg --print-architecture)" != amd64 ]; then
    from_path "the packages for amd64 and i386 do not run on $(dpkg --print-architecture)"
else
    from_debian
fi
