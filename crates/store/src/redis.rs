//! Valkey and Redis, one server or a cluster of them.
//!
//! A session is a hash; a script on the server compares versions. Sessions are in 256 buckets by the first
//! byte of their key. A bucket has an index, so that a scan follows the order of the keys, and is in one slot
//! of a cluster, so that a script sees a record and its index together. Durability depends on the server's
//! settings: use `appendonly yes` and `maxmemory-policy noeviction`.
//!
//! Next: `link` connects, `bucket` builds names on the server, the `.lua` files are the scripts.

mod bucket;
mod link;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use redis::{ErrorKind, RedisError, Script, ServerErrorKind};

use crate::codec;
use crate::error::{DamagedRecord, StoreError};
use crate::key::Key;
use crate::lifetime::epoch_millis;
use crate::record::Record;
use crate::store::{SaveOutcome, Scan, ScanPage, Store, StoreFuture, StoreSize};
use bucket::Bucket;
use link::{Connection, ServerLink};

/// Connection of a Redis store.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// `redis://user:password@host:6379/0`, or `rediss://` for TLS; several for a cluster.
    pub urls: Vec<String>,
    /// Whether the servers are a cluster.
    pub cluster: bool,
    /// The certificate authority in PEM, if it is not a public one.
    pub ca_file: Option<PathBuf>,
    /// Client certificate and key in PEM, if the server requires one.
    pub client_certificate: Option<(PathBuf, PathBuf)>,
    /// Prefix of all keys on the server: letters, digits and `_-.:`.
    pub prefix: String,
    /// Longest time of a call, including reconnection.
    pub timeout: Duration,
}

impl RedisOptions {
    /// One server, the prefix `sessile`, at most 10 seconds a call.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            urls: vec![url.into()],
            cluster: false,
            ca_file: None,
            client_certificate: None,
            prefix: "sessile".into(),
            timeout: Duration::from_secs(10),
        }
    }
}

/// Concurrent commands of one call.
const AT_ONCE: usize = 128;
/// Sessions of a bucket examined at once.
const STEP: usize = 256;
/// Most records of one page, and most records examined for it.
const PAGE: usize = 1000;

/// Sessions on a Valkey or Redis server, or a cluster of them.
///
/// Opening it does not contact the server: the first call connects. Later calls replace lost connections.
#[derive(Debug)]
pub struct RedisStore {
    name: String,
    link: ServerLink,
    prefix: String,
    timeout: Duration,
    save: Script,
    put_aside: Script,
    purge: Script,
}

impl RedisStore {
    /// Checks the options.
    ///
    /// # Errors
    /// A URL, a certificate or the prefix cannot be used.
    pub fn open(options: RedisOptions) -> Result<Self, StoreError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte);
        if !options.prefix.bytes().all(plain) || options.prefix.len() > 64 {
            let cause =
                format!("the prefix {:?} has other characters than letters, digits and _-.:", options.prefix);
            return Err(StoreError::unusable("redis", cause));
        }
        if options.urls.iter().any(|url| redis::parse_redis_url(url).is_none()) {
            let cause = "its URL must be as in redis://sessile:password@cache.example.com:6379/0, or rediss:// for TLS";
            return Err(StoreError::unusable("redis", cause));
        }
        let link = ServerLink::new(&options).map_err(|error| StoreError::unusable("redis", error))?;
        Ok(Self {
            name: format!("redis {}", link.place()),
            link,
            prefix: options.prefix,
            timeout: options.timeout,
            save: Script::new(include_str!("redis/save.lua")),
            put_aside: Script::new(include_str!("redis/put_aside.lua")),
            purge: Script::new(include_str!("redis/purge.lua")),
        })
    }

    fn bucket(&self, number: u8) -> Bucket<'_> {
        Bucket { prefix: &self.prefix, number }
    }

    fn bucket_of(&self, key: Key) -> Bucket<'_> {
        self.bucket(key.0[0])
    }

    /// Runs `work` on a connection, within the time limit.
    async fn within<T, W>(&self, work: impl FnOnce(Connection) -> W + Send) -> Result<T, StoreError>
    where
        W: Future<Output = Result<T, RedisError>> + Send,
    {
        let connected = async {
            match self.link.connection().await? {
                Some(connection) => work(connection).await.map(Some),
                None => Ok(None),
            }
        };
        match tokio::time::timeout(self.timeout, connected).await {
            Ok(Ok(Some(done))) => Ok(done),
            Ok(Ok(None)) => Err(StoreError::Closed { store: self.name.clone() }),
            Ok(Err(error)) => Err(failure(&self.name, error)),
            Err(_) => {
                Err(StoreError::unavailable(&self.name, format!("no answer within {:?}", self.timeout)))
            }
        }
    }

    async fn save_all(&self, records: Vec<Record>) -> Result<Vec<SaveOutcome>, StoreError> {
        let saves = |connection: Connection| async move {
            let one = |record: Record| self.save_one(connection.clone(), record);
            // Records of one session are sent, and therefore processed, in order.
            stream::iter(records).map(one).buffered(AT_ONCE).try_collect().await
        };
        self.within(saves).await
    }

    async fn save_one(&self, mut connection: Connection, record: Record) -> Result<SaveOutcome, RedisError> {
        if let Err(malformed) = record.check() {
            return Ok(SaveOutcome::Failed(StoreError::unusable(&self.name, malformed)));
        }
        let bucket = self.bucket_of(record.key);
        let keep = u64::try_from(record.lifetime.keep().as_millis()).unwrap_or(u64::MAX).max(1);
        let stored: bool = self
            .save
            .key(bucket.record(record.key))
            .key(bucket.index())
            .arg(&record.key.0[..])
            .arg(u8::from(record.is_ended()))
            .arg(record.version.as_bytes())
            .arg(codec::seal(&record))
            .arg(record.lifetime.garbage_millis())
            .arg(keep)
            .invoke_async(&mut connection)
            .await?;
        Ok(if stored { SaveOutcome::Saved } else { SaveOutcome::Superseded })
    }

    async fn fetch(&self, mut connection: Connection, key: Key) -> Result<Option<Bytes>, RedisError> {
        let sealed: Option<Vec<u8>> = redis::cmd("HGET")
            .arg(self.bucket_of(key).record(key))
            .arg("record")
            .query_async(&mut connection)
            .await?;
        Ok(sealed.map(Bytes::from))
    }

    async fn load_one(&self, key: Key) -> Result<Option<Record>, StoreError> {
        let Some(sealed) = self.within(|connection| self.fetch(connection, key)).await? else {
            return Ok(None);
        };
        match read(key, &sealed) {
            Ok(record) => Ok(Some(record)),
            Err(cause) => Err(StoreError::Damaged(self.set_aside(key, &sealed, cause).await?)),
        }
    }

    async fn set_aside(&self, key: Key, sealed: &[u8], cause: &str) -> Result<DamagedRecord, StoreError> {
        let bucket = self.bucket_of(key);
        let moving = |mut connection: Connection| async move {
            let mut script = self.put_aside.prepare_invoke();
            script.key(bucket.record(key)).key(bucket.index()).key(bucket.damaged());
            script.arg(&key.0[..]).arg(sealed).invoke_async::<()>(&mut connection).await
        };
        self.within(moving).await?;
        let place = format!("hash {} of {}", bucket.damaged(), self.name);
        let damaged = DamagedRecord { key: Some(key), place, cause: cause.into() };
        tracing::error!(store = self.name, "{damaged}");
        Ok(damaged)
    }

    async fn next_page(&self, scan: Scan) -> Result<ScanPage, StoreError> {
        let limit = scan.limit.clamp(1, PAGE);
        let mut page = ScanPage { next: scan.after, ..ScanPage::default() };
        let mut looked_at = 0;
        for number in scan.after.map_or(0, |key| key.0[0])..=u8::MAX {
            loop {
                if page.records.len() >= limit || looked_at >= PAGE {
                    return Ok(page);
                }
                let wanted = (limit - page.records.len()).min(STEP);
                let after = page.next;
                let keys = self.within(|connection| self.members(connection, number, after, wanted)).await?;
                looked_at += keys.len();
                self.add(&scan, &keys, &mut page).await?;
                if keys.len() < wanted {
                    break;
                }
            }
        }
        page.next = None;
        Ok(page)
    }

    /// Adds the records of these keys to the page.
    async fn add(&self, scan: &Scan, keys: &[Key], page: &mut ScanPage) -> Result<(), StoreError> {
        let fetching = |connection: Connection| async move {
            let one = |key: Key| self.fetch(connection.clone(), key);
            stream::iter(keys.iter().copied()).map(one).buffered(AT_ONCE).try_collect::<Vec<_>>().await
        };
        let found = self.within(fetching).await?;
        for (key, sealed) in keys.iter().zip(found) {
            page.next = Some(*key);
            // The server may have dropped it as garbage.
            let Some(sealed) = sealed else { continue };
            match read(*key, &sealed) {
                Ok(record) if scan.app.as_ref().is_none_or(|app| record.app == *app) => {
                    page.records.push(record)
                }
                Ok(_) => {}
                Err(cause) => page.damaged.push(self.set_aside(*key, &sealed, cause).await?),
            }
        }
        Ok(())
    }

    /// The next keys of a bucket.
    async fn members(
        &self,
        mut connection: Connection,
        number: u8,
        after: Option<Key>,
        limit: usize,
    ) -> Result<Vec<Key>, RedisError> {
        let from = match after {
            Some(key) if key.0[0] == number => [b"(", &key.0[..]].concat(),
            _ => b"-".to_vec(),
        };
        let members: Vec<Vec<u8>> = redis::cmd("ZRANGEBYLEX")
            .arg(self.bucket(number).index())
            .arg(from)
            .arg("+")
            .arg("LIMIT")
            .arg(0)
            .arg(limit)
            .query_async(&mut connection)
            .await?;
        Ok(members.iter().filter_map(|member| Key::try_from(&member[..]).ok()).collect())
    }

    async fn purge_before(&self, now_millis: u64) -> Result<u64, StoreError> {
        let mut purged = 0;
        for number in 0..=u8::MAX {
            let mut after = None;
            loop {
                let keys = self.within(|connection| self.members(connection, number, after, STEP)).await?;
                if keys.is_empty() {
                    break;
                }
                after = keys.last().copied();
                let purging = |connection| self.purge_step(connection, number, &keys, now_millis);
                purged += self.within(purging).await?;
            }
        }
        Ok(purged)
    }

    async fn purge_step(
        &self,
        mut connection: Connection,
        number: u8,
        keys: &[Key],
        now_millis: u64,
    ) -> Result<u64, RedisError> {
        let bucket = self.bucket(number);
        let mut script = self.purge.key(bucket.index());
        script.arg(now_millis);
        for key in keys {
            script.key(bucket.record(*key)).arg(&key.0[..]);
        }
        script.invoke_async(&mut connection).await
    }

    async fn measure(&self) -> Result<StoreSize, StoreError> {
        let counting = |connection: Connection| async move {
            let count = |command: &'static str, name: String| {
                let mut connection = connection.clone();
                async move { redis::cmd(command).arg(name).query_async::<u64>(&mut connection).await }
            };
            let one = |number| {
                let bucket = self.bucket(number);
                let (records, damaged) = (count("ZCARD", bucket.index()), count("HLEN", bucket.damaged()));
                async { Ok::<_, RedisError>((records.await?, damaged.await?)) }
            };
            let counts = stream::iter(0..=u8::MAX).map(one).buffer_unordered(AT_ONCE);
            counts
                .try_fold((0, 0), async |sum, (records, damaged)| Ok((sum.0 + records, sum.1 + damaged)))
                .await
        };
        let (records, damaged) = self.within(counting).await?;
        Ok(StoreSize { records, bytes: 0, damaged })
    }
}

fn read(key: Key, sealed: &Bytes) -> Result<Record, &'static str> {
    match codec::open(sealed) {
        Ok(record) if record.key == key => Ok(record),
        Ok(_) => Err("it is stored under the key of another session"),
        Err(cause) => Err(cause),
    }
}

impl Store for RedisStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn save(&self, records: Vec<Record>) -> StoreFuture<'_, Vec<SaveOutcome>> {
        Box::pin(self.save_all(records))
    }

    fn load(&self, key: Key) -> StoreFuture<'_, Option<Record>> {
        Box::pin(self.load_one(key))
    }

    fn scan(&self, scan: Scan) -> StoreFuture<'_, ScanPage> {
        Box::pin(self.next_page(scan))
    }

    fn purge(&self, now: SystemTime) -> StoreFuture<'_, u64> {
        Box::pin(self.purge_before(epoch_millis(now)))
    }

    fn size(&self) -> StoreFuture<'_, StoreSize> {
        Box::pin(self.measure())
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async {
            self.link.close().await;
            Ok(())
        })
    }
}

/// Converts a server error.
fn failure(store: &str, error: RedisError) -> StoreError {
    match error.kind() {
        _ if error.code() == Some("OOM") => StoreError::full(store, error),
        ErrorKind::AuthenticationFailed
        | ErrorKind::InvalidClientConfig
        | ErrorKind::Server(ServerErrorKind::NoPerm | ServerErrorKind::CrossSlot) => {
            StoreError::unusable(store, error)
        }
        ErrorKind::Extension if matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "WRONGTYPE")) => {
            StoreError::unusable(store, error)
        }
        _ => StoreError::unavailable(store, error),
    }
}
