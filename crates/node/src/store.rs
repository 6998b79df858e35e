//! Stores: sessions kept longer than any process lives. Everything of `sessile_store`, and [`open`] for the
//! store that a configuration describes.
//!
//! Which store when, and what each promises, stands in `docs/persistence.md` of the repository. A store of
//! one's own is an implementation of [`Store`].

#[cfg(any(feature = "postgres", feature = "redis"))]
mod url;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use sessile_store::*;
use thiserror::Error;

use sessile_config::{self as config, Config, StoreKind};
use sessile_core::StoredSession;

/// Why the store of a configuration cannot be opened.
#[derive(Error)]
pub enum OpenError {
    /// This build does without the store.
    #[error("`kind = \"{kind}\"` in [store] needs the feature `{kind}`, which this build does without")]
    NotBuilt {
        /// The kind, which is also the feature.
        kind: &'static str,
    },
    /// The file with the server's URL cannot be used.
    #[error("`url_file` in [store], {}: {cause}", path.display())]
    Url {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and the remedy.
        cause: String,
    },
    /// A column of PostgreSQL is not named as it must be.
    #[error(
        "`columns` in [store]: {0:?} is not of the form \"usual = other\" with one of the usual names {USUAL}"
    )]
    Column(String),
    /// There are no keys to encrypt with.
    #[error("`key_file` in [store]: {0}")]
    Keys(#[from] KeyFileError),
    /// The store was used without encryption before.
    #[error(
        "`key_file` in [store]: the {store} store holds sessions that are not encrypted. Stop the nodes that use it, then run \
         `sessile store migrate --from {place} --to {place} --to-key-file {}`; or leave `key_file` out", key_file.display()
    )]
    NotEncrypted {
        /// The store.
        store: String,
        /// The same as the verbs of `sessile store` name it.
        place: String,
        /// The file with the keys.
        key_file: PathBuf,
    },
    /// The store was used with encryption before.
    #[error(
        "[store] has no `key_file`, and the {store} store holds encrypted sessions; name the file with their keys"
    )]
    NoKeys {
        /// The store.
        store: String,
    },
    /// The store itself refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// As [`Display`](std::fmt::Display): a `main` that returns it shows it so.
impl std::fmt::Debug for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// The usual names of the columns.
const USUAL: &str = "key, app, stamp, ended, content, checksum, saved_at, idle_left, garbage_after";

/// Opens the store that `config` describes, with its encryption; `None` when it describes none.
///
/// # Errors
/// [`OpenError`] says which key of `[store]` to mend, or what the store said.
pub async fn open(config: &Config) -> Result<Option<Arc<dyn Store>>, OpenError> {
    let settings = &config.store;
    let plain: Arc<dyn Store> = match settings.kind {
        None => return Ok(None),
        Some(StoreKind::File) => {
            let mut options = FileOptions::new(place(config, "sessions"));
            options.max_bytes = settings.max_bytes as u64;
            Arc::new(FileStore::open(options).await?)
        }
        Some(StoreKind::Redb) => redb(config).await?,
        Some(StoreKind::Postgres) => postgres(settings)?,
        Some(StoreKind::Redis) => redis(settings)?,
    };
    check_encryption(config, &*plain).await?;
    Ok(Some(match &settings.key_file {
        Some(path) => Arc::new(Encrypted::new(plain, KeyRing::load(path)?)),
        None => plain,
    }))
}

/// Longest look at a store before it is used; one that does not answer is not checked.
const CHECK_TIME: Duration = Duration::from_secs(5);
/// Records of the look.
const CHECKED: usize = 64;

/// Refuses a `key_file` for a store without encryption, and none for one with it: its sessions would be
/// unreadable one by one, as requests ask for them.
async fn check_encryption(config: &Config, plain: &dyn Store) -> Result<(), OpenError> {
    let scan = tokio::time::timeout(CHECK_TIME, plain.scan(Scan::pages_of(CHECKED))).await;
    let Ok(Ok(page)) = scan else { return Ok(()) };
    let live: Vec<_> = page.records.iter().filter_map(Record::content).collect();
    let store = plain.name().to_owned();
    match &config.store.key_file {
        Some(key_file) if live.iter().any(|content| !is_sealed(content)) => {
            let place = match config.store.kind {
                Some(StoreKind::File) => format!("file:{}", place(config, "sessions").display()),
                Some(StoreKind::Redb) => format!("redb:{}", place(config, "redb").display()),
                _ => "URL".to_owned(),
            };
            Err(OpenError::NotEncrypted { store, place, key_file: key_file.clone() })
        }
        None if !live.is_empty()
            && live.iter().all(|content| is_sealed(content) && StoredSession::read(content).is_err()) =>
        {
            Err(OpenError::NoKeys { store })
        }
        _ => Ok(()),
    }
}

/// Where a store of this node alone lies: as configured, or beside the configuration under the node's name.
fn place(config: &Config, ending: &str) -> PathBuf {
    let usual = || config.directory.join(format!("{}.{ending}", config.node.name));
    config.store.path.clone().unwrap_or_else(usual)
}

#[cfg(feature = "redb")]
async fn redb(config: &Config) -> Result<Arc<dyn Store>, OpenError> {
    let mut options = RedbOptions::new(place(config, "redb"));
    options.max_bytes = config.store.max_bytes as u64;
    Ok(Arc::new(RedbStore::open(options).await?))
}

#[cfg(not(feature = "redb"))]
async fn redb(_: &Config) -> Result<Arc<dyn Store>, OpenError> {
    Err(OpenError::NotBuilt { kind: "redb" })
}

#[cfg(feature = "postgres")]
fn postgres(settings: &config::Store) -> Result<Arc<dyn Store>, OpenError> {
    let mut options = PostgresOptions::new(url::of(settings)?);
    if let Some(table) = &settings.table {
        options.names.table.clone_from(table);
    }
    for renamed in &settings.columns {
        let wrong = || OpenError::Column(renamed.clone());
        let (usual, other) = renamed.split_once('=').ok_or_else(wrong)?;
        let column = column(&mut options.names.columns, usual.trim()).ok_or_else(wrong)?;
        other.trim().clone_into(column);
    }
    Ok(Arc::new(PostgresStore::open(options)?))
}

#[cfg(feature = "postgres")]
fn column<'c>(columns: &'c mut Columns, usual: &str) -> Option<&'c mut String> {
    Some(match usual {
        "key" => &mut columns.key,
        "app" => &mut columns.app,
        "stamp" => &mut columns.version,
        "ended" => &mut columns.ended,
        "content" => &mut columns.content,
        "checksum" => &mut columns.checksum,
        "saved_at" => &mut columns.saved_at,
        "idle_left" => &mut columns.idle_left,
        "garbage_after" => &mut columns.garbage_after,
        _ => return None,
    })
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &config::Store) -> Result<Arc<dyn Store>, OpenError> {
    Err(OpenError::NotBuilt { kind: "postgres" })
}

#[cfg(feature = "redis")]
fn redis(settings: &config::Store) -> Result<Arc<dyn Store>, OpenError> {
    let mut options = RedisOptions::new(url::of(settings)?);
    options.cluster = settings.cluster;
    options.ca_file.clone_from(&settings.ca_file);
    if let Some(prefix) = &settings.table {
        options.prefix.clone_from(prefix);
    }
    Ok(Arc::new(RedisStore::open(options)?))
}

#[cfg(not(feature = "redis"))]
fn redis(_: &config::Store) -> Result<Arc<dyn Store>, OpenError> {
    Err(OpenError::NotBuilt { kind: "redis" })
}
