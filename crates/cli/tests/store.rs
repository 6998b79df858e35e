//! `sessile store` as a process, on file and redb stores.

mod program;

use std::fs;
use std::path::Path;

use program::{Done, run, scratch};
use sessile::store::{FileOptions, FileStore, KeyRing, RedbOptions, RedbStore, Store};
use tempfile::TempDir;

/// Two sessions and an ended one, as `export` writes them.
const SESSIONS: &str = include_str!("golden/sessions.jsonl");
/// The keys of the three.
const KEYS: [&str; 3] = ["AQEBAQEBAQEBAQEBAQEBAQ", "AgICAgICAgICAgICAgICAg", "AwMDAwMDAwMDAwMDAwMDAw"];
/// The stores that live in a directory.
const EMBEDDED: [&str; 2] = ["file:sessions", "redb:sessions.redb"];

/// A directory with the sessions imported into `store`.
#[track_caller]
fn filled(store: &str) -> TempDir {
    let place = scratch([("sessions.jsonl", SESSIONS)]);
    let done = run(&place, ["store", "import", "sessions.jsonl", "--store", store]);
    assert_eq!((done.code, done.out.as_str()), (0, "saved 3, superseded 0, failed 0\n"), "{}", done.err);
    place
}

fn verb<const N: usize>(place: &TempDir, verb: &str, store: &str, more: [&str; N]) -> Done {
    run(place, ["store", verb, "--store", store].into_iter().chain(more))
}

#[test]
fn export_and_import_round_trip_byte_for_byte() {
    for store in EMBEDDED {
        let place = filled(store);
        let exported = verb(&place, "export", store, []);
        assert_eq!((exported.code, exported.err.as_str()), (0, "exported 3 records\n"));
        golden("sessions.jsonl", &exported.out);

        let written = verb(&place, "export", store, ["--output", "out.jsonl", "--app", "/shop"]);
        assert_eq!((written.code, written.out.as_str()), (0, ""), "{}", written.err);
        let shop: String =
            SESSIONS.lines().filter(|line| line.contains("/shop")).map(|line| format!("{line}\n")).collect();
        assert_eq!(fs::read_to_string(place.path().join("out.jsonl")).expect("it was written"), shop);
        let again = verb(&place, "export", store, ["--output", "out.jsonl"]);
        assert_eq!(again.code, 1);
        assert!(again.err.contains("never overwrites"), "{}", again.err);
    }
}

#[test]
fn sessions_are_listed_in_pages() {
    for store in EMBEDDED {
        let place = filled(store);
        let listed = verb(&place, "ls", store, []);
        assert_eq!((listed.code, listed.err.as_str()), (0, ""));
        golden("store-ls.txt", &listed.out);

        let first = verb(&place, "ls", store, ["--json", "--limit", "1"]);
        assert!(first.out.contains(KEYS[0]) && !first.out.contains(KEYS[1]), "{}", first.out);
        assert!(first.err.contains(&format!("--after {}", KEYS[0])), "{}", first.err);
        let rest = verb(&place, "ls", store, ["--json", "--after", KEYS[0], "--app", "/shop"]);
        assert_eq!((rest.code, rest.err.as_str()), (0, ""));
        let row: serde_json::Value = serde_json::from_str(&rest.out).expect("one line");
        assert_eq!((row["key"].as_str(), row["ended"].as_bool()), (Some(KEYS[2]), Some(true)));
    }
}

#[test]
fn show_hides_values_unless_requested() {
    let place = filled(EMBEDDED[0]);
    let shown = verb(&place, "show", EMBEDDED[0], [KEYS[0]]);
    assert_eq!((shown.code, shown.err.as_str()), (0, ""));
    golden("store-show.txt", &shown.out);
    for value in ["umbrella", "dark", "ada", "secret"] {
        assert!(!shown.out.contains(value), "{value} in {}", shown.out);
    }

    let values = verb(&place, "show", EMBEDDED[0], [KEYS[0], "--values", "--json"]);
    assert!(values.err.contains("warning: "), "{}", values.err);
    let told: serde_json::Value = serde_json::from_str(&values.out).expect("JSON");
    assert_eq!(told["logged_in"], "ada");
    assert_eq!(told["attributes"][1]["value"], serde_json::json!(["umbrella", 2]));
    assert!(!values.out.contains("secret"), "{}", values.out);

    let ended = verb(&place, "show", EMBEDDED[0], [KEYS[2]]);
    assert!(ended.out.contains("ended           true"), "{}", ended.out);
    let none = verb(&place, "show", EMBEDDED[0], ["BAQEBAQEBAQEBAQEBAQEBA"]);
    assert_eq!((none.code, none.out.as_str()), (1, ""));
    assert!(none.err.contains("there is no session BAQEBAQEBAQEBAQEBAQEBA"), "{}", none.err);
}

#[test]
fn an_import_keeps_newer_records_and_reports_unreadable_lines() {
    for store in EMBEDDED {
        let place = filled(store);
        let older = SESSIONS.replace("0000000000000001", "0000000000000000").replace("\"ff\"", "\"00\"");
        let mixed = format!("{older}not JSON\n\n{}", SESSIONS.replacen("/shop", "/new", 1));
        fs::write(place.path().join("mixed.jsonl"), mixed).expect("writable");
        let done = run(&place, ["store", "import", "mixed.jsonl", "--store", store]);
        assert_eq!((done.code, done.out.as_str()), (1, "saved 3, superseded 3, failed 1\n"), "{}", done.err);
        assert!(done.err.contains("mixed.jsonl, line 4: "), "{}", done.err);
        assert!(verb(&place, "ls", store, ["--app", "/new"]).out.contains(KEYS[0]));
    }
}

#[test]
fn purge_counts_garbage_and_removes_it_with_yes() {
    for store in EMBEDDED {
        let place = filled(store);
        let counted = verb(&place, "purge", store, []);
        assert_eq!(counted.code, 0);
        assert!(counted.out.starts_with("1 of 3 records are garbage at "), "{}", counted.out);
        let removed = verb(&place, "purge", store, ["--yes"]);
        assert!(removed.out.starts_with("removed 1 records "), "{}", removed.out);
        let left = verb(&place, "ls", store, ["--json"]).out;
        assert_eq!(KEYS.map(|key| left.contains(key)), [true, false, true]);
    }
}

#[test]
fn a_store_is_migrated_encrypted_and_rekeyed() {
    let place = filled("file:sessions");
    for name in ["old.key", "new.key"] {
        KeyRing::create(&place.path().join(name)).expect("a new file");
    }
    let migrate = |words: &str| {
        let done = run(&place, ["store", "migrate"].into_iter().chain(words.split(' ')));
        assert_eq!(done.code, 0, "{}", done.err);
        done.out
    };
    let all = "saved 3, superseded 0, failed 0\n";
    assert_eq!(migrate("--from file:sessions --to redb:s.redb --to-key-file old.key"), all);
    assert_eq!(
        migrate("--from file:sessions --to redb:s.redb --to-key-file old.key"),
        all,
        "again does no harm"
    );
    let plain = verb(&place, "export", "redb:s.redb", []);
    assert_eq!(plain.code, 0);
    assert!(!plain.out.contains("umbrella"), "without the key nothing can be read");

    let text = |name: &str| fs::read_to_string(place.path().join(name)).expect("readable");
    let both = text("new.key") + &text("old.key");
    fs::write(place.path().join("old.key"), both).expect("writable");
    assert_eq!(
        migrate("--from redb:s.redb --to redb:s.redb --from-key-file old.key --to-key-file old.key"),
        all
    );
    let exported = verb(&place, "export", "redb:s.redb", ["--key-file", "new.key"]);
    assert_eq!((exported.code, exported.out.as_str()), (0, SESSIONS), "{}", exported.err);
}

#[test]
fn a_plain_store_is_encrypted_in_place() {
    for store in EMBEDDED {
        let place = filled(store);
        KeyRing::create(&place.path().join("store.key")).expect("a new file");
        let done =
            run(&place, ["store", "migrate", "--from", store, "--to", store, "--to-key-file", "store.key"]);
        assert_eq!(done.code, 0, "{}", done.err);
        let exported = verb(&place, "export", store, ["--key-file", "store.key"]);
        assert_eq!((exported.code, exported.out.as_str()), (0, SESSIONS), "{}", exported.err);
        assert!(!verb(&place, "export", store, []).out.contains("umbrella"));
    }
}

#[tokio::test]
async fn a_store_in_use_is_refused_with_a_remedy() {
    let place = scratch([]);
    let path = place.path();
    let file = FileStore::open(FileOptions::new(path.join("sessions"))).await.expect("a new store");
    let redb = RedbStore::open(RedbOptions::new(path.join("sessions.redb"))).await.expect("a new store");
    for store in EMBEDDED {
        let refused = verb(&place, "ls", store, []);
        assert_eq!((refused.code, refused.out.as_str()), (1, ""));
        assert!(refused.err.contains("another process uses this"), "{}", refused.err);
        assert!(refused.err.contains("sessile stop NODE"), "{}", refused.err);
    }
    file.close().await.expect("it closes");
    redb.close().await.expect("it closes");
    for store in EMBEDDED {
        assert_eq!(verb(&place, "ls", store, []).code, 0);
    }
}

#[test]
fn a_damaged_session_is_reported_and_the_others_are_listed() {
    let place = filled("file:sessions");
    flip(&place.path().join("sessions"), b"umbrella");
    let listed = verb(&place, "ls", "file:sessions", []);
    assert_eq!(listed.code, 1);
    assert!(listed.err.contains("is damaged: "), "{}", listed.err);
    assert!(listed.err.contains("everything else was done"), "{}", listed.err);
    assert_eq!(KEYS.iter().filter(|key| listed.out.contains(**key)).count(), 2, "{}", listed.out);
}

/// Changes the first place in the files of a folder that holds these bytes.
fn flip(folder: &Path, wanted: &[u8]) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let mut bytes = fs::read(&path).unwrap_or_default();
        let place = bytes.windows(wanted.len()).position(|window| window == wanted);
        if let Some(place) = place {
            bytes[place] ^= 1;
            return fs::write(&path, bytes).expect("writable");
        }
    }
    panic!("no file holds {wanted:?}");
}

#[test]
fn a_configuration_names_its_store() {
    let place = scratch([
        ("tc01.toml", "[node]\nname = \"tc01\"\n[store]\nkind = \"redb\"\nkey_file = \"store.key\"\n"),
        ("none.toml", "[node]\nname = \"tc01\"\n"),
        ("sessions.jsonl", SESSIONS),
    ]);
    let keyless = run(&place, ["store", "ls", "--config", "tc01.toml"]);
    assert_eq!((keyless.code, keyless.out.as_str()), (2, ""));
    assert!(keyless.err.contains("`key_file` in [store]"), "{}", keyless.err);

    KeyRing::create(&place.path().join("store.key")).expect("a new file");
    assert_eq!(run(&place, ["store", "import", "sessions.jsonl", "--config", "tc01.toml"]).code, 0);
    let exported = run(&place, ["store", "export", "--config", "tc01.toml"]);
    assert_eq!((exported.code, exported.out.as_str()), (0, SESSIONS), "{}", exported.err);
    let same = ["store", "migrate", "--from", "config:tc01.toml", "--to", "config:tc01.toml"];
    let migrated = run(&place, same);
    assert_eq!((migrated.code, migrated.out.as_str()), (0, "saved 3, superseded 0, failed 0\n"));
    assert!(place.path().join("tc01.redb").is_file(), "it is called after the node");

    let refused = run(&place, same.into_iter().chain(["--to-key-file", "store.key"]));
    assert_eq!(refused.code, 2);
    let none = run(&place, ["store", "ls", "--config", "none.toml"]);
    assert_eq!((none.code, none.out.as_str()), (2, ""));
    assert!(none.err.contains("none.toml describes no store"), "{}", none.err);
}

#[test]
fn a_misspelt_store_is_not_created() {
    let place = scratch([]);
    for store in ["file:nowhere", "redb:nowhere.redb"] {
        let refused = verb(&place, "ls", store, []);
        assert_eq!((refused.code, refused.out.as_str()), (1, ""));
        assert!(refused.err.contains("there is no"), "{}", refused.err);
    }
    assert_eq!(fs::read_dir(place.path()).expect("a folder").count(), 0, "nothing was made");
    let words = verb(&place, "ls", "/var/lib/sessile", []);
    assert_eq!(words.code, 2);
    assert!(words.err.contains("file:FOLDER"), "{}", words.err);
}

/// Compares `got` with the file of that name in `tests/golden`.
#[track_caller]
fn golden(name: &str, got: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("SESSILE_BLESS").is_some() {
        fs::write(&file, got).expect("writable");
    }
    assert_eq!(got, fs::read_to_string(&file).unwrap_or_default(), "{name}: SESSILE_BLESS=1 accepts it");
}
