//! A node joins: it has everything before it says so, or says why it cannot.

use std::time::Duration;

use sessile::{Cluster, JoinError, NodeState};

use crate::harness::{Browser, Town};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_third_node_has_everything_before_it_serves() {
    let town = Town::new();
    let (a, b) = town.pair().await;
    let mut browsers = vec![Browser::default(); 200];
    for (number, browser) in browsers.iter_mut().enumerate() {
        let node = if number % 2 == 0 { &a } else { &b };
        browser.ok(node, &format!("/set/number/{number}")).await;
    }
    let mut gone = browsers.pop().unwrap();
    gone.ok(&a, "/logout").await;
    let c = town.node("tc03", &[&a, &b]).await;
    assert_eq!(c.cluster.state(), NodeState::Ready);
    assert_eq!(c.cluster.session_count(), browsers.len() as u64);
    assert_eq!(c.sees(), ["tc01", "tc02", "tc03"]);
    for (number, browser) in browsers.iter_mut().enumerate() {
        assert_eq!(browser.ok(&c, "/get/number").await, number.to_string());
    }
    let receipt = browsers[0].get(&c, "/set/number/new").await.receipt.unwrap();
    assert_eq!((receipt.copies, receipt.wanted), (3, 3));
    assert_eq!(c.metric("sessile_transfers_received_total"), 1);
    assert_eq!(c.metric("sessile_transfer_sessions"), browsers.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_written_while_a_node_joins_is_there_too() {
    let town = Town::new();
    let (a, b) = town.pair().await;
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/0").await;
    let mut writing = browser.clone();
    let writes = async {
        for round in 1..200 {
            writing.ok(if round % 2 == 0 { &a } else { &b }, &format!("/set/x/{round}")).await;
        }
    };
    let known = [&a, &b];
    let (c, ()) = tokio::join!(town.node("tc03", &known), writes);
    assert_eq!(browser.ok(&c, "/get/x").await, "199");
}

#[tokio::test]
async fn nodes_that_start_together_become_one_cluster() {
    let town = Town::new();
    let ports: Vec<_> = (0..3).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let addresses: Vec<_> = ports.iter().map(|port| port.local_addr().unwrap()).collect();
    drop(ports);
    let join = |number: usize| {
        let mut config = town.config(&format!("tc0{number}"), &[]);
        config.receiver.listen = addresses[number];
        config.membership.members =
            addresses.iter().map(|address| address.to_string().parse().unwrap()).collect();
        Cluster::join(config)
    };
    let (a, b, c) = tokio::try_join!(join(0), join(1), join(2)).unwrap();
    for cluster in [&a, &b, &c] {
        assert_eq!(cluster.members().len(), 3, "{cluster:?}");
        assert!(cluster.is_ready());
    }
}

#[tokio::test]
async fn a_taken_name_is_told_with_its_owner() {
    let town = Town::new();
    let a = town.node("tc01", &[]).await;
    let error = Cluster::join(town.config("tc01", &[&a])).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, JoinError::NameTaken { .. }), "{text}");
    assert!(text.contains("`tc01`") && text.contains(&a.address()) && text.contains("[node]"), "{text}");
    assert_eq!(a.sees(), ["tc01"]);
}

#[tokio::test]
async fn a_taken_port_is_told_with_its_key() {
    let town = Town::new();
    let a = town.node("tc01", &[]).await;
    let mut config = town.config("tc02", &[&a]);
    config.receiver.listen = a.address().parse().unwrap();
    let text = Cluster::join(config.clone()).await.unwrap_err().to_string();
    assert!(text.contains(&a.address()) && text.contains("[receiver]"), "{text}");
    config.receiver.next_free_port = true;
    let b = Cluster::join(config).await.unwrap();
    assert_eq!(b.members().len(), 2);
}

#[tokio::test]
async fn without_a_secret_nobody_joins_unless_told_so_in_words() {
    let town = Town::new();
    let mut config = town.config("tc01", &[]);
    config.cluster.secret_file = town.secret_file().with_file_name("none.secret");
    let text = Cluster::join(config.clone()).await.unwrap_err().to_string();
    assert!(text.contains("none.secret") && text.contains("sessile secret new"), "{text}");
    config.cluster.insecure = true;
    assert!(Cluster::join(config).await.unwrap().is_ready());
}

/// Nobody outside of a cluster prevents its start: a recorded announcement or a stale list leads to a
/// stranger.
#[tokio::test]
async fn a_stranger_is_named_and_skipped() {
    let a = Town::new().node("tc01", &[]).await;
    let b = Town::new().node("tc02", &[&a]).await;
    assert_eq!((a.sees(), b.sees()), (vec!["tc01".to_owned()], vec!["tc02".to_owned()]));
    assert_eq!(b.cluster.state(), NodeState::Ready);
    let warning = b.cluster.warnings().join("\n");
    assert!(warning.contains(&a.address()) && warning.contains("secret_file"), "{warning}");
    let counts = |a: &crate::harness::Node| {
        let counted =
            |line: &str| line.starts_with("sessile_handshakes_refused_total") && !line.ends_with(" 0");
        a.cluster.metrics().lines().any(counted)
    };
    a.until("the other side counts it too", counts).await;
}

/// What a stopped process, or one without free descriptors, looks like: the system accepts for it.
#[tokio::test]
async fn nobody_begins_a_cluster_beside_a_process_that_says_nothing() {
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let at = mute.local_addr().unwrap();
    let town = |timeout: Option<Duration>| {
        Town::with(move |config| {
            config.membership.members.push(at.to_string().parse().unwrap());
            config.membership.drop_time = Duration::from_secs(1);
            config.membership.frequency = Duration::from_millis(100);
            config.cluster.state_transfer_timeout = timeout;
        })
    };
    let waits = Cluster::start(town(None).config("tc02", &[])).await.unwrap();
    let began = tokio::time::Instant::now();
    let b = town(Some(Duration::from_secs(4))).node("tc01", &[]).await;
    assert!(began.elapsed() >= Duration::from_secs(4), "the whole time is waited");
    assert_eq!(b.cluster.state(), NodeState::Incomplete);
    for cluster in [&b.cluster, &waits] {
        let warning = cluster.warnings().join("\n");
        assert!(warning.contains(&format!("somebody at {at} accepts")), "{warning}");
    }
    assert_eq!(waits.state(), NodeState::Joining, "never means never");
    let mut browser = Browser::default();
    browser.ok(&b, "/set/x/1").await;
    assert_eq!(browser.ok(&b, "/get/x").await, "1");

    drop(mute);
    b.until("nobody is there", |b| b.cluster.state() == NodeState::Ready).await;
    tokio::time::timeout(crate::harness::LIMIT, waits.ready()).await.unwrap().unwrap();
    assert_eq!(waits.state(), NodeState::Ready);
    assert_eq!(b.cluster.warnings(), [""; 0]);
}

#[tokio::test]
async fn by_multicast_nodes_find_each_other_without_any_list() {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let town = Town::with(move |config| {
        config.membership.kind = sessile::config::MembershipKind::Multicast;
        config.membership.port = port;
        config.membership.frequency = std::time::Duration::from_millis(100);
    });
    let (a, b) = (town.node("tc01", &[]).await, town.node("tc02", &[]).await);
    assert_eq!((a.sees().len(), b.sees().len()), (2, 2));
    let mut browser = Browser::default();
    browser.ok(&a, "/set/x/1").await;
    assert_eq!(browser.ok(&b, "/get/x").await, "1");
}
