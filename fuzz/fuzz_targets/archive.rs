//! Any bytes as an archive that somebody dropped in: it is refused with a reason or unpacked below its own directory,
//! within its bounds, and never a panic.
//!
//! `cargo fuzz run archive` (nightly, or `RUSTC_BOOTSTRAP=1` on stable).

#![no_main]

use std::fs;

use libfuzzer_sys::fuzz_target;
use sessile_apps::archive::{Archive, ArchiveName, Bounds};

fuzz_target!(|input: &[u8]| {
    // The first byte says what its name is; a name of the input's own is read, too.
    let Some((kind, content)) = input.split_first() else { return };
    if let Ok(text) = std::str::from_utf8(content) {
        let _ = text.parse::<ArchiveName>();
    }
    let name: ArchiveName =
        if kind % 4 == 0 { "shop.wasm" } else { "shop.zip" }.parse().expect("a good name");
    let place = tempfile::tempdir().expect("a temporary directory");
    let (file, room) = (place.path().join("archive"), place.path().join("room"));
    fs::create_dir(&room).expect("a new directory");
    fs::write(&file, content).expect("writable");
    let opened = Archive::open(&file, &name, &room, Bounds { unpacked_bytes: 1 << 20, files: 100 });
    let left = fs::read_dir(place.path()).expect("readable").count();
    assert_eq!(left, 2, "something was written outside");
    if opened.is_err() {
        assert_eq!(
            fs::read_dir(&room).expect("readable").count(),
            0,
            "something is left of a refused archive"
        );
    }
});
