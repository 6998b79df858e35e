#!/usr/bin/env python3
"""Checks each crate that is published: what its registry page needs, and what its package holds.

cargo metadata --no-deps --format-version 1 | .ci/packages.py
"""
import json
import pathlib
import subprocess
import sys

NEEDED = ("description", "license", "repository", "readme", "keywords", "categories", "rust_version")
# Those that are used here.
CATEGORIES = {"web-programming", "network-programming", "asynchronous", "command-line-utilities", "database", "caching",
              "web-programming::http-server", "encoding", "data-structures", "development-tools::testing", "config", "parser-implementations"}


def problems_of(package):
    name = package["name"]
    for field in NEEDED:
        if not package.get(field):
            yield f"{name}: Cargo.toml gives no {field}"
    if len(package["keywords"]) > 5 or any(len(word) > 20 for word in package["keywords"]):
        yield f"{name}: at most 5 keywords of at most 20 characters"
    for category in package["categories"]:
        if category not in CATEGORIES:
            yield f"{name}: {category} is not a category"
    place = pathlib.Path(package["manifest_path"]).parent
    listed = subprocess.run(["cargo", "package", "--list", "--allow-dirty", "--locked", "-p", name], capture_output=True,
                            text=True, cwd=place)
    if listed.returncode != 0:
        yield f"{name}: cargo package --list: {listed.stderr.strip()}"
        return
    files = set(listed.stdout.split())
    for wanted in ("Cargo.toml", "README.md", "src/lib.rs"):
        if wanted not in files:
            yield f"{name}: its package lacks {wanted}"


def main():
    packages = [p for p in json.load(sys.stdin)["packages"] if p["publish"] is None]
    found = [problem for package in packages for problem in problems_of(package)]
    print("\n".join(found) if found else f"packages: {len(packages)} crates have what a registry needs")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
