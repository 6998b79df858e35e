#!/bin/sh
# Makes a Debian package of a built program: deploy/debian/build.sh target/release/sessile 0.1.0 OUT_DIRECTORY
# Needs dpkg-deb. The program makes its own manual pages and completions, so it must run on this machine.
set -eu
[ $# = 3 ] || { echo "usage: $0 PROGRAM VERSION OUT_DIRECTORY" >&2; exit 2; }
program=$1 version=$2 out=$3
here=$(dirname "$0")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
umask 022

install -D -m 0755 "$program" "$root/usr/bin/sessile"
strip --strip-unneeded "$root/usr/bin/sessile" 2>/dev/null || true
for unit in sessile sessile-balancer; do
    install -D -m 0644 "$here/../systemd/$unit.service" "$root/usr/lib/systemd/system/$unit.service"
done
install -D -m 0644 "$here/../systemd/sessile.sysusers" "$root/usr/lib/sysusers.d/sessile.conf"
install -D -m 0644 "$here/node.toml" "$root/etc/sessile/node.toml"
install -D -m 0644 "$here/balancer.toml" "$root/etc/sessile/balancer.toml"
"$program" man "$root/usr/share/man/man1" >/dev/null
gzip -9n "$root"/usr/share/man/man1/*.1
complete() { mkdir -p "$(dirname "$root/$2")" && "$program" completions "$1" >"$root/$2"; }
complete bash usr/share/bash-completion/completions/sessile
complete zsh usr/share/zsh/vendor-completions/_sessile
complete fish usr/share/fish/vendor_completions.d/sessile.fish
install -D -m 0644 "$here/../../LICENSE-MIT" "$root/usr/share/doc/sessile/copyright"
install -D -m 0644 "$here/../../CHANGELOG.md" "$root/usr/share/doc/sessile/CHANGELOG.md"
gzip -9n "$root/usr/share/doc/sessile/CHANGELOG.md"
for file in sessile.yml; do
    install -D -m 0644 "$here/../prometheus/$file" "$root/usr/share/doc/sessile/examples/$file"
done
install -D -m 0644 "$here/../grafana/sessile.json" "$root/usr/share/doc/sessile/examples/grafana.json"

# The program says itself which C library it needs.
libc=$(grep -ao 'GLIBC_2\.[0-9]*' "$program" | sort -uV | tail -1 | cut -d_ -f2)
mkdir "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<CONTROL
Package: sessile
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: The Sessile developers <sessile@localhost>
Section: httpd
Priority: optional
Depends: libc6 (>= ${libc:-2.17}), libgcc-s1, passwd
Recommends: systemd
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)
Homepage: https://github.com/sessile/sessile
Description: application servers that copy each other's HTTP sessions
 A cluster of application servers that keep the sessions of web applications
 in memory, on every node. When a node stops or fails, another one answers the
 next request with the same session. The package holds the node, a balancer
 and the tools around them.
CONTROL
printf '/etc/sessile/%s\n' node.toml balancer.toml >"$root/DEBIAN/conffiles"
for script in postinst prerm postrm; do
    install -m 0755 "$here/$script" "$root/DEBIAN/$script"
done
mkdir -p "$out"
dpkg-deb --root-owner-group --build "$root" "$out/sessile_${version}_$(dpkg --print-architecture).deb"
