//! Any bytes as a datagram of the multicast group: without the secret nothing is believed, with it nothing
//! breaks.

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::sync::mpsc::{self, Sender};

use sessile_group::{
    ChannelOptions, ClusterSecrets, Group, GroupConfig, Heard, Identity, Local, Membership, NextSighting,
    listen,
};
use tokio::runtime::Runtime;

/// The body of the target `datagram`.
pub(crate) fn datagram(input: &[u8]) {
    static NODES: OnceLock<(Local, Local)> = OnceLock::new();
    let (sealed, open) = NODES.get_or_init(|| {
        let secrets = ClusterSecrets::new([7; 32], vec![[8; 32]]);
        (node(Some(secrets)), node(None))
    });
    let from = SocketAddr::from(([192, 0, 2, 1], 9));
    assert_eq!(sealed.hear(input, from), Heard::Dropped, "believed without the secret");
    open.hear(input, from);
    // As it would look to a node that has the key, were it sealed.
    open.hear(&[b"\x01\0\0\0\0", input].concat(), from);
}

/// A node that never dials anybody, as its membership knows it.
fn node(secrets: Option<ClusterSecrets>) -> Local {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| Runtime::new().unwrap());
    let (sender, receiver) = mpsc::channel();
    runtime.block_on(async {
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0)), false).await.unwrap();
        let identity = Identity {
            name: "tc01".into(),
            incarnation: 1,
            cluster: "sample".into(),
            advertise: listener.local_addr().unwrap(),
            features: 0,
            notice: String::new(),
        };
        let config = GroupConfig { identity, secrets, listener, channel: ChannelOptions::default() };
        let started = Group::start(config, Box::new(Blind(sender))).await.unwrap();
        // It lasts as long as the process.
        std::mem::forget(started);
    });
    receiver.recv().unwrap()
}

/// Gives away what it is told of this node, and sees nobody.
struct Blind(Sender<Local>);

impl Membership for Blind {
    fn begin(&mut self, local: Local) -> std::io::Result<()> {
        self.0.send(local).map_err(std::io::Error::other)
    }

    fn next(&mut self) -> NextSighting<'_> {
        Box::pin(std::future::pending())
    }
}
