//! A disk that is full, and has room again: the suite starts itself on a tiny file system of its own.

use std::path::PathBuf;
use std::process::Command;

use sessile_store::{FileOptions, FileStore, Key, Record, RecordContent, Store, StoreError};

use crate::harness::live;

const FOLDER: &str = "SESSILE_TEST_TINY_FOLDER";

fn large(key: u128, version: u64) -> Record {
    Record { content: RecordContent::Live(vec![b'x'; 100_000].into()), ..live(key, version) }
}

#[test]
fn a_full_disk_fails_saves_and_keeps_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=2m tmpfs \"$1\" || exit 77; exec \"$2\" --exact full::on_a_tiny_disk --ignored";
    let run = Command::new("unshare")
        .args(["-Urm", "sh", "-c", script, "sh"])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .env(FOLDER, folder.path())
        .output();
    match run {
        Ok(output) if output.status.success() => {
            let told = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(told.contains("1 passed"), "{told}");
        }
        Ok(output)
            if output.status.code() == Some(77)
                || String::from_utf8_lossy(&output.stderr).starts_with("unshare") =>
        {
            println!(
                "SKIPPED: no file system can be mounted here: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(output) => {
            panic!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
        }
        Err(error) => println!("SKIPPED: unshare cannot be run here: {error}"),
    }
}

#[tokio::test]
#[ignore = "runs on the tiny disk that the test above makes"]
async fn on_a_tiny_disk() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let filler = folder.join("filler");
    std::fs::write(&filler, vec![0; 600_000]).unwrap();
    let options = FileOptions { segment_bytes: 400_000, ..FileOptions::new(folder.join("sessions")) };
    let store = FileStore::open(options.clone()).await.unwrap();
    let mut saved = 0;
    let error = loop {
        assert!(saved < 40, "the disk never gets full");
        match store.save(vec![large(saved, 1)]).await {
            Ok(outcomes) => assert!(outcomes[0].is_saved()),
            Err(error) => break error,
        }
        saved += 1;
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert!(error.is_transient() && error.to_string().contains("earlier sessions are intact"), "{error}");
    assert!(saved > 5);
    for key in 0..saved {
        assert_eq!(store.load(Key::from(key)).await.unwrap(), Some(large(key, 1)));
    }
    std::fs::remove_file(&filler).unwrap();
    assert!(store.save(vec![large(saved, 1)]).await.unwrap()[0].is_saved(), "it goes on when there is room");
    store.close().await.unwrap();
    let store = FileStore::open(options).await.unwrap();
    assert_eq!(store.damaged(), [], "a failed save leaves no damage");
    for key in 0..=saved {
        assert_eq!(store.load(Key::from(key)).await.unwrap(), Some(large(key, 1)));
    }
}

#[tokio::test]
async fn the_size_limit_is_kept_by_compaction_then_by_refusal() {
    let folder = tempfile::tempdir().unwrap();
    let options = FileOptions { folder: folder.path().into(), max_bytes: 1_000_000, segment_bytes: 200_000 };
    let store = FileStore::open(options).await.unwrap();
    for version in 1..200 {
        assert!(store.save(vec![large(1, version), large(2, version)]).await.unwrap()[0].is_saved());
        assert!(store.size().await.unwrap().bytes <= 1_200_000);
    }
    assert_eq!(store.load(Key::from(2)).await.unwrap(), Some(large(2, 199)));
    let mut refused = None;
    for key in 3..20 {
        refused = refused.or(store.save(vec![large(key, 1)]).await.err());
    }
    let refused = refused.expect("ten sessions of 100 kB do not fit");
    assert!(
        matches!(refused, StoreError::Full { .. }) && refused.to_string().contains("max_bytes"),
        "{refused}"
    );
    assert_eq!(store.load(Key::from(1)).await.unwrap(), Some(large(1, 199)));
}
