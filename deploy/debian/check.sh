#!/bin/sh
# Installs, starts, stops, upgrades, removes and purges the package in a directory of its own, never on this machine.
# deploy/debian/check.sh target/debug/sessile. Needs root and dpkg; exit code 77: not possible here.
set -eu
program=$1
here=$(dirname "$0")
if [ "$(id -u)" != 0 ] || ! command -v dpkg-deb >/dev/null || ! command -v setpriv >/dev/null; then
    echo "SKIPPED: the package is tried as root, with dpkg and setpriv"
    exit 77
fi
place=$(mktemp -d)
chmod 0755 "$place"
node=
end() { [ -z "$node" ] || kill -KILL "$node" 2>/dev/null || true; rm -rf "$place"; }
trap end EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
holds() { grep -q "$2" "$1" || fail "$1 does not hold $2"; }

root=$place/root
mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/etc"
touch "$root/var/lib/dpkg/status" "$root/etc/passwd" "$root/etc/group" "$root/etc/shadow" "$root/etc/gshadow"
# The packages that it depends on are those of this machine.
debian() { dpkg --root="$root" --force-script-chrootless --force-depends --force-confold "$@" >>"$place/log" 2>&1 ||
    { cat "$place/log"; fail "dpkg $*"; }; }

# Only for this check: the package of a debug build is large.
export DPKG_DEB_COMPRESSOR_TYPE=none
"$here/build.sh" "$program" 0.1.0 "$place" >/dev/null
"$here/build.sh" "$program" 0.2.0 "$place" >/dev/null
arch=$(dpkg --print-architecture)

debian --install "$place/sessile_0.1.0_$arch.deb"
for file in usr/bin/sessile usr/lib/systemd/system/sessile.service usr/lib/sysusers.d/sessile.conf \
    usr/share/man/man1/sessile-serve.1.gz usr/share/bash-completion/completions/sessile etc/sessile/balancer.toml; do
    [ -e "$root/$file" ] || fail "$file is not installed"
done
owner=$(grep '^sessile:' "$root/etc/passwd" | cut -d: -f3)
[ "$(stat -c '%u %a' "$root/etc/sessile/cluster.secret")" = "$owner 600" ] || fail "the secret is not the user's alone"
[ "$(stat -c '%u %a' "$root/etc/sessile")" = "$owner 750" ] || fail "/etc/sessile is open"
if command -v systemd-analyze >/dev/null; then
    # Their program is not there on this machine, but in the directory.
    for unit in sessile sessile-balancer; do
        sed "s,/usr/bin/sessile,$root/usr/bin/sessile," "$root/usr/lib/systemd/system/$unit.service" >"$place/$unit.service"
        said=$(systemd-analyze verify --man=no "$place/$unit.service" 2>&1 | grep "$unit" || true)
        [ -z "$said" ] || fail "$said"
    done
fi

# What the unit starts and stops, as its user, on a free port.
as_user() { setpriv --reuid="$owner" --regid="$owner" --clear-groups -- "$@"; }
command_of() { sed -n "s|^$1=-*||p" "$root/usr/lib/systemd/system/sessile.service" | sed "s| /| $root/|g; s|^/|$root/|"; }
base=$((20000 + $$ % 10000))
export SESSILE_HTTP__LISTEN="127.0.0.1:$base" SESSILE_ADMIN__LISTEN="127.0.0.1:$((base + 1))" \
    SESSILE_RECEIVER__LISTEN="127.0.0.1:$((base + 2))" SESSILE_MEMBERSHIP__MEMBERS="[\"127.0.0.1:$((base + 2))\"]"
# shellcheck disable=SC2046
as_user $(command_of ExecStart) >"$place/out" 2>"$place/err" &
node=$!
tries=0
until grep -qs ready "$place/out"; do
    kill -0 "$node" 2>/dev/null || { cat "$place/err"; fail "the node did not start"; }
    tries=$((tries + 1))
    [ $tries -lt 600 ] || fail "the node is not ready"
    sleep 0.1
done
# shellcheck disable=SC2046
as_user $(command_of ExecStop) >"$place/stopped" || fail "ExecStop"
holds "$place/stopped" "nothing was left to send"
wait "$node" || fail "the node ended with $?"
node=

echo "# mine" >>"$root/etc/sessile/node.toml"
before=$(cksum <"$root/etc/sessile/cluster.secret")
debian --install "$place/sessile_0.2.0_$arch.deb"
holds "$root/etc/sessile/node.toml" "^# mine"
[ "$before" = "$(cksum <"$root/etc/sessile/cluster.secret")" ] || fail "the upgrade changed the secret"
[ "$(dpkg-query --root="$root" --show --showformat='${Version}' sessile)" = 0.2.0 ] || fail "0.2.0 is not installed"

debian --remove sessile
[ ! -e "$root/usr/bin/sessile" ] || fail "the program was not removed"
holds "$root/etc/sessile/node.toml" "^# mine"
[ -e "$root/etc/sessile/cluster.secret" ] || fail "the secret went with the program"
debian --purge sessile
[ ! -e "$root/etc/sessile" ] || fail "the purge left $(ls "$root/etc/sessile")"
echo "the Debian package: installed, started, stopped, upgraded, removed and purged"
