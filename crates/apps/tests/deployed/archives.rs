//! Malicious and broken archives.

use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use proptest::prelude::*;
use sessile_apps::archive::{Archive, ArchiveError, ArchiveLimits};
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::zips::{MANIFEST, zip};

const BOUNDS: ArchiveLimits = ArchiveLimits { unpacked_bytes: 1 << 20, files: 20 };

/// A directory with an archive of that name, and the room that it is unpacked in.
fn open(name: &str, bytes: &[u8]) -> (TempDir, Result<Archive, ArchiveError>) {
    let place = tempfile::tempdir().unwrap();
    let temp = place.path().join("room");
    fs::create_dir(&temp).unwrap();
    fs::write(place.path().join("archive"), bytes).unwrap();
    let opened = Archive::open(&place.path().join("archive"), &name.parse().unwrap(), &temp, BOUNDS);
    (place, opened)
}

#[track_caller]
fn refused(name: &str, bytes: &[u8], words: &str) {
    let (place, opened) = open(name, bytes);
    let error = opened.expect_err(words).to_string();
    assert!(error.contains(words), "{words}: {error}");
    assert_eq!(below(place.path()), ["archive", "room"], "something is left of it");
}

/// Everything below a directory.
fn below(place: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![place.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            found.push(entry.path().strip_prefix(place).unwrap().display().to_string());
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn files_are_unpacked_and_removed_again() {
    let bytes = zip([MANIFEST, ("static/index.html", b"hello"), ("static/a/b.css", b"x"), ("README", b"y")]);
    let (place, opened) = open("shop.zip", &bytes);
    let archive = opened.unwrap();
    let files = archive.files.as_ref().unwrap().path();
    assert_eq!(
        below(files),
        ["static", "static/a", "static/a/b.css", "static/index.html"],
        "and nothing else"
    );
    assert_eq!(fs::read(files.join("static/index.html")).unwrap(), b"hello");
    drop(archive);
    assert_eq!(below(place.path()), ["archive", "room"]);
}

#[test]
fn components_are_recognised() {
    let component = b"\0asm\x0d\0\x01\0rest";
    assert_eq!(open("shop.wasm", component).1.unwrap().component.unwrap(), &component[..]);
    let inside = zip([("app.wasm", &component[..])]);
    assert_eq!(open("shop.wapp", &inside).1.unwrap().component.unwrap(), &component[..]);
    refused("shop.wasm", b"\0asm\x01\0\0\0rest", "`shop.wasm` is a core module");
    refused("shop.wasm", b"#!/bin/sh", "is not a WebAssembly component");
    refused("shop.zip", &zip([("app.wasm", &b"\0asm\x01\0\0\0"[..])]), "`app.wasm` is a core module");
}

#[test]
fn dangerous_archives_are_refused_with_the_name_of_the_entry() {
    for (entry, words) in [
        ("../outside", "`../outside` has an empty part, `.` or `..`"),
        ("static/../../outside", "has an empty part, `.` or `..`"),
        ("/etc/passwd", "`/etc/passwd` has an absolute name"),
        ("static\\..\\x", "has a backslash"),
        ("static/app.cwasm", "`static/app.cwasm` is compiled code"),
    ] {
        refused("shop.zip", &zip([MANIFEST, (entry, b"x")]), words);
    }
    let mut linked = ZipWriter::new(Cursor::new(Vec::new()));
    linked.add_symlink("static/link", "/etc/passwd", SimpleFileOptions::default()).unwrap();
    refused("shop.zip", &linked.finish().unwrap().into_inner(), "`static/link` is a link");
    let mut doubled = zip([MANIFEST, ("static/a", b"1"), ("static/b", b"2")]);
    while let Some(at) = doubled.windows(8).position(|part| part == b"static/b") {
        doubled[at + 7] = b'a';
    }
    refused("shop.zip", &doubled, "duplicate file names");
    refused("shop.zip", &zip([("static/a", &b""[..])]), "neither `app.toml` nor `app.wasm`");
    refused("shop.zip", &zip([MANIFEST]), "neither `app.toml` nor `app.wasm`");
    refused("shop.zip", &zip([("app.toml", &b"manifest = 1\n[sesion]"[..])]), "did you mean `session`?");
    refused("shop.zip", b"PK\x03\x04 no zip", "not a readable zip");
}

#[test]
fn limits_are_enforced_while_inflating() {
    let many: Vec<_> = (0..30).map(|number| format!("static/{number}")).collect();
    let files = many.iter().map(|name| (name.as_str(), &b""[..]));
    refused("shop.zip", &zip(files.chain([MANIFEST])), "31 files are more than the 20");
    let bomb = vec![0; 2 << 20];
    let archive = zip([MANIFEST, ("static/bomb", &bomb)]);
    assert!(archive.len() < 10_000, "it is small before it is inflated");
    refused("shop.zip", &archive, "`static/bomb`");
    refused("shop.wasm", &bomb, "larger than the 1048576 bytes");
    // Its header lies about the size.
    let mut lying = zip([MANIFEST, ("static/bomb", &bomb)]);
    let size = (2_u32 << 20).to_le_bytes();
    while let Some(at) = lying.windows(4).position(|part| part == size) {
        lying[at..at + 4].copy_from_slice(&5_u32.to_le_bytes());
    }
    refused("shop.zip", &lying, "");
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        let (place, opened) = open("shop.zip", &bytes);
        prop_assert!(opened.is_err());
        prop_assert_eq!(below(place.path()), ["archive", "room"]);
    }

    #[test]
    fn a_mutated_archive_writes_nothing_outside(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = zip([MANIFEST, ("static/index.html", b"hello"), ("static/../b", b"x")]);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let (place, opened) = open("shop.zip", &bytes);
        for path in below(place.path()) {
            prop_assert!(path == "archive" || path.starts_with("room"), "{} is outside", path);
        }
        drop(opened);
        prop_assert_eq!(below(place.path()), ["archive", "room"]);
    }
}

#[test]
fn a_truncated_archive_leaves_no_files() {
    let mut whole = Cursor::new(Vec::new());
    whole.write_all(&zip([MANIFEST, ("static/index.html", &[7; 5000])])).unwrap();
    let whole = whole.into_inner();
    for length in (0..whole.len()).step_by(7) {
        let (place, opened) = open("shop.zip", &whole[..length]);
        assert!(opened.is_err(), "{length}");
        assert_eq!(below(place.path()), ["archive", "room"]);
    }
}

/// The record at the end of a zip alone decides: nothing of the directory before it is parsed.
#[test]
fn too_many_entries_are_refused_before_their_directory_is_read() {
    let mut bytes = zip([MANIFEST, ("static/index.html", b"hello")]);
    let end = bytes.len() - 22;
    for count in [end + 8, end + 10] {
        bytes[count..count + 2].copy_from_slice(&60_000_u16.to_le_bytes());
    }
    refused("shop.zip", &bytes, "60000 files are more than the 20 of [farm] max_files");
    bytes[100..end].fill(0);
    refused("shop.zip", &bytes, "60000 files are more than the 20 of [farm] max_files");
    let zip64 = [&bytes[..end], &b"PK\x06\x07"[..], &[0; 16], &bytes[end..]].concat();
    refused("shop.zip", &zip64, "ZIP64");
}
