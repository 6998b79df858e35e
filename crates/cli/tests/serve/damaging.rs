//! Nodes with a full disk or a disk that damages data.
#![allow(clippy::print_stdout, reason = "a skipped test says so")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::harness::{Client, Running, Setup, until};
use crate::sharing::{fails, key, saved, unsaved};
use crate::{patient, read, write};

/// The stores that live on a node's own disk.
const OWN: [&str; 2] = ["file", "redb"];
/// What one large session takes, and how many of them fill the disk several times over.
const LARGE: usize = 400_000;
const TOO_MANY: usize = 60;

fn stored(kind: &str, more: &str) -> impl Fn(&str, String) -> String {
    let store = format!("[store]\nkind = \"{kind}\"\ninterval = \"10ms\"\n{more}");
    move |name, config| patient(name, config) + &store
}

#[track_caller]
fn write_large(client: &mut Client, setup: &Setup, v: usize) {
    let path = format!("/clusterapp/session?cmd=add&name=large&size={LARGE}&v={v}");
    let answer = client.post(setup.ports("tc01").http, &path);
    assert_eq!(answer.status, 200, "{v}: {answer:?}");
}

/// Starts a node in a mount namespace of its own, in which `folder` is a disk of 12 MB with a filler file on
/// it. `None` if the system does not allow that.
fn start_on_tiny_disk(setup: &Setup, folder: &Path) -> Option<Running> {
    let script =
        "mount -t tmpfs -o size=12m tmpfs \"$1\" && head -c 4000000 /dev/zero > \"$1/filler\" || exit 77
        exec \"$2\" serve --config tc01.toml";
    let unshared = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["-Urm", "sh", "-c", script, "sh"]).arg(folder).arg(env!("CARGO_BIN_EXE_sessile"));
        command.current_dir(setup.place());
        command
    };
    let probe = unshared("mount -t tmpfs -o size=1m tmpfs \"$1\"").output();
    if !probe.is_ok_and(|probe| probe.status.success()) {
        println!("SKIPPED: no file system can be mounted here");
        return None;
    }
    Some(Running::spawn(unshared(script)))
}

#[test]
fn a_full_disk_is_reported_and_sessions_stay_in_memory() {
    for kind in OWN {
        let setup = Setup::with(["tc01"], stored(kind, "path = \"disk/sessions\"\n"));
        let folder = setup.place().join("disk");
        fs::create_dir(&folder).expect("writable");
        let Some(mut node) = start_on_tiny_disk(&setup, &folder) else { return };
        let tc01 = setup.ports("tc01").http;
        until("it serves", || {
            let asked = setup.client().send(tc01, "GET", "/.sessile/ready", &[]);
            assert!(node.is_alive(), "{}", node.err());
            asked.is_ok_and(|answer| answer.status == 200).then_some(())
        });
        let mut clients: Vec<_> = (0..TOO_MANY).map(|_| setup.client()).collect();
        for (v, client) in clients.iter_mut().enumerate() {
            write_large(client, &setup, v);
        }
        until("it is told", || fails(&setup, "tc01").then_some(()));
        let warnings = setup.admin("tc01", "/status").json()["warnings"].to_string();
        assert!(warnings.contains("full") || warnings.contains("No space left"), "{kind}: {warnings}");
        assert!(unsaved(&setup, "tc01") > 0, "{kind}");
        for (v, client) in clients.iter_mut().enumerate() {
            let shown = client.get(tc01, "/clusterapp/session?cmd=show&name=large").json();
            assert_eq!(shown["v"], v, "{kind}");
        }
        // Most go, and there is room again: what was not saved is saved without anybody's help.
        for client in &mut clients[10..] {
            assert_eq!(client.post(tc01, "/clusterapp/session?cmd=invalidate").status, 200);
        }
        let beside = Path::new("/proc").join(node.id().to_string()).join("root");
        let folder = folder.strip_prefix("/").expect("it is absolute");
        fs::remove_file(beside.join(folder).join("filler")).expect("it was put there");
        saved(&setup, "tc01");
        assert!(node.is_alive() && !node.err().contains("panicked"), "{kind}: {}", node.err());
        node.signal("TERM");
        assert_eq!(node.ended(), Some(0), "{kind}: {}", node.err());
    }
}

#[test]
fn a_damaged_record_is_quarantined_and_all_others_are_loaded() {
    let mut setup = Setup::with(["tc01"], stored("file", ""));
    let tc01 = setup.ports("tc01").http;
    setup.serve("tc01");
    let mut clients: Vec<_> = (0..5).map(|_| setup.client()).collect();
    let keys: Vec<String> =
        clients.iter_mut().enumerate().map(|(v, client)| write(client, tc01, v as u64)).collect();
    saved(&setup, "tc01");
    setup.node("tc01").kill();
    flip(&setup.place().join("tc01.sessions"), &keys[2]);
    setup.serve("tc01");
    let found: Vec<_> = clients.iter_mut().map(|client| read(client, tc01)).collect();
    assert_eq!(found, [Some(0), Some(1), None, Some(3), Some(4)]);
    let log = setup.node("tc01").err();
    assert!(log.contains(&keys[2]) && log.contains("quarantine"), "{log}");
    write(&mut clients[2], tc01, 7);
    assert_eq!(read(&mut clients[2], tc01), Some(7), "a new session takes its place");
}

#[test]
fn a_torn_log_loses_only_the_interrupted_save() {
    let mut setup = Setup::with(["tc01"], stored("file", ""));
    let tc01 = setup.ports("tc01").http;
    setup.serve("tc01");
    let mut clients: Vec<_> = (0..5).map(|_| setup.client()).collect();
    for (v, client) in clients.iter_mut().enumerate() {
        write(client, tc01, v as u64);
        saved(&setup, "tc01");
    }
    setup.node("tc01").kill();
    let segment = segments(&setup.place().join("tc01.sessions")).pop().expect("one segment");
    let whole = fs::read(&segment).expect("readable");
    let length = whole.iter().rposition(|byte| *byte != 0).expect("it holds something");
    fs::write(&segment, &whole[..length - 20]).expect("writable");
    setup.serve("tc01");
    let found: Vec<_> = clients.iter_mut().map(|client| read(client, tc01)).collect();
    assert_eq!(found, [Some(0), Some(1), Some(2), Some(3), None]);
}

#[test]
fn an_encrypted_store_has_no_plain_text_on_disk() {
    for kind in OWN {
        for more in ["", "key_file = \"store.key\"\n"] {
            let mut setup = Setup::with(["tc01"], stored(kind, more));
            key(setup.place());
            let tc01 = setup.ports("tc01").http;
            setup.serve("tc01");
            let mut client = setup.client();
            let path = "/clusterapp/session?cmd=add&name=umbrella&size=64&v=7";
            assert_eq!(client.post(tc01, path).status, 200);
            saved(&setup, "tc01");
            setup.node("tc01").kill();
            let ending = if kind == "file" { "sessions" } else { "redb" };
            let shown = shows(&setup.place().join(format!("tc01.{ending}")), b"umbrella");
            assert_eq!(shown, more.is_empty(), "{kind}");
            setup.serve("tc01");
            let shown = client.get(tc01, "/clusterapp/session?cmd=show&name=umbrella").json();
            assert_eq!(shown["v"], 7, "{kind}");
        }
    }
}

/// Whether a file, or one in this folder, holds these bytes.
fn shows(path: &Path, wanted: &[u8]) -> bool {
    let holds = |path: &Path| {
        let bytes = fs::read(path).expect("readable");
        bytes.windows(wanted.len()).any(|window| window == wanted)
    };
    if path.is_dir() { segments(path).iter().any(|path| holds(path)) } else { holds(path) }
}

/// The files of a file store, in order.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("readable").path());
    let mut files: Vec<_> = entries.filter(|path| path.is_file() && path.extension().is_some()).collect();
    files.sort();
    files
}

/// Changes one bit of the record of this session.
fn flip(folder: &Path, key: &str) {
    let key = URL_SAFE_NO_PAD.decode(key).expect("a key");
    for path in segments(folder) {
        let mut bytes = fs::read(&path).expect("readable");
        let places: Vec<_> = bytes
            .windows(16)
            .enumerate()
            .filter(|(_, window)| *window == key)
            .map(|(place, _)| place)
            .collect();
        // The second place is the record; the first is the head of its frame.
        if let Some(place) = places.get(1) {
            bytes[place + 17] ^= 1;
            fs::write(&path, bytes).expect("writable");
            return;
        }
    }
    panic!("no segment holds it");
}
