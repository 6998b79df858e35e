//! Each finding, brought about with real nodes on loopback.

use std::path::Path;

use sessile_config::Config;
use sessile_group::{
    ClusterSecrets, Event, Group, GroupConfig, Identity, NOTICE_LIMIT, Static, listen as bind,
};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;

/// A node that the doctor is to reach.
struct Target {
    address: SocketAddr,
    _group: Group,
    _events: mpsc::Receiver<Event>,
}

struct Node<'a> {
    name: &'a str,
    cluster: &'a str,
    secret: u8,
    advertise: Option<&'a str>,
    settings: &'a str,
}

const TC02: Node<'static> =
    Node { name: "tc02", cluster: "sample", secret: 7, advertise: None, settings: "" };

impl Node<'_> {
    async fn start(&self) -> Target {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0)), false).await.unwrap();
        let address = listener.local_addr().unwrap();
        let identity = Identity {
            name: self.name.to_owned(),
            incarnation: 99,
            cluster: self.cluster.to_owned(),
            advertise: self.advertise.map_or(address, |advertise| advertise.parse().unwrap()),
            features: 0,
            notice: Config::parse("tc02.toml", self.settings).unwrap().0.notice(NOTICE_LIMIT),
        };
        let secrets = Some(ClusterSecrets::new([self.secret; 32], vec![]));
        let config = GroupConfig { identity, secrets, listener, channel: ChannelOptions::default() };
        let (group, events) =
            Group::start(config, Box::new(Static::new::<&str>(&[]).unwrap())).await.unwrap();
        Target { address, _group: group, _events: events }
    }
}

fn config(place: &Path, members: &[SocketAddr]) -> Config {
    let mut config = Config::default();
    config.membership.kind = MembershipKind::Static;
    config.membership.members = members.iter().map(|member| member.to_string().parse().unwrap()).collect();
    config.cluster.secret_file = place.join("cluster.secret");
    if !config.cluster.secret_file.exists() {
        let secrets = ClusterSecrets::new([7; 32], vec![]);
        std::fs::write(&config.cluster.secret_file, secrets.to_text()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let private = std::fs::Permissions::from_mode(0o600);
            std::fs::set_permissions(&config.cluster.secret_file, private).unwrap();
        }
    }
    // No node of this test is there.
    config.receiver.listen = SocketAddr::from(([127, 0, 0, 1], 1));
    config
}

async fn findings(members: &[SocketAddr]) -> Vec<DoctorFinding> {
    let place = tempfile::tempdir().unwrap();
    examine(&config(place.path(), members), &[]).await.unwrap().findings
}

/// The one finding about this member.
async fn finding(target: &Target) -> DoctorFinding {
    let found = findings(&[target.address]).await;
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(!found[0].remedy.is_empty());
    found.into_iter().next().unwrap()
}

#[tokio::test]
async fn nothing_is_wrong_between_two_that_fit_and_nobody_was_met() {
    let target = TC02.start().await;
    let place = tempfile::tempdir().unwrap();
    let report = examine(&config(place.path(), &[target.address]), &[]).await.unwrap();
    assert_eq!(report.findings, []);
    assert_eq!(report.met, [("tc02".to_owned(), target.address)]);
    let tally = target._group.counters();
    assert_eq!((tally.accepted, tally.peers.len(), tally.links_up), (0, 0, 0), "a look is no visit");
}

#[tokio::test]
async fn a_closed_port() {
    let target = TC02.start().await;
    let address = target.address;
    drop(target);
    let found = findings(&[address]).await;
    assert_eq!((found[0].cause, found[0].subject.clone()), ("port_closed", address.to_string()));
}

#[tokio::test]
async fn a_wrong_secret_and_a_wrong_name_of_the_cluster_are_different_findings() {
    let other_secret = Node { secret: 8, ..TC02 }.start().await;
    assert_eq!(finding(&other_secret).await.cause, "wrong_secret");
    let other_cluster = Node { cluster: "shop", ..TC02 }.start().await;
    assert_eq!(finding(&other_cluster).await.cause, "wrong_cluster");
}

#[tokio::test]
async fn a_taken_name() {
    let target = Node { name: "tc01", ..TC02 }.start().await;
    assert_eq!(finding(&target).await.cause, "name_taken");
}

#[tokio::test]
async fn unequal_settings() {
    let target = Node { settings: "[replication]\nnames = \"cart.*\"", ..TC02 }.start().await;
    let found = finding(&target).await;
    assert_eq!(found.cause, "settings_differ");
    assert!(found.problem.contains("[replication] names"), "{}", found.problem);
}

#[tokio::test]
async fn an_advertised_address_that_leads_nowhere() {
    let target = Node { advertise: Some("127.0.0.1:1"), ..TC02 }.start().await;
    assert_eq!(finding(&target).await.cause, "advertised_unreachable");
}

#[test]
fn a_loopback_address_for_other_machines() {
    let place = tempfile::tempdir().unwrap();
    let config = config(place.path(), &[]);
    let own = config.receiver.listen;
    let peer = |address: &str| sessile_group::Peer {
        name: "tc02".to_owned(),
        incarnation: 2,
        address: address.parse().unwrap(),
        features: 0,
        notice: String::new(),
    };
    // An address for documentation (RFC 5737): no machine of a test has it.
    let elsewhere: SocketAddr = "192.0.2.5:4001".parse().unwrap();
    let mut diagnosis = Diagnosis::new(&config, own, None);
    assert_eq!(diagnosis.saw(elsewhere, Probe::Met(peer("192.0.2.5:4001"))), None);
    assert_eq!(diagnosis.saw(elsewhere, Probe::Met(peer("127.0.0.1:4001"))), None);
    let found: Vec<_> =
        diagnosis.report.findings.iter().map(|found| (found.cause, &*found.subject)).collect();
    let (of_own, of_peer) = (own.to_string(), elsewhere.to_string());
    let expected = ("loopback_advertised", &*of_own);
    assert_eq!(found, [expected, expected, ("loopback_advertised", &*of_peer)]);
}

#[tokio::test]
async fn a_process_that_says_nothing_and_a_name_that_leads_nowhere() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let unknown: HostPort = "no-such-host.invalid:4001".parse().unwrap();
    let config = config(place.path(), &[listener.local_addr().unwrap()]);
    let report = examine(&config, &[unknown]).await.unwrap();
    let causes: Vec<_> = report.findings.iter().map(|found| found.cause).collect();
    assert_eq!(causes, ["name_unknown", "mute"]);
}

#[tokio::test]
async fn announcements_that_do_not_arrive() {
    let place = tempfile::tempdir().unwrap();
    let target = TC02.start().await;
    let mut config = config(place.path(), &[]);
    config.membership.kind = MembershipKind::Multicast;
    config.membership.frequency = Duration::from_millis(50);
    config.membership.port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let report: HostPort = target.address.to_string().parse().unwrap();
    let found = examine(&config, &[report]).await.unwrap().findings;
    let causes: Vec<_> = found.iter().map(|finding| finding.cause).collect();
    assert_eq!(causes, ["settings_differ", "multicast_not_delivered"], "{found:?}");
    assert!(found[1].problem.contains("answer by TCP"), "{}", found[1].problem);

    let mut diagnosis = Diagnosis::new(&config, config.receiver.listen, None);
    diagnosis.heard(Datagrams::default(), 0);
    assert!(diagnosis.report.findings[0].problem.contains("own announcements"));
}
