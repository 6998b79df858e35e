//! PostgreSQL: one row a session, for all nodes and several clusters.
//!
//! A batch is one statement, which writes a row only if its version is not older than the stored one. The
//! database orders two nodes that save the same session, so nodes need no locks of their own.
//!
//! Next: `names` checks configured names, `schema` creates and migrates the tables, `rows` holds the
//! statements.

mod names;
mod rows;
mod schema;

use std::str::FromStr;
use std::time::{Duration, SystemTime};

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use tokio::sync::OnceCell;

pub use names::{Columns, NameError, TableNames};

use crate::error::{DamagedRecord, StoreError};
use crate::key::Key;
use crate::lifetime::epoch_millis;
use crate::record::Record;
use crate::store::{SaveOutcome, Scan, ScanPage, Store, StoreFuture, StoreSize};
use rows::{RowResult, Statements};

/// Connection and names of a PostgreSQL store.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// `postgres://user:password@host:5432/database`. For TLS add `?sslmode=verify-full`, and `sslrootcert`,
    /// `sslcert` and `sslkey` where they are needed.
    pub url: String,
    /// The table and its columns.
    pub names: TableNames,
    /// Most connections of this node.
    pub connections: u32,
    /// Longest time of a call, including reconnection.
    pub timeout: Duration,
}

impl PostgresOptions {
    /// The usual names, at most 8 connections, at most 10 seconds a call.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            names: TableNames::default(),
            connections: 8,
            timeout: Duration::from_secs(10),
        }
    }
}

/// Sessions in a table of PostgreSQL.
///
/// Opening it does not contact the server: the first call connects, and creates or migrates the tables. So a
/// node can start while its database is down. Later calls replace lost connections.
#[derive(Debug)]
pub struct PostgresStore {
    name: String,
    pool: PgPool,
    names: TableNames,
    statements: Statements,
    timeout: Duration,
    prepared: OnceCell<()>,
}

impl PostgresStore {
    /// Checks the options; needs a tokio runtime.
    ///
    /// # Errors
    /// The URL cannot be read or a name cannot be used.
    pub fn open(options: PostgresOptions) -> Result<Self, StoreError> {
        let unusable =
            |cause: Box<dyn std::error::Error + Send + Sync>| StoreError::unusable("postgres", cause);
        if !["postgres://", "postgresql://"].iter().any(|scheme| options.url.starts_with(scheme)) {
            return Err(unusable(
                "its URL must be as in postgres://sessile:password@db.example.com/sessions".into(),
            ));
        }
        let connect = PgConnectOptions::from_str(&options.url).map_err(|error| unusable(error.into()))?;
        options.names.check().map_err(|error| unusable(error.into()))?;
        let name = format!(
            "postgres {}:{}/{}",
            connect.get_host(),
            connect.get_port(),
            connect.get_database().unwrap_or_default()
        );
        let limit = options.timeout.as_millis().to_string();
        let pool = PgPoolOptions::new()
            .max_connections(options.connections.max(1))
            .acquire_timeout(options.timeout)
            .connect_lazy_with(connect.application_name("sessile").options([("statement_timeout", limit)]));
        let statements = Statements::of(&options.names);
        Ok(Self {
            name,
            pool,
            names: options.names,
            statements,
            timeout: options.timeout,
            prepared: OnceCell::new(),
        })
    }

    /// Runs `work` within the time limit, after the tables are ready.
    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, sqlx::Error>> + Send,
    ) -> Result<T, StoreError> {
        let prepared = async {
            self.prepared.get_or_try_init(|| schema::prepare(&self.pool, &self.names)).await?;
            work.await
        };
        match tokio::time::timeout(self.timeout, prepared).await {
            Ok(done) => done.map_err(|error| failure(&self.name, error)),
            Err(_) if self.pool.is_closed() => Err(StoreError::Closed { store: self.name.clone() }),
            Err(_) => {
                Err(StoreError::unavailable(&self.name, format!("no answer within {:?}", self.timeout)))
            }
        }
    }

    async fn save_all(&self, records: Vec<Record>) -> Result<Vec<SaveOutcome>, StoreError> {
        let mut outcomes: Vec<SaveOutcome> = records
            .iter()
            .map(|record| match record.check() {
                Ok(()) => SaveOutcome::Superseded,
                Err(malformed) => SaveOutcome::Failed(StoreError::unusable(&self.name, malformed)),
            })
            .collect();
        let newest = rows::newest(&records, &mut outcomes);
        if !newest.is_empty() {
            let batch: Vec<&Record> = newest.values().map(|at| &records[*at]).collect();
            let saved = self.within(self.statements.save(&self.pool, &batch)).await?;
            rows::settle(&records, &saved, &newest, &mut outcomes);
        }
        Ok(outcomes)
    }

    async fn load_one(&self, key: Key) -> Result<Option<Record>, StoreError> {
        match self.within(self.statements.load(&self.pool, key)).await? {
            None => Ok(None),
            Some(RowResult::Sound(record)) => Ok(Some(record)),
            Some(RowResult::Damaged { key, check, cause }) => {
                Err(StoreError::Damaged(self.put_aside(&key, &check, cause).await?))
            }
        }
    }

    async fn next_page(&self, scan: Scan) -> Result<ScanPage, StoreError> {
        let rows = self.within(self.statements.scan(&self.pool, &scan)).await?;
        let full = rows.len() >= rows::limit(&scan);
        let mut page = ScanPage::default();
        for row in rows {
            match row {
                RowResult::Sound(record) => {
                    page.next = Some(record.key);
                    page.records.push(record);
                }
                RowResult::Damaged { key, check, cause } => {
                    page.next = Key::try_from(&key[..]).ok().or(page.next);
                    page.damaged.push(self.put_aside(&key, &check, cause).await?);
                }
            }
        }
        page.next = page.next.filter(|_| full);
        Ok(page)
    }

    async fn put_aside(
        &self,
        key: &[u8],
        check: &[u8],
        cause: &'static str,
    ) -> Result<DamagedRecord, StoreError> {
        self.within(self.statements.put_aside(&self.pool, key, check, cause)).await?;
        let place = format!("table {} of {}", self.names.damaged(), self.name);
        let damaged = DamagedRecord { key: Key::try_from(key).ok(), place, cause: cause.into() };
        tracing::error!(store = self.name, "{damaged}");
        Ok(damaged)
    }
}

impl Store for PostgresStore {
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
        Box::pin(self.within(self.statements.purge(&self.pool, epoch_millis(now))))
    }

    fn size(&self) -> StoreFuture<'_, StoreSize> {
        Box::pin(self.within(self.statements.size(&self.pool)))
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        Box::pin(async {
            self.pool.close().await;
            Ok(())
        })
    }
}

/// Converts a database error.
fn failure(store: &str, error: sqlx::Error) -> StoreError {
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default().into_owned();
    match &error {
        sqlx::Error::PoolClosed => StoreError::Closed { store: store.into() },
        sqlx::Error::PoolTimedOut => {
            let cause = "no connection in time: the server does not listen, or all connections are in use";
            StoreError::unavailable(store, cause)
        }
        sqlx::Error::Database(_) if code == "53100" => StoreError::full(store, error),
        sqlx::Error::Database(_) if is_passing(&code) => StoreError::unavailable(store, error),
        sqlx::Error::Database(_) | sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) => {
            StoreError::unusable(store, error)
        }
        sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) => {
            StoreError::unusable(store, error)
        }
        _ => StoreError::unavailable(store, error),
    }
}

/// Transient classes of SQLSTATE: connection, transaction, resources, locks, operator intervention; and a
/// server that is read-only because it is currently not the primary.
fn is_passing(code: &str) -> bool {
    code == "25006" || ["08", "40", "53", "55", "57", "58"].iter().any(|class| code.starts_with(class))
}
