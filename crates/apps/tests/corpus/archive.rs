//! Any bytes as an archive that somebody dropped in: it is refused with a reason or unpacked below its own
//! directory, within its bounds, and never a panic.

use std::fs;

use sessile_apps::archive::{Archive, ArchiveLimits, ArchiveName};

/// The first byte says what the archive's name is; a name of the input's own is read, too.
pub(crate) fn archive(input: &[u8]) {
    let Some((kind, content)) = input.split_first() else { return };
    if let Ok(text) = std::str::from_utf8(content) {
        let _ = text.parse::<ArchiveName>();
    }
    let name = if kind % 4 == 0 { "shop.wasm" } else { "shop.zip" };
    let place = tempfile::tempdir().expect("a temporary directory");
    let (file, room) = (place.path().join("archive"), place.path().join("room"));
    fs::create_dir(&room).expect("a new directory");
    fs::write(&file, content).expect("writable");
    let bounds = ArchiveLimits { unpacked_bytes: 1 << 20, files: 100 };
    let opened = Archive::open(&file, &name.parse().expect("a good name"), &room, bounds);
    let count = |directory| fs::read_dir(directory).expect("readable").count();
    assert_eq!(count(place.path()), 2, "something was written outside");
    assert!(opened.is_ok() || count(&room) == 0, "something is left of a refused archive");
}
