//! Store locations such as `file:/var/lib/sessile`, and how they are opened.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use sessile::Config;
use sessile::store::{
    self, Encrypted, FileOptions, FileStore, KeyRing, OpenError, PostgresOptions, PostgresStore, RedbOptions,
    RedbStore, RedisOptions, RedisStore, Store, StoreError,
};

use crate::failure::Failure;

/// A store location of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StoreLocation {
    /// `file:FOLDER`
    File(PathBuf),
    /// `redb:FILE`
    Redb(PathBuf),
    /// `postgres://…`
    Postgres(String),
    /// `redis://…` or, with TLS, `rediss://…`
    Redis(String),
    /// `config:FILE`: the store of a node's configuration, with its keys
    Config(PathBuf),
}

/// Whether a missing store is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfMissing {
    Refused,
    Made,
}

/// An open store, and the number of damaged records found while opening.
pub(crate) type OpenedStore = (Arc<dyn Store>, usize);

impl FromStr for StoreLocation {
    type Err = String;

    fn from_str(words: &str) -> Result<Self, String> {
        let (kind, rest) = words.split_once(':').unwrap_or_default();
        match kind {
            _ if rest.is_empty() => Err(FORMS.to_owned()),
            "file" => Ok(Self::File(rest.into())),
            "redb" => Ok(Self::Redb(rest.into())),
            "postgres" | "postgresql" => Ok(Self::Postgres(words.to_owned())),
            "config" => Ok(Self::Config(rest.into())),
            "redis" | "rediss" => Ok(Self::Redis(words.to_owned())),
            _ => Err(FORMS.to_owned()),
        }
    }
}

const FORMS: &str = "a store is file:FOLDER, redb:FILE, postgres://USER:PASSWORD@HOST/DATABASE, redis://HOST:PORT or \
                     config:FILE with the configuration of a node";

impl StoreLocation {
    pub(crate) async fn open(&self, missing: IfMissing) -> Result<OpenedStore, Failure> {
        self.refuse_missing(missing)?;
        let store: Arc<dyn Store> = match self {
            Self::File(folder) => {
                let store = FileStore::open(FileOptions::new(folder)).await.map_err(failed)?;
                let damaged = store.damaged().len();
                return Ok((Arc::new(store), damaged));
            }
            Self::Redb(path) => Arc::new(RedbStore::open(RedbOptions::new(path)).await.map_err(failed)?),
            Self::Config(file) => configured(file).await?,
            Self::Postgres(url) => Arc::new(PostgresStore::open(PostgresOptions::new(url)).map_err(failed)?),
            Self::Redis(url) => Arc::new(RedisStore::open(RedisOptions::new(url)).map_err(failed)?),
        };
        Ok((store, 0))
    }

    /// The store, encrypted with the keys of `key_file` if given. A configuration names its own key file.
    pub(crate) fn sealed(
        &self,
        store: Arc<dyn Store>,
        key_file: Option<&Path>,
    ) -> Result<Arc<dyn Store>, Failure> {
        let Some(path) = key_file else { return Ok(store) };
        if let Self::Config(file) = self {
            let file = file.display();
            return Err(Failure::Usage(format!(
                "the keys of this store are those of `key_file` in [store] of {file}"
            )));
        }
        let keys = KeyRing::load(path).map_err(|error| Failure::Failed(error.to_string()))?;
        Ok(Arc::new(Encrypted::new(store, keys)))
    }

    /// A misspelt path must not create a new, empty store.
    fn refuse_missing(&self, missing: IfMissing) -> Result<(), Failure> {
        let (kind, path, sign) = match self {
            Self::File(folder) => ("file", folder, folder.join("lock")),
            Self::Redb(path) => ("redb", path, path.clone()),
            Self::Postgres(_) | Self::Redis(_) | Self::Config(_) => return Ok(()),
        };
        if missing == IfMissing::Made || sign.exists() {
            return Ok(());
        }
        Err(Failure::Failed(format!("there is no {kind} store at {}", Path::display(path))))
    }
}

async fn configured(file: &Path) -> Result<Arc<dyn Store>, Failure> {
    let opened = store::open(&Config::load(file)?).await.map_err(|error| match error {
        OpenError::Store(error) => failed(error),
        wrong => Failure::Usage(format!("{}: {wrong}", file.display())),
    })?;
    opened.ok_or_else(|| {
        let file = file.display();
        Failure::Usage(format!("{file} describes no store; it does with a `kind` in [store]"))
    })
}

/// A store error as a failure of the verb.
pub(crate) fn failed(error: StoreError) -> Failure {
    Failure::Failed(in_words(&error))
}

/// A store error with its remedy.
pub(crate) fn in_words(error: &StoreError) -> String {
    if !error.is_in_use() {
        return error.to_string();
    }
    format!(
        "{error}. Is it a node that runs? Stop that node first (`sessile stop NODE`), or ask the node itself for its \
         sessions (`GET /sessions` at its admin port)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_parsed() {
        assert_eq!("file:/var/lib/sessile".parse(), Ok(StoreLocation::File("/var/lib/sessile".into())));
        assert_eq!("redb:s.redb".parse(), Ok(StoreLocation::Redb("s.redb".into())));
        assert_eq!("rediss://db:1/0".parse(), Ok(StoreLocation::Redis("rediss://db:1/0".into())));
        assert_eq!("postgresql://db/x".parse(), Ok(StoreLocation::Postgres("postgresql://db/x".into())));
        for wrong in ["", "file:", "/var/lib/sessile", "mysql://db/x"] {
            assert!(wrong.parse::<StoreLocation>().unwrap_err().contains("file:FOLDER"), "{wrong}");
        }
    }
}
