//! PostgreSQL with a real server: the suite, and failures of the server.

use std::time::Duration;

use sessile_store::{
    Columns, Key, PostgresOptions, PostgresStore, Store, StoreError, TableNames, conformance,
};

use crate::harness::{PostgresFixture, Server, again_once_it_is_back, live, sealed, skip};

fn server() -> Option<PostgresFixture> {
    let server = Server::postgres();
    if server.is_none() {
        skip("PostgreSQL");
    }
    server.map(PostgresFixture::new)
}

#[tokio::test]
async fn the_postgres_store_conforms() {
    let Some(fixture) = server() else { return };
    conformance::check(&fixture).await;
    conformance::check(&sealed(fixture)).await;
}

#[tokio::test]
async fn a_restarted_server_is_used_again() {
    let Some(mut fixture) = server() else { return };
    let options = PostgresOptions { timeout: Duration::from_secs(5), ..fixture.options() };
    let store = PostgresStore::open(options).unwrap();
    assert!(store.save(vec![live(1, 1)]).await.unwrap()[0].is_saved());
    fixture.server.kill();
    let error = store.save(vec![live(1, 2)]).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    fixture.server.start();
    again_once_it_is_back(&store).await;
}

#[tokio::test]
async fn a_store_opens_while_its_server_is_down() {
    let options = PostgresOptions {
        timeout: Duration::from_secs(2),
        ..PostgresOptions::new("postgres://sessile:hidden@127.0.0.1:1/postgres")
    };
    let store = PostgresStore::open(options).unwrap();
    let error = store.load(Key::from(1)).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert!(!format!("{error} {error:?} {store:?}").contains("hidden"), "the password is not shown");
}

#[tokio::test]
async fn configured_names_are_used_and_old_schemas_are_migrated() {
    let Some(fixture) = server() else { return };
    fixture.execute("CREATE SCHEMA \"AppName\"".into()).await;
    let columns = Columns { key: "select".into(), content: "Body".into(), ..Columns::default() };
    let names = TableNames { table: "AppName.user".into(), columns };
    let options = PostgresOptions { names, ..fixture.options() };
    let store = PostgresStore::open(options.clone()).unwrap();
    store.save(vec![live(1, 1)]).await.unwrap();
    assert_eq!(
        fixture
            .execute(
                "UPDATE \"AppName\".\"user\" SET \"Body\" = \"Body\" WHERE \"select\" IS NOT NULL".into()
            )
            .await,
        1
    );
    // As the first version left it.
    fixture
        .execute(
            "DROP TABLE \"AppName\".\"user_damaged\"; UPDATE \"AppName\".\"user_version\" SET version = 1"
                .into(),
        )
        .await;
    let store = PostgresStore::open(options.clone()).unwrap();
    assert_eq!(store.size().await.unwrap().records, 1, "a migration keeps the sessions");
    fixture.execute("UPDATE \"AppName\".\"user_version\" SET version = 99".into()).await;
    let error = PostgresStore::open(options).unwrap().size().await.unwrap_err();
    assert!(matches!(error, StoreError::Unusable { .. }), "{error:?}");
    assert!(format!("{error}").contains("use the newer program"), "{error}");
}

#[tokio::test]
async fn a_name_that_is_a_statement_is_refused() {
    let names = TableNames { table: "a; drop table b".into(), ..TableNames::default() };
    let options = PostgresOptions { names, ..PostgresOptions::new("postgres://127.0.0.1/x") };
    let error = PostgresStore::open(options).unwrap_err().to_string();
    assert!(error.contains("cannot name a table"), "{error}");
}

#[tokio::test]
async fn a_url_of_another_kind_is_refused_and_not_shown() {
    for url in ["redis://sessile:hidden@127.0.0.1:1", "sessile:hidden@127.0.0.1", ""] {
        let error = PostgresStore::open(PostgresOptions::new(url)).unwrap_err().to_string();
        assert!(error.contains("as in postgres://") && !error.contains("hidden"), "{error}");
    }
}
