//! How fast each store saves and loads, beside the raw speed of the medium in the same run.
//!
//! ```text
//! cargo run --release -p sessile-store --all-features --example speed -- [sessions] [bytes] [batch]
//! SESSILE_POSTGRES_URL=postgres://… SESSILE_REDIS_URL=redis://… cargo run …      the servers too
//! ```
#![allow(clippy::print_stdout, reason = "it prints its report")]

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use sessile_store::{
    App, Encrypted, FileOptions, FileStore, Key, KeyRing, Lifetime, PostgresOptions, PostgresStore, Record,
    RedbOptions, RedbStore, RedisOptions, RedisStore, Stamp, Store,
};

type Failure = Box<dyn Error + Send + Sync>;

struct Load {
    sessions: usize,
    bytes: usize,
    batch: usize,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut numbers = std::env::args().skip(1).map(|argument| argument.parse::<usize>());
    let mut next = |usual| numbers.next().unwrap_or(Ok(usual));
    let load = Load { sessions: next(20_000)?, bytes: next(4096)?, batch: next(500)?.max(1) };
    println!("{} sessions of {} bytes in batches of {}", load.sessions, load.bytes, load.batch);
    let folder = tempfile::tempdir()?;
    let raw = write_raw(folder.path(), &load)?;
    println!("{:<18} {:>10.0} saves/s  1.00 of the medium: write and sync of the same bytes", "raw", raw);
    for store in stores(folder.path()).await? {
        measure(&*store, &load, raw).await?;
        store.close().await?;
    }
    let begun = Instant::now();
    let again = FileStore::open(FileOptions::new(folder.path().join("file"))).await?;
    println!("opened again with {} sessions in {:?}", again.size().await?.records, begun.elapsed());
    Ok(())
}

/// Sessions a second that the medium takes when the same bytes are written and synced in the same batches.
fn write_raw(folder: &Path, load: &Load) -> Result<f64, Failure> {
    let mut file = File::create(folder.join("raw"))?;
    let begun = Instant::now();
    for _ in (0..load.sessions).step_by(load.batch) {
        file.write_all(&vec![7; load.bytes * load.batch])?;
        file.sync_data()?;
    }
    Ok(load.sessions as f64 / begun.elapsed().as_secs_f64())
}

async fn stores(folder: &Path) -> Result<Vec<Arc<dyn Store>>, Failure> {
    let mut stores: Vec<Arc<dyn Store>> = vec![
        Arc::new(FileStore::open(FileOptions::new(folder.join("file"))).await?),
        Arc::new(RedbStore::open(RedbOptions::new(folder.join("sessions.redb"))).await?),
    ];
    let sealed = FileStore::open(FileOptions::new(folder.join("sealed"))).await?;
    stores.push(Arc::new(Encrypted::new(Arc::new(sealed), KeyRing::create(&folder.join("key"))?)));
    if let Ok(url) = std::env::var("SESSILE_POSTGRES_URL") {
        stores.push(Arc::new(PostgresStore::open(PostgresOptions::new(url))?));
    }
    if let Ok(url) = std::env::var("SESSILE_REDIS_URL") {
        stores.push(Arc::new(RedisStore::open(RedisOptions::new(url))?));
    }
    Ok(stores)
}

async fn measure(store: &dyn Store, load: &Load, raw: f64) -> Result<(), Failure> {
    let keys: Vec<Key> = (0..load.sessions).map(key).collect();
    let mut saving = Duration::ZERO;
    for batch in keys.chunks(load.batch) {
        let records = batch.iter().map(|key| record(*key, load.bytes)).collect::<Result<_, _>>()?;
        let begun = Instant::now();
        store.save(records).await?;
        saving += begun.elapsed();
    }
    let begun = Instant::now();
    for key in &keys {
        store.load(*key).await?.ok_or("a session that was saved is not there")?;
    }
    let loading = begun.elapsed();
    let rate = |time: Duration| load.sessions as f64 / time.as_secs_f64();
    let kind = store.name().split([' ', '/']).take(2).collect::<Vec<_>>().join(" ");
    let (saves, loads) = (rate(saving), rate(loading));
    println!(
        "{kind:<18} {saves:>10.0} saves/s {:>5.2} of the medium {loads:>10.0} loads/s, one after the other",
        saves / raw
    );
    Ok(())
}

/// Spread like random keys.
fn key(number: usize) -> Key {
    Key::from((number as u128 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

fn record(key: Key, bytes: usize) -> Result<Record, Failure> {
    let lifetime = Lifetime::new(SystemTime::now(), Duration::from_secs(1800), Duration::from_secs(86_400));
    Ok(Record::live(key, Stamp::new(vec![1])?, App::new("/shop")?, lifetime, vec![7; bytes])?)
}
