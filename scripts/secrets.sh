#!/usr/bin/env bash
# Make the passwords that compose.yaml uses, into .secrets/, which git ignores. Arguments: names of nodes that need one
# too. What exists stays; delete a file to have it made anew (the database keeps the ones of its first start).
set -euo pipefail
cd "$(dirname "$0")/.."

for node; do
    [[ $node =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$ ]] || {
        echo "secrets: '$node' cannot be a node's name: 1 to 64 of A-Z a-z 0-9 . _ -, the first a letter or a digit" >&2
        exit 1
    }
done

# Nobody else enters the folder; inside it the containers' own users must be able to read
mkdir -p .secrets
chmod 0700 .secrets
mkdir -p .secrets/broker
umask 022

secret() {  # file
    [ -s "$1" ] && return
    od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$1"
    echo "secrets: $1"
}

for name in influxdb.password influxdb.token grafana.password; do
    secret ".secrets/$name"
done
for user in ingest operator "$@"; do
    secret ".secrets/broker/$user.password"
done
printf 'INFLUXDB_TOKEN=%s\n' "$(cat .secrets/influxdb.token)" >.secrets/grafana.env
for file in .secrets/broker/*.password; do
    printf '%s:%s\n' "$(basename "$file" .password)" "$(cat "$file")"
done >.secrets/broker-users
