//! The statements, and records as rows.

use std::collections::{BTreeMap, HashSet};

use bytes::Bytes;
use sqlx::postgres::{PgPool, PgRow};
use sqlx::{AssertSqlSafe, Row as _};

use super::names::TableNames;
use crate::app::AppName;
use crate::codec;
use crate::key::Key;
use crate::lifetime::Lifetime;
use crate::record::{Record, RecordContent};
use crate::record_version::RecordVersion;
use crate::store::{SaveOutcome, Scan, StoreSize};

/// Most records of one page, so that a response stays bounded.
const PAGE: usize = 1000;
/// Rows purged at once, so that no transaction is long.
const PURGE: i64 = 5000;

/// A row read from the table.
#[derive(Debug)]
pub(super) enum RowResult {
    Sound(Record),
    Damaged { key: Vec<u8>, check: Vec<u8>, cause: &'static str },
}

/// All statements, with the configured names.
#[derive(Debug, Clone)]
pub(super) struct Statements {
    save: String,
    load: String,
    scan: String,
    purge: String,
    put_aside: String,
    size: String,
}

impl Statements {
    pub(super) fn of(names: &TableNames) -> Self {
        let (table, damaged) = (names.sessions(), names.damaged());
        let columns = names.columns.quoted();
        let [key, app, version, ended, _, checksum, .., garbage_after] = &columns;
        let list = columns.join(", ");
        let taken: Vec<String> =
            columns[1..].iter().map(|column| format!("{column} = EXCLUDED.{column}")).collect();
        Self {
            // Rows are locked in the order of their keys, so that two batches never wait for each other.
            save: format!(
                "INSERT INTO {table} AS there ({list})
                SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::boolean[], $5::bytea[], $6::bytea[],
                    $7::bigint[], $8::bigint[], $9::bigint[]) AS given ORDER BY 1
                ON CONFLICT ({key}) DO UPDATE SET {}
                WHERE (EXCLUDED.{ended}, EXCLUDED.{version}) >= (there.{ended}, there.{version})
                RETURNING {key}",
                taken.join(", ")
            ),
            load: format!("SELECT {list} FROM {table} WHERE {key} = $1"),
            scan: format!(
                "SELECT {list} FROM {table} WHERE {key} > $1 AND ($2::text IS NULL OR {app} = $2)
                ORDER BY {key} LIMIT $3"
            ),
            purge: format!(
                "DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE {garbage_after} < $1
                ORDER BY {key} LIMIT $2 FOR UPDATE SKIP LOCKED) AND {garbage_after} < $1"
            ),
            put_aside: format!(
                "WITH gone AS (DELETE FROM {table} WHERE {key} = $1 AND {checksum} = $2 RETURNING {list})
                INSERT INTO {damaged} (cause, {list}) SELECT $3, gone.* FROM gone"
            ),
            size: format!(
                "SELECT (SELECT count(*) FROM {table}), pg_total_relation_size('{table}'),
                (SELECT count(*) FROM {damaged})"
            ),
        }
    }

    /// Saves records of which no two have the same key; the keys that were stored.
    pub(super) async fn save(&self, pool: &PgPool, records: &[&Record]) -> Result<HashSet<Key>, sqlx::Error> {
        fn column<'a, T>(records: &[&'a Record], part: impl Fn(&'a Record) -> T) -> Vec<T> {
            records.iter().map(|record| part(record)).collect()
        }
        let stored: Vec<Vec<u8>> = sqlx::query_scalar(AssertSqlSafe(self.save.clone()))
            .bind(column(records, |record| &record.key.0[..]))
            .bind(column(records, |record| record.app.as_str()))
            .bind(column(records, |record| record.version.as_bytes()))
            .bind(column(records, Record::is_ended))
            .bind(column(records, |record| record.content().map(|content| &content[..])))
            .bind(column(records, |record| checksum(record).to_vec()))
            .bind(column(records, |record| signed(record.lifetime.to_millis()[0])))
            .bind(column(records, |record| signed(record.lifetime.to_millis()[1])))
            .bind(column(records, |record| signed(record.lifetime.garbage_millis())))
            .fetch_all(pool)
            .await?;
        Ok(stored.iter().filter_map(|key| Key::try_from(&key[..]).ok()).collect())
    }

    pub(super) async fn load(&self, pool: &PgPool, key: Key) -> Result<Option<RowResult>, sqlx::Error> {
        let query = sqlx::query(AssertSqlSafe(self.load.clone())).bind(&key.0[..]);
        query.fetch_optional(pool).await?.as_ref().map(read).transpose()
    }

    pub(super) async fn scan(&self, pool: &PgPool, scan: &Scan) -> Result<Vec<RowResult>, sqlx::Error> {
        let after = scan.after.map_or(Vec::new(), |key| key.0.to_vec());
        let query = sqlx::query(AssertSqlSafe(self.scan.clone()))
            .bind(after)
            .bind(scan.app.as_ref().map(AppName::as_str))
            .bind(i64::try_from(limit(scan)).unwrap_or(i64::MAX));
        query.fetch_all(pool).await?.iter().map(read).collect()
    }

    pub(super) async fn purge(&self, pool: &PgPool, now_millis: u64) -> Result<u64, sqlx::Error> {
        let mut purged = 0;
        loop {
            let query = sqlx::query(AssertSqlSafe(self.purge.clone())).bind(signed(now_millis)).bind(PURGE);
            match query.execute(pool).await?.rows_affected() {
                0 => return Ok(purged),
                more => purged += more,
            }
        }
    }

    pub(super) async fn put_aside(
        &self,
        pool: &PgPool,
        key: &[u8],
        check: &[u8],
        cause: &str,
    ) -> Result<(), sqlx::Error> {
        let query = sqlx::query(AssertSqlSafe(self.put_aside.clone())).bind(key).bind(check).bind(cause);
        query.execute(pool).await.map(drop)
    }

    pub(super) async fn size(&self, pool: &PgPool) -> Result<StoreSize, sqlx::Error> {
        let row = sqlx::query(AssertSqlSafe(self.size.clone())).fetch_one(pool).await?;
        let number = |at| row.try_get::<i64, _>(at).map(i64::unsigned_abs);
        Ok(StoreSize { records: number(0)?, bytes: number(1)?, damaged: number(2)? })
    }
}

pub(super) fn limit(scan: &Scan) -> usize {
    scan.limit.clamp(1, PAGE)
}

/// The index of the newest record of each session in a batch, because one statement must not write a row
/// twice. An earlier, replaced record counts as saved, a later but older one as superseded, as if each came
/// alone.
pub(super) fn newest(records: &[Record], outcomes: &mut [SaveOutcome]) -> BTreeMap<Key, usize> {
    let mut newest: BTreeMap<Key, usize> = BTreeMap::new();
    for (at, record) in records.iter().enumerate() {
        if matches!(outcomes[at], SaveOutcome::Failed(_)) {
            continue;
        }
        let beaten = newest.get(&record.key).is_some_and(|before| !record.supersedes(&records[*before]));
        if !beaten {
            newest.insert(record.key, at);
            outcomes[at] = SaveOutcome::Saved;
        }
    }
    newest
}

/// If the database holds a newer version, none of the batch's records of that session was saved.
pub(super) fn settle(
    records: &[Record],
    stored: &HashSet<Key>,
    newest: &BTreeMap<Key, usize>,
    outcomes: &mut [SaveOutcome],
) {
    for (record, outcome) in records.iter().zip(outcomes) {
        if newest.contains_key(&record.key) && !stored.contains(&record.key) && outcome.is_saved() {
            *outcome = SaveOutcome::Superseded;
        }
    }
}

fn read(row: &PgRow) -> Result<RowResult, sqlx::Error> {
    let key: Vec<u8> = row.try_get(0)?;
    let check: Vec<u8> = row.try_get(5)?;
    match record(row, &key)? {
        Ok(record) if check == checksum(&record) => Ok(RowResult::Sound(record)),
        Ok(_) => Ok(RowResult::Damaged { key, check, cause: "its checksum does not match" }),
        Err(cause) => Ok(RowResult::Damaged { key, check, cause }),
    }
}

fn record(row: &PgRow, key: &[u8]) -> Result<Result<Record, &'static str>, sqlx::Error> {
    let app: String = row.try_get(1)?;
    let version: Vec<u8> = row.try_get(2)?;
    let ended: bool = row.try_get(3)?;
    let content: Option<Vec<u8>> = row.try_get(4)?;
    let millis = |at| row.try_get::<i64, _>(at).map(|signed| u64::try_from(signed).unwrap_or(0));
    let (saved_at, idle_left, garbage_after) = (millis(6)?, millis(7)?, millis(8)?);
    let content = match content {
        Some(content) if !ended => RecordContent::Live(Bytes::from(content)),
        None if ended => RecordContent::Ended,
        _ => return Ok(Err("it is neither a living session nor a tombstone")),
    };
    Ok((|| {
        Ok(Record {
            key: Key::try_from(key).map_err(|_| "its key does not have 16 bytes")?,
            version: RecordVersion::new(version).map_err(|_| "its version is too long")?,
            app: AppName::new(&app).map_err(|_| "its application name is invalid")?,
            lifetime: Lifetime::from_millis(saved_at, idle_left, garbage_after.saturating_sub(saved_at)),
            content,
        })
    })())
}

/// The checksum of all fields but the times, which an operator may change.
fn checksum(record: &Record) -> [u8; codec::CHECK] {
    let (version, app) = (record.version.as_bytes(), record.app.as_str().as_bytes());
    let lengths = [version.len(), app.len()].map(|length| u8::try_from(length).unwrap_or(u8::MAX));
    let content = record.content().map_or(&[][..], |content| content);
    codec::check(&[&record.key.0, &lengths, version, app, &[u8::from(record.is_ended())], content])
}

fn signed(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}
