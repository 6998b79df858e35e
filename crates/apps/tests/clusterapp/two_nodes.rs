//! The application on two nodes.

use serde_json::{Value, json};
use sessile::config::{Manager, MembershipKind};
use sessile::{ClusterSecrets, Config};
use tempfile::TempDir;

use crate::test_client::{Site, TestClient};

/// Nothing listens there: a list of members needs at least one.
const NOBODY: &str = "127.0.0.1:1";

/// Two nodes of one cluster.
pub(crate) struct Pair {
    pub(crate) one: Site,
    pub(crate) other: Site,
    _place: TempDir,
}

impl Pair {
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// Both configurations are changed by `change`.
    pub(crate) async fn with(change: impl Fn(&mut Config) + Clone) -> Self {
        let place = tempfile::tempdir().unwrap();
        let one = node(&place, "tc01", NOBODY, change.clone()).await;
        let address = one.cluster.members()[0].address.clone();
        let other = node(&place, "tc02", &address, change).await;
        Self { one, other, _place: place }
    }
}

async fn node(place: &TempDir, name: &str, known: &str, change: impl FnOnce(&mut Config)) -> Site {
    let secret_file = place.path().join("cluster.secret");
    ClusterSecrets::load_or_create(&secret_file).unwrap();
    Site::of(|config: &mut Config, _| {
        name.clone_into(&mut config.node.name);
        config.cluster.manager = Manager::Delta;
        config.cluster.insecure = false;
        config.cluster.secret_file = secret_file;
        config.receiver.listen = ([127, 0, 0, 1], 0).into();
        config.membership.kind = MembershipKind::Static;
        config.membership.members = vec![known.parse().unwrap()];
        config.membership.drop_time = std::time::Duration::from_secs(15);
        change(config);
    })
    .await
}

#[tokio::test]
async fn either_node_continues_the_session() {
    let Pair { one, other, _place } = Pair::new().await;

    let mut client = TestClient::at(&one);
    let sid = client.fields("cmd=add&name=a&size=1024&v=7").await["sid"].clone();
    let key = sid.as_str().unwrap();
    let peeked = TestClient::at(&other).fields(&format!("cmd=peek&sid={key}&name=a&sum=1")).await;
    let held =
        json!({"node": "tc02", "sid": sid, "found": true, "v": 7, "len": 1024, "fnv": 2_437_767_237_u32});
    assert_eq!(peeked, held);

    client.move_to(&other);
    let page = client.browse("/clusterapp/").await.body;
    assert!(page.contains("taken over from tc01"), "{page}");
    let written = client.fields("cmd=add&name=a&size=16&v=8").await;
    assert_eq!(written, json!({"node": "tc02", "sid": sid, "new": false, "v": 8}));
    assert!(client.cookie.as_ref().unwrap().ends_with(".tc02"));

    client.move_to(&one);
    assert_eq!(client.fields("cmd=show").await["attrs"], json!({"a": [8, 16]}));
    client.fields("cmd=invalidate").await;
    let ended = TestClient::at(&other).fields(&format!("cmd=peek&sid={key}&name=a")).await;
    assert_eq!((&ended["sid"], &ended["found"]), (&Value::Null, &json!(false)));
}

#[tokio::test]
async fn full_sends_the_whole_session() {
    let Pair { one, other, _place } = Pair::new().await;
    let snapshots = || counted(&one.cluster.metrics(), "sessile_messages_sent_total{kind=\"snapshot\"}");

    let mut client = TestClient::at(&one);
    client.fields("cmd=add&name=a&size=1024&v=1&count=3").await;
    let before = snapshots();
    client.fields("cmd=add&name=a0&size=1024&v=2").await;
    assert_eq!(snapshots(), before, "a change travels alone");
    client.fields("cmd=add&name=a0&size=1024&v=3&full=1").await;
    assert_eq!(snapshots(), before + 1);
    client.move_to(&other);
    assert_eq!(
        client.fields("cmd=show").await["attrs"],
        json!({"a0": [3, 1024], "a1": [1, 1024], "a2": [1, 1024]})
    );
}

/// The value of the metric whose line begins with `name`.
pub(crate) fn counted(metrics: &str, name: &str) -> u64 {
    let line = metrics.lines().find(|line| line.starts_with(name)).expect("counted");
    line.rsplit(' ').next().and_then(|number| number.parse().ok()).expect("a number")
}
