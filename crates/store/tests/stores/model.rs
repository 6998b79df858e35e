//! The file store against a model of it: any order of saves, ends, purges, restarts and cuts.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::path::Path;

use proptest::prelude::*;
use sessile_store::{FileOptions, FileStore, Key, Record, RecordContent, SaveOutcome, Scan, Store};

use crate::harness::{ended, live};

#[derive(Debug, Clone)]
enum Step {
    Save(Vec<(u8, u8, u16)>),
    End(u8, u8),
    Reopen,
    /// The last segment loses so many bytes, as if they were never written.
    Cut(u16),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let saves = prop::collection::vec((0..8u8, 0..20u8, 0..2000u16), 1..6).prop_map(Step::Save);
    let step = prop_oneof![
        6 => saves,
        1 => (0..8u8, 0..20u8).prop_map(|(key, version)| Step::End(key, version)),
        1 => Just(Step::Reopen),
        1 => (0..3000u16).prop_map(Step::Cut),
    ];
    prop::collection::vec(step, 1..40)
}

fn options(folder: &Path) -> FileOptions {
    FileOptions { segment_bytes: 4000, ..FileOptions::new(folder) }
}

fn record(key: u8, version: u8, length: u16) -> Record {
    let content = RecordContent::Live(vec![key ^ version; length.into()].into());
    Record { content, ..live(key.into(), version.into()) }
}

type Model = BTreeMap<Key, Record>;

/// Saves the same into both; the outcomes agree.
async fn save(store: &FileStore, model: &mut Model, records: Vec<Record>) {
    let expected: Vec<bool> = records
        .iter()
        .map(|record| {
            let stays = model.get(&record.key).is_some_and(|there| !record.supersedes(there));
            if !stays {
                model.insert(record.key, record.clone());
            }
            !stays
        })
        .collect();
    let outcomes = store.save(records).await.unwrap();
    assert_eq!(outcomes.iter().map(SaveOutcome::is_saved).collect::<Vec<_>>(), expected);
}

async fn all(store: &FileStore) -> Model {
    let page = store.scan(Scan::pages_of(100)).await.unwrap();
    assert!(
        page.damaged.is_empty() && store.damaged().is_empty(),
        "{:?} {:?}",
        page.damaged,
        store.damaged()
    );
    page.records.into_iter().map(|record| (record.key, record)).collect()
}

fn cut(folder: &Path, bytes: u16) {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let last = files.filter(|path| path.extension().is_some_and(|ending| ending == "log")).max();
    if let Some(last) = last {
        let file = OpenOptions::new().write(true).open(last).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(bytes.into())).unwrap();
    }
}

async fn walk(steps: Vec<Step>) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = FileStore::open(options(folder.path())).await.unwrap();
    let mut model = Model::new();
    let mut ever: BTreeMap<Key, Vec<Record>> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Save(batch) => {
                let records: Vec<Record> =
                    batch.iter().map(|(key, version, length)| record(*key, *version, *length)).collect();
                records.iter().for_each(|record| ever.entry(record.key).or_default().push(record.clone()));
                save(&store, &mut model, records).await;
            }
            Step::End(key, version) => {
                let tombstone = ended(key.into(), version.into());
                ever.entry(tombstone.key).or_default().push(tombstone.clone());
                save(&store, &mut model, vec![tombstone]).await;
            }
            Step::Reopen => {
                store.close().await.unwrap();
                store = FileStore::open(options(folder.path())).await.unwrap();
            }
            Step::Cut(bytes) => {
                store.close().await.unwrap();
                cut(folder.path(), bytes);
                store = FileStore::open(options(folder.path())).await.unwrap();
                let after = all(&store).await;
                for (key, record) in &after {
                    let known = &ever[key];
                    assert!(known.contains(record), "only what was saved is there");
                    assert!(model[key].supersedes(record), "nothing newer than was saved");
                }
                model = after;
            }
        }
        assert_eq!(all(&store).await, model);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_log_holds_what_the_model_holds(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(walk(steps));
    }
}
