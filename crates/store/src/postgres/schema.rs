//! The tables: created or migrated by the first node that connects.

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Executor, Row};

use super::names::TableNames;

/// One step from a version of the schema to the next.
type MigrationStep = fn(&TableNames) -> String;

/// All migration steps, starting from an empty database. A released step is never changed; new steps are
/// appended.
const STEPS: [MigrationStep; 2] = [sessions, damaged];

fn sessions(names: &TableNames) -> String {
    let [key, app, version, ended, content, checksum, saved_at, idle_left, garbage_after] =
        names.columns.quoted();
    let (table, by_garbage) = (names.sessions(), names.index("_garbage"));
    format!(
        "CREATE TABLE {table} (
            {key} bytea PRIMARY KEY CHECK (octet_length({key}) = 16),
            {app} text NOT NULL,
            {version} bytea NOT NULL,
            {ended} boolean NOT NULL,
            {content} bytea,
            {checksum} bytea NOT NULL,
            {saved_at} bigint NOT NULL,
            {idle_left} bigint NOT NULL,
            {garbage_after} bigint NOT NULL
        );
        CREATE INDEX {by_garbage} ON {table} ({garbage_after})"
    )
}

/// The table of quarantined records, with the cause before their columns.
fn damaged(names: &TableNames) -> String {
    let (table, damaged) = (names.sessions(), names.damaged());
    format!(
        "CREATE TABLE {damaged} (found_at timestamptz NOT NULL DEFAULT now(), cause text NOT NULL, LIKE {table})"
    )
}

/// Creates or migrates the tables. A role without the right to create tables can use existing ones.
pub(super) async fn prepare(pool: &PgPool, names: &TableNames) -> Result<(), sqlx::Error> {
    let mut change = pool.begin().await?;
    // One node at a time; the others then find it done. The lock number is an arbitrary constant.
    change.execute("SELECT pg_advisory_xact_lock(7310868735)").await?;
    let version = names.version();
    let there: bool = sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL")
        .bind(&version)
        .fetch_one(&mut *change)
        .await?;
    if !there {
        let create =
            format!("CREATE TABLE {version} (version integer NOT NULL); INSERT INTO {version} VALUES (0)");
        change.execute(sqlx::raw_sql(AssertSqlSafe(create))).await?;
    }
    let found =
        sqlx::query(AssertSqlSafe(format!("SELECT version FROM {version}"))).fetch_one(&mut *change).await?;
    let done = usize::try_from(found.try_get::<i32, _>(0)?).unwrap_or(0);
    if done > STEPS.len() {
        let cause = format!(
            "table {version} is at version {done}, this program knows versions up to {}; use the newer program",
            STEPS.len()
        );
        return Err(sqlx::Error::Configuration(cause.into()));
    }
    for step in &STEPS[done..] {
        change.execute(sqlx::raw_sql(AssertSqlSafe(step(names)))).await?;
    }
    if done < STEPS.len() {
        let update = format!("UPDATE {version} SET version = {}", STEPS.len());
        change.execute(sqlx::raw_sql(AssertSqlSafe(update))).await?;
    }
    change.commit().await
}
