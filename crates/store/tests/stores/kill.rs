//! kill -9 during saves, 200 times: acknowledged records exist, and no record is torn.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sessile_store::{
    FileOptions, FileStore, Key, Record, RecordContent, RecordVersion, RedbOptions, RedbStore, Scan, Store,
};

use crate::harness::live;

const FOLDER: &str = "SESSILE_TEST_SAVER_FOLDER";
const KIND: &str = "SESSILE_TEST_SAVER_KIND";
const FIRST: &str = "SESSILE_TEST_SAVER_FIRST";
const KEYS: u64 = 20;

/// RecordContent of a length of its own for each version, every byte of which can be judged.
fn version(number: u64) -> Record {
    let length = 1 + usize::try_from(number * 7919 % 6000).unwrap();
    let content = RecordContent::Live(vec![u8::try_from(number % 251).unwrap(); length].into());
    let version = RecordVersion::new(number.to_be_bytes().to_vec()).unwrap();
    Record { version, content, ..live((number % KEYS).into(), 0) }
}

fn number_of(record: &Record) -> u64 {
    u64::from_be_bytes(record.version.as_bytes().try_into().unwrap())
}

async fn open(kind: &str, folder: &Path) -> Box<dyn Store> {
    let small = FileOptions { segment_bytes: 200_000, ..FileOptions::new(folder.join("sessions")) };
    match kind {
        "file" => Box::new(FileStore::open(small).await.unwrap()),
        _ => Box::new(RedbStore::open(RedbOptions::new(folder.join("sessions.redb"))).await.unwrap()),
    }
}

/// Saves batches and prints the acknowledged version, until it is killed.
#[tokio::test]
#[ignore = "the process that the tests below kill"]
async fn saver() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let store = open(&std::env::var(KIND).unwrap(), &folder).await;
    let mut number: u64 = std::env::var(FIRST).unwrap().parse().unwrap();
    let mut out = std::io::stdout();
    loop {
        let batch: Vec<Record> = (number..number + 5).map(version).collect();
        assert!(store.save(batch).await.unwrap().iter().all(sessile_store::SaveOutcome::is_saved));
        number += 5;
        writeln!(out, "\nacknowledged {}", number - 1).unwrap();
        out.flush().unwrap();
    }
}

/// Lets a saver acknowledge some batches and kills it; the last acknowledged version.
fn save_and_kill(kind: &str, folder: &Path, first: u64, batches: usize) -> u64 {
    let mut saver = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::saver", "--ignored", "--nocapture"])
        .envs([(KIND, kind), (FIRST, &first.to_string())])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(saver.stdout.take().unwrap()).lines().map_while(Result::ok);
    let number =
        |line: String| line.strip_prefix("acknowledged ").and_then(|number| number.parse::<u64>().ok());
    let mut last = lines.by_ref().filter_map(number).nth(batches).unwrap();
    saver.kill().unwrap();
    saver.wait().unwrap();
    // The saves that it acknowledged until the kill arrived.
    lines.filter_map(number).for_each(|number| last = number);
    last
}

async fn check(kind: &str, folder: &Path, last: u64) -> u64 {
    let store = open(kind, folder).await;
    let page = store.scan(Scan::pages_of(100)).await.unwrap();
    assert!(page.damaged.is_empty(), "nothing is torn: {:?}", page.damaged);
    assert_eq!(store.size().await.unwrap().damaged, 0, "nothing was put aside");
    let found: BTreeMap<Key, Record> = page.records.into_iter().map(|record| (record.key, record)).collect();
    for number in last.saturating_sub(KEYS - 1).max(1)..=last {
        let record = found.get(&version(number).key).unwrap_or_else(|| panic!("version {number} is lost"));
        assert!(
            number_of(record) >= number,
            "version {number} is acknowledged, {} is there",
            number_of(record)
        );
    }
    for record in found.values() {
        assert_eq!(record.content, version(number_of(record)).content, "content is whole");
    }
    let newest = found.values().map(number_of).max().unwrap_or(0);
    store.close().await.unwrap();
    newest
}

async fn kill_often(kind: &str, times: usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut newest = 0;
    for turn in 0..times {
        let last = save_and_kill(kind, folder.path(), newest + 1, turn % 7);
        newest = check(kind, folder.path(), last).await;
    }
    println!("{kind}: {times} kills, {newest} versions");
}

#[tokio::test]
async fn two_hundred_kills_lose_no_acknowledged_record_of_the_file_store() {
    kill_often("file", 200).await;
}

#[tokio::test]
async fn kills_lose_no_acknowledged_record_of_the_redb_store() {
    kill_often("redb", 40).await;
}
