#!/bin/sh
# Runs what the image runs, without a container: its command, its health check and its stop.
# deploy/container/check.sh target/debug/sessile
set -eu
program=$(realpath "$1")
here=$(realpath "$(dirname "$0")")
place=$(mktemp -d)
node=
end() { [ -z "$node" ] || kill -KILL "$node" 2>/dev/null || true; rm -rf "$place"; }
trap end EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
# A list such as ["serve", "--config", "/etc/sessile/node.toml"] as words, with the file of this folder.
words() { sed -n "s|^$1 \[\(.*\)\]$|\1|p" "$here/Containerfile" | tr -d '",' | sed "s|/etc/sessile|$here|"; }

for copied in $(sed -n 's|^COPY --chown=[^ ]* \([^ ]*\) .*|\1|p' "$here/Containerfile"); do
    [ -e "$here/../../$copied" ] || fail "the image copies $copied, which is not there"
done
"$program" secret new "$place/cluster.secret" >/dev/null
base=$((20000 + $$ % 10000))
export SESSILE_HTTP__LISTEN="127.0.0.1:$base" SESSILE_ADMIN__LISTEN="127.0.0.1:$((base + 1))" \
    SESSILE_RECEIVER__LISTEN="127.0.0.1:$((base + 2))" SESSILE_RECEIVER__ADVERTISE="127.0.0.1:$((base + 2))" \
    SESSILE_MEMBERSHIP__MEMBERS="[\"127.0.0.1:$((base + 2))\"]" SESSILE_CLUSTER__SECRET_FILE="$place/cluster.secret"
# shellcheck disable=SC2046
"$program" $(words CMD) >"$place/out" 2>"$place/err" &
node=$!
tries=0
# shellcheck disable=SC2046
until grep -qs ready "$place/out"; do
    kill -0 "$node" 2>/dev/null || { cat "$place/err"; fail "the node did not start"; }
    tries=$((tries + 1))
    [ $tries -lt 600 ] || fail "the node is not ready"
    sleep 0.1
done
health=$(words 'HEALTHCHECK.* CMD' | sed 's/^sessile //')
# shellcheck disable=SC2086
"$program" $health >/dev/null || fail "the health check of a running node"
kill -TERM "$node"
wait "$node" || fail "the node ended with $?"
node=
# shellcheck disable=SC2086
! "$program" $health >/dev/null 2>&1 || fail "the health check takes a stopped node for healthy"
echo "the container: its command starts, is healthy, and stops at SIGTERM"
