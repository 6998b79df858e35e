//! Applications that are deployed while nodes run: on one of them, and then on all.

use std::io::{Cursor, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::harness::{Answer, Running, Setup, until};
use crate::operating::{succeeds, verb};

/// A node with a farm that watches `NAME.webapps`, and notices changes soon.
pub(crate) fn farmer(name: &str, config: String) -> String {
    let farm = format!("[farm]\nwatch_dir = \"{name}.webapps\"\ninterval = \"100ms\"\n[[app]]");
    config.replace("[[app]]", &farm)
}

/// The same with pieces so small that a transfer takes a while.
fn slow_farmer(name: &str, config: String) -> String {
    farmer(name, config).replace("[farm]", "[farm]\npiece_bytes = \"1KiB\"")
}

pub(crate) fn setup<const N: usize>(
    names: [&'static str; N],
    change: impl Fn(&str, String) -> String,
) -> Setup {
    let setup = Setup::with(names, change);
    for name in names {
        std::fs::create_dir(setup.place().join(format!("{name}.webapps"))).expect("a new directory");
    }
    setup
}

pub(crate) fn pair(change: impl Fn(&str, String) -> String) -> Setup {
    let mut setup = setup(["tc01", "tc02"], change);
    setup.serve("tc01");
    setup.serve("tc02");
    until("both see each other", || (setup.members("tc01").len() == 2).then_some(()));
    setup
}

/// An archive whose only page says `words`, and which is at least so large.
pub(crate) fn archive(words: &str, bytes: usize) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut filler = vec![0; bytes];
    getrandom::fill(&mut filler).expect("random bytes");
    for (name, content) in [
        ("app.toml", &b"manifest = 1\n"[..]),
        ("static/index.html", words.as_bytes()),
        ("static/filler", &filler),
    ] {
        zip.start_file(name, SimpleFileOptions::default()).expect("a name");
        zip.write_all(content).expect("memory");
    }
    zip.finish().expect("memory").into_inner()
}

pub(crate) fn write(place: &Path, name: &str, content: &[u8]) -> PathBuf {
    let file = place.join(name);
    std::fs::write(&file, content).expect("writable");
    file
}

fn ask(setup: &Setup, at: SocketAddr, path: &str) -> Answer {
    setup.client().send(at, "GET", path, &[]).expect("it answers")
}

/// What the page of `/shop` says on that node; `None` where there is none.
pub(crate) fn shop(setup: &Setup, name: &str) -> Option<String> {
    let answer = ask(setup, setup.ports(name).http, "/shop/");
    assert_eq!(answer.header("set-cookie"), None);
    (answer.status == 200).then_some(answer.text)
}

pub(crate) fn says(setup: &Setup, names: &[&str], words: Option<&str>) {
    for name in names {
        until(&format!("{name} says {words:?}"), || (shop(setup, name).as_deref() == words).then_some(()));
    }
}

/// The files that a node has of archives that arrive or were unpacked.
fn temporary(setup: &Setup, name: &str) -> Vec<String> {
    let temp = setup.place().join(format!("{name}.apps/temp"));
    let entries = std::fs::read_dir(temp).into_iter().flatten();
    entries.map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn a_deployed_archive_runs_on_all_nodes_until_it_is_removed() {
    let setup = pair(farmer);
    write(setup.place(), "shop##001.zip", &archive("first", 0));
    write(setup.place(), "shop##002.zip", &archive("second", 0));
    let told = succeeds(&setup, &["deploy", "shop##001.zip", "--config", "tc01.toml"]);
    assert!(told.contains("deployed through tc01") && told.contains("tc02             active"), "{told}");
    assert!(told.contains("  granted static                 files only: no code, no sessions\n"), "{told}");
    // Nor for what the other nodes show.
    for name in ["tc01", "tc02"] {
        let table = succeeds(&setup, &["apps", name]);
        assert!(table.contains("tc01, tc02\n") || table.contains("tc02, tc01\n"), "{table}");
    }
    // No waiting: the verb has done so.
    assert_eq!(shop(&setup, "tc01").as_deref(), Some("first"));
    assert_eq!(shop(&setup, "tc02").as_deref(), Some("first"));
    let tag = ask(&setup, setup.ports("tc01").http, "/shop/").header("etag").map(str::to_owned);
    assert_eq!(ask(&setup, setup.ports("tc02").http, "/shop/").header("etag").map(str::to_owned), tag);

    succeeds(&setup, &["deploy", "shop##002.zip", "--config", "tc02"]);
    assert_eq!(
        [shop(&setup, "tc01"), shop(&setup, "tc02")],
        [Some("second".to_owned()), Some("second".to_owned())]
    );
    let table = succeeds(&setup, &["apps", "tc01"]);
    assert!(table.contains("tc01, tc02\n"), "{table}");
    assert!(table.contains("/shop            002"), "{table}");
    assert!(table.contains("/clusterapp      by the configuration of tc01"), "{table}");
    assert!(succeeds(&setup, &["status", "tc01"]).contains("/shop            002"));

    succeeds(&setup, &["rollback", "/shop", "--config", "tc01"]);
    assert_eq!(
        [shop(&setup, "tc01"), shop(&setup, "tc02")],
        [Some("first".to_owned()), Some("first".to_owned())]
    );
    for name in ["tc01", "tc02"] {
        let (code, _, err) = verb(&setup, &["rollback", "/shop", "--config", name]);
        let words = ["/shop went back already, to shop##001.zip", "would go forward to shop##002.zip"];
        assert!(code == 1 && words.iter().all(|words| err.contains(words)), "{code} {err}");
    }
    let told = succeeds(&setup, &["undeploy", "/shop", "--config", "tc02"]);
    assert!(told.contains("tc01             removed\n") && !told.contains("active"), "{told}");
    assert_eq!([shop(&setup, "tc01"), shop(&setup, "tc02")], [None, None]);
    let (code, _, err) = verb(&setup, &["undeploy", "/shop", "--config", "tc02"]);
    assert!(code == 1 && err.contains("the farm has no application at /shop"), "{code} {err}");
    for name in ["tc01", "tc02"] {
        until("nothing is left of it", || temporary(&setup, name).is_empty().then_some(()));
    }
}

#[test]
fn a_watched_directory_is_followed() {
    let setup = pair(farmer);
    let both = ["tc01", "tc02"];
    let webapps = setup.place().join("tc01.webapps");
    let file = write(&webapps, "shop.zip", &archive("first", 0));
    says(&setup, &both, Some("first"));
    write(&webapps, "shop.zip", &archive("second, and longer", 9));
    says(&setup, &both, Some("second, and longer"));
    // It stays what it is, although the directory has another one.
    succeeds(&setup, &["rollback", "/shop", "--config", "tc02"]);
    assert_eq!(shop(&setup, "tc01").as_deref(), Some("first"));
    write(&webapps, "shop.zip", &archive("third", 0));
    says(&setup, &both, Some("third"));
    // Another archive of the same size and time, as `rsync -t` and image layers bring it.
    let (time, size) = std::fs::metadata(&file).map(|it| (it.modified().unwrap(), it.len())).unwrap();
    let other = archive("tHird", 0);
    assert_eq!(other.len() as u64, size);
    let draft = write(setup.place(), "draft.zip", &other);
    std::fs::File::options().write(true).open(&draft).unwrap().set_modified(time).unwrap();
    std::fs::rename(draft, &file).unwrap();
    says(&setup, &both, Some("tHird"));
    std::fs::remove_file(file).unwrap();
    says(&setup, &both, None);
}

#[test]
fn an_unwatched_directory_deploys_nothing() {
    let setup = pair(|name, config| match name {
        "tc01" => farmer(name, config).replace("[farm]", "[farm]\nwatch = false"),
        _ => farmer(name, config),
    });
    write(&setup.place().join("tc01.webapps"), "shop.zip", &archive("unseen", 0));
    write(&setup.place().join("tc02.webapps"), "other.zip", &archive("seen", 0));
    for name in ["tc01", "tc02"] {
        let at = setup.ports(name).http;
        until("the watched one is there", || (ask(&setup, at, "/other/").text == "seen").then_some(()));
        assert_eq!(shop(&setup, name), None);
    }
}

#[test]
fn a_bad_archive_is_refused_and_the_old_version_stays() {
    let mut setup = pair(farmer);
    let good = archive("good", 0);
    write(setup.place(), "shop.zip", &good);
    succeeds(&setup, &["deploy", "shop.zip", "--config", "tc01"]);
    for (content, words) in [
        (&good[..good.len() / 2], "not a readable zip"),
        (&b"nonsense"[..], "not a readable zip"),
        (&b""[..], "the body is empty"),
    ] {
        write(setup.place(), "shop.zip", content);
        let (code, _, err) = verb(&setup, &["deploy", "shop.zip", "--config", "tc01"]);
        assert!(code == 1 && err.contains(words), "{code} {err}");
    }
    write(setup.place(), "clusterapp.zip", &good);
    let (code, _, err) = verb(&setup, &["deploy", "clusterapp.zip", "--config", "tc01"]);
    assert!(code == 1 && err.contains("an application of this node's configuration"), "{err}");
    write(setup.place(), "shop.cwasm", b"compiled");
    let (code, _, err) = verb(&setup, &["deploy", "shop.cwasm", "--config", "tc01"]);
    assert!(code == 1 && err.contains("compiled code is never accepted"), "{err}");
    write(setup.place(), "shop.wasm", b"\0asm\x01\0\0\0");
    let (code, _, err) = verb(&setup, &["deploy", "shop.wasm", "--config", "tc01"]);
    assert!(code == 1 && err.contains("core module"), "{err}");
    write(&setup.place().join("tc02.webapps"), "shop.zip", b"nonsense");
    setup.node("tc02").says("not deployed: the old version stays");
    assert_eq!(
        [shop(&setup, "tc01"), shop(&setup, "tc02")],
        [Some("good".to_owned()), Some("good".to_owned())]
    );
    let unguarded =
        setup.client().send(setup.ports("tc01").admin, "POST", "/apps/undeploy?path=/shop", &[]).unwrap();
    assert_eq!(unguarded.status, 401, "deploying is running code: it wants the token");
}

#[test]
fn no_request_fails_while_versions_change() {
    let setup = pair(farmer);
    write(setup.place(), "shop.zip", &archive("version 0", 0));
    succeeds(&setup, &["deploy", "shop.zip", "--config", "tc01"]);
    let (over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let browsers = ["tc01", "tc02"].into_iter().map(|name| {
        let (over, asked, at, mut client) =
            (over.clone(), asked.clone(), setup.ports(name).http, setup.client());
        std::thread::spawn(move || {
            while !over.load(SeqCst) {
                let answer = client.get(at, "/shop/");
                assert!(answer.status == 200 && answer.text.starts_with("version "), "{answer:?}");
                asked.fetch_add(1, SeqCst);
            }
        })
    });
    let browsers: Vec<_> = browsers.collect();
    for version in 1..6 {
        let before = asked.load(SeqCst);
        write(setup.place(), "shop.zip", &archive(&format!("version {version}"), 100_000));
        succeeds(&setup, &["deploy", "shop.zip", "--config", "tc01"]);
        until("requests ran meanwhile", || (asked.load(SeqCst) > before + 5).then_some(()));
    }
    over.store(true, SeqCst);
    browsers.into_iter().for_each(|browser| browser.join().expect("no request failed"));
    assert_eq!(shop(&setup, "tc02").as_deref(), Some("version 5"));
}

#[test]
fn a_late_node_catches_up_before_it_serves_and_a_restarted_one_keeps_its_archives() {
    let mut setup = setup(["tc01", "tc02"], farmer);
    setup.serve("tc01");
    write(setup.place(), "shop.zip", &archive("hello", 300_000));
    succeeds(&setup, &["deploy", "shop.zip", "--config", "tc01"]);
    setup.serve("tc02");
    assert_eq!(shop(&setup, "tc02").as_deref(), Some("hello"));
    // Removed while one of them is away.
    setup.node("tc02").kill();
    until("tc02 is missed", || (setup.members("tc01").len() == 1).then_some(()));
    succeeds(&setup, &["undeploy", "/shop", "--config", "tc01"]);
    setup.serve("tc02");
    assert_eq!(shop(&setup, "tc02"), None);
    succeeds(&setup, &["deploy", "shop.zip", "--path", "/shop/new", "--config", "tc01"]);
    assert_eq!(ask(&setup, setup.ports("tc02").http, "/shop/new/").text, "hello");
    setup.node("tc01").kill();
    setup.node("tc02").kill();
    setup.serve("tc02");
    assert_eq!(ask(&setup, setup.ports("tc02").http, "/shop/new/").text, "hello", "it was kept");
}

#[test]
fn a_killed_sender_leaves_no_partial_deployment() {
    let mut setup = pair(slow_farmer);
    write(setup.place(), "shop.zip", &archive("old", 0));
    succeeds(&setup, &["deploy", "shop.zip", "--config", "tc01"]);
    write(setup.place(), "shop.zip", &archive("new", 8 << 20));
    let mut deploying = setup.order(&["deploy", "shop.zip", "--config", "tc01"]);
    until("tc02 has a part of it", || {
        temporary(&setup, "tc02").iter().any(|name| name.ends_with(".part")).then_some(())
    });
    setup.node("tc01").kill();
    assert_eq!(deploying.ended(), Some(1), "{}", deploying.err());
    until("tc02 has dropped its part", || {
        (!temporary(&setup, "tc02").iter().any(|name| name.ends_with(".part"))).then_some(())
    });
    assert_eq!(shop(&setup, "tc02").as_deref(), Some("old"));
    setup.serve("tc01");
    assert_eq!(shop(&setup, "tc01").as_deref(), Some("old"), "it was not committed");
    succeeds(&setup, &["deploy", "shop.zip", "--config", "tc01"]);
    assert_eq!(
        [shop(&setup, "tc01"), shop(&setup, "tc02")],
        [Some("new".to_owned()), Some("new".to_owned())]
    );
}

#[test]
fn a_killed_receiver_does_not_block_a_deployment_and_catches_up() {
    let mut setup = pair(slow_farmer);
    write(setup.place(), "shop.zip", &archive("new", 8 << 20));
    let mut deploying = setup.order(&["deploy", "shop.zip", "--config", "tc01"]);
    until("tc02 has a part of it", || {
        temporary(&setup, "tc02").iter().any(|name| name.ends_with(".part")).then_some(())
    });
    setup.node("tc02").kill();
    assert_eq!(deploying.ended(), Some(0), "{}", deploying.err());
    assert!(deploying.out().contains("tc02             left"), "{}", deploying.out());
    assert_eq!(shop(&setup, "tc01").as_deref(), Some("new"));
    setup.serve("tc02");
    assert_eq!(shop(&setup, "tc02").as_deref(), Some("new"));
}

#[test]
fn differing_nodes_are_reported() {
    let mut setup = setup(["tc01", "tc02"], |name, config| match name {
        "tc02" => farmer(name, config).replace("[farm]", "[farm]\ncatch_up = false"),
        _ => farmer(name, config),
    });
    setup.serve("tc01");
    write(setup.place(), "shop.zip", &archive("hello", 0));
    succeeds(&setup, &["deploy", "shop.zip", "--config", "tc01"]);
    setup.serve("tc02");
    assert_eq!(shop(&setup, "tc02"), None, "it does not catch up");
    let shown = until("the difference is told", || {
        let shown = succeeds(&setup, &["status", "tc01"]);
        shown.contains("members disagree about /shop: tc01 runs ").then_some(shown)
    });
    assert!(shown.contains("tc02 runs nothing") && shown.contains("tc01, tc02: nothing"), "{shown}");
    let metrics = ask(&setup, setup.ports("tc01").admin, "/metrics").text;
    assert!(
        metrics.contains("sessile_farm_apps 1\n") && metrics.contains("sessile_farm_disagreements 1\n"),
        "{metrics}"
    );
}

#[test]
fn files_and_archives_of_the_configuration_are_mounted_at_the_start() {
    let apps =
        "[[app]]\npath = \"/docs\"\ndirectory = \"public\"\n[[app]]\npath = \"/old\"\nfile = \"shop.zip\"\n";
    let mut setup = Setup::with(["tc01", "bad"], |_, config| config + apps);
    std::fs::create_dir(setup.place().join("public")).unwrap();
    write(setup.place(), "public/a.txt", b"a text");
    write(setup.place(), "shop.zip", &archive("hello", 0));
    setup.serve("tc01");
    let http = setup.ports("tc01").http;
    assert_eq!(ask(&setup, http, "/docs/a.txt").text, "a text");
    assert_eq!(ask(&setup, http, "/old/").text, "hello");
    assert_eq!(ask(&setup, http, "/docs/../cluster.secret").status, 404);
    let (code, _, err) = verb(&setup, &["deploy", "shop.zip", "--config", "tc01"]);
    assert!(code == 1 && err.contains("is not part of a farm"), "{err}");
    write(setup.place(), "shop.zip", &archive("large", 8 << 20));
    let (code, _, err) = verb(&setup, &["deploy", "shop.zip", "--config", "tc01.toml"]);
    assert!(code == 1 && err.contains("is not part of a farm"), "also for a client that sends much: {err}");
    write(setup.place(), "shop.zip", b"nonsense");
    let mut bad = Running::start(setup.place(), ["serve", "--config", "bad.toml"]);
    assert_eq!(bad.ended(), Some(1));
    assert!(
        bad.err().contains("the application at /old: ") && bad.err().contains("not a readable zip"),
        "{}",
        bad.err()
    );
}

/// The guest of the tests, where it is built:
/// `cargo run --manifest-path samples/builder/Cargo.toml -- probe`.
#[cfg(feature = "wasm")]
fn component() -> Option<Vec<u8>> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/guests/probe.wasm");
    let found = std::fs::read(&file).ok();
    let required = std::env::var_os("SESSILE_REQUIRE_EXTERNAL").is_some();
    assert!(
        found.is_some() || !required,
        "SESSILE_REQUIRE_EXTERNAL is set, and {} is not built",
        file.display()
    );
    if found.is_none() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: {} is not built", file.display());
    }
    found
}

#[cfg(feature = "wasm")]
#[test]
fn sessions_of_a_component_survive_its_versions_and_its_nodes() {
    let Some(component) = component() else { return };
    let mut setup = pair(farmer);
    let mut user = setup.client();
    let [tc01, tc02] = ["tc01", "tc02"].map(|name| setup.ports(name).http);
    let mut count = |at| user.get(at, "/shop/count").json()["count"].as_u64();
    write(setup.place(), "shop##001.wasm", &component);
    succeeds(&setup, &["deploy", "shop##001.wasm", "--config", "tc01"]);
    assert_eq!([count(tc01), count(tc02)], [Some(1), Some(2)], "on both nodes");
    // The same code under another name would be the same archive: it needs other bytes.
    let mut next = component;
    next.extend([0, 2, 1, b'x']); // an empty custom section
    write(setup.place(), "shop##002.wasm", &next);
    succeeds(&setup, &["deploy", "shop##002.wasm", "--config", "tc02"]);
    assert!(succeeds(&setup, &["apps", "tc01"]).contains("/shop            002"));
    assert_eq!([count(tc01), count(tc02)], [Some(3), Some(4)], "its sessions are those of the path");
    let broken = [&next[..next.len() / 2], &[0xff; 64]].concat();
    write(setup.place(), "shop##003.wasm", &broken);
    let (code, _, err) = verb(&setup, &["deploy", "shop##003.wasm", "--config", "tc01"]);
    assert!(
        code == 1 && err.contains("tc01 refused the archive: the component cannot be compiled"),
        "{code} {err}"
    );
    assert_eq!(count(tc02), Some(5), "the one before goes on");
    setup.node("tc01").kill();
    assert_eq!(count(tc02), Some(6), "and the other node");
}
