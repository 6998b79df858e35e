//! Fixtures for the stores of this crate but the file store.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sessile_store::conformance::Fixture;
use sessile_store::{
    Key, PostgresOptions, PostgresStore, RedbOptions, RedbStore, RedisOptions, RedisStore, Store, StoreError,
    StoreFuture, TableNames,
};
use tempfile::TempDir;

use super::server::Server;

#[derive(Default)]
pub struct RedbFixture(Mutex<Vec<TempDir>>);

impl RedbFixture {
    async fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        let path = self.0.lock().unwrap().last().unwrap().path().join("sessions.redb");
        Ok(Arc::new(RedbStore::open(RedbOptions::new(path)).await?))
    }
}

impl Fixture for RedbFixture {
    fn empty(&self) -> StoreFuture<'_, Arc<dyn Store>> {
        self.0.lock().unwrap().push(tempfile::tempdir().unwrap());
        Box::pin(self.open())
    }

    fn again(&self) -> StoreFuture<'_, Option<Arc<dyn Store>>> {
        Box::pin(async { self.open().await.map(Some) })
    }
}

/// A table for each empty store, in one server.
pub struct PostgresFixture {
    pub server: Server,
    tables: AtomicU32,
}

impl PostgresFixture {
    pub fn new(server: Server) -> Self {
        Self { server, tables: AtomicU32::new(0) }
    }

    pub fn options(&self) -> PostgresOptions {
        let table = format!("sessions_{}", self.tables.load(Ordering::Relaxed));
        PostgresOptions {
            names: TableNames { table, ..TableNames::default() },
            timeout: Duration::from_secs(30),
            ..PostgresOptions::new(self.url())
        }
    }

    pub fn url(&self) -> String {
        format!("postgres://sessile@127.0.0.1:{}/postgres", self.server.port)
    }

    pub async fn execute(&self, sql: String) -> u64 {
        use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
        let mut connection = PgConnection::connect(&self.url()).await.unwrap();
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await.unwrap().rows_affected()
    }

    fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(PostgresStore::open(self.options())?))
    }
}

impl Fixture for PostgresFixture {
    fn empty(&self) -> StoreFuture<'_, Arc<dyn Store>> {
        self.tables.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { self.open() })
    }

    fn beside(&self) -> StoreFuture<'_, Option<Arc<dyn Store>>> {
        Box::pin(async { self.open().map(Some) })
    }

    fn damage(&self, key: Key) -> StoreFuture<'_, bool> {
        let table = self.options().names.table;
        Box::pin(async move {
            let flip = "set_byte(content, 0, get_byte(content, 0) # 1)";
            Ok(self.execute(format!("UPDATE {table} SET content = {flip} WHERE key = '\\x{key}'")).await == 1)
        })
    }
}

/// A prefix for each empty store, in one server or one cluster.
pub struct RedisFixture {
    options: RedisOptions,
    prefixes: AtomicU32,
}

impl RedisFixture {
    pub fn new(options: RedisOptions) -> Self {
        Self { options, prefixes: AtomicU32::new(0) }
    }

    pub fn options(&self) -> RedisOptions {
        let prefix = format!("test{}", self.prefixes.load(Ordering::Relaxed));
        RedisOptions { prefix, timeout: Duration::from_secs(30), ..self.options.clone() }
    }

    fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(Arc::new(RedisStore::open(self.options())?))
    }
}

impl Fixture for RedisFixture {
    fn empty(&self) -> StoreFuture<'_, Arc<dyn Store>> {
        self.prefixes.fetch_add(1, Ordering::Relaxed);
        Box::pin(async { self.open() })
    }

    fn beside(&self) -> StoreFuture<'_, Option<Arc<dyn Store>>> {
        Box::pin(async { self.open().map(Some) })
    }

    fn damage(&self, key: Key) -> StoreFuture<'_, bool> {
        let name = format!("{{{}:{:02x}}}{key}", self.options().prefix, key.0[0]);
        Box::pin(async move {
            if self.options.cluster || self.options.ca_file.is_some() {
                return Ok(false);
            }
            let client = redis::Client::open(self.options.urls[0].as_str()).unwrap();
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            let mut record: Vec<u8> =
                redis::cmd("HGET").arg(&name).arg("record").query_async(&mut connection).await.unwrap();
            *record.last_mut().unwrap() ^= 1;
            let set = redis::cmd("HSET")
                .arg(&name)
                .arg("record")
                .arg(record)
                .query_async::<()>(&mut connection)
                .await;
            set.unwrap();
            Ok(true)
        })
    }
}
