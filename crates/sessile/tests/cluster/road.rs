//! A road to a node on which large things stop until they are let through: connections that carried more than
//! small frames are held in the middle of a frame. And on which connections stay open while what is sent on
//! them vanishes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::{Node, Town};

/// What a connection carries before it is held: the handshake and some hundred small frames, but no large
/// session.
const SMALL: usize = 48 << 10;
/// The size of a value that does not get through.
pub(crate) const LARGE: usize = 100 << 10;

/// Everything that other nodes send to one node goes over it.
pub(crate) struct Road {
    released: watch::Sender<bool>,
    /// Grows when the connections that are up go deaf.
    deafened: watch::Sender<u32>,
    _carrying: JoinSet<()>,
}

impl Road {
    /// Two nodes; what the first one sends to the second one goes over the road.
    pub(crate) async fn between_two(town: &Town) -> (Node, Node, Self) {
        let a = town.node("tc01", &[]).await;
        let entrance = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Free a moment ago, and given to nobody else for long after.
        let exit = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut config = town.config("tc02", &[&a]);
        config.receiver.listen = exit;
        config.receiver.advertise = Some(entrance.local_addr().unwrap().to_string().parse().unwrap());
        let (released, deafened) = (watch::Sender::new(false), watch::Sender::new(0));
        let mut carrying = JoinSet::new();
        carrying.spawn(accept(entrance, exit, released.subscribe(), deafened.subscribe()));
        let b = Node::join(config).await;
        a.until("both members", |a| a.sees().len() == 2).await;
        (a, b, Self { released, deafened, _carrying: carrying })
    }

    /// Lets everything through from now on.
    pub(crate) fn release(&self) {
        self.released.send_replace(true);
    }

    /// What is sent on the connections that are up now vanishes from now on; they stay open, and new ones
    /// carry.
    pub(crate) fn deafen(&self) {
        self.deafened.send_modify(|times| *times += 1);
    }
}

async fn accept(
    entrance: TcpListener,
    exit: SocketAddr,
    released: watch::Receiver<bool>,
    deafened: watch::Receiver<u32>,
) {
    let mut carried = JoinSet::new();
    while let Ok((from, _)) = entrance.accept().await {
        if let Ok(to) = TcpStream::connect(exit).await {
            carried.spawn(carry(from, to, released.clone(), deafened.clone()));
        }
    }
}

async fn carry(
    from: TcpStream,
    to: TcpStream,
    mut released: watch::Receiver<bool>,
    deafened: watch::Receiver<u32>,
) {
    let deafened_before = *deafened.borrow();
    let ((mut from, mut back), (mut answers, mut to)) = (from.into_split(), to.into_split());
    let forth = async move {
        let (mut bytes, mut carried) = (vec![0; 4096], 0);
        while let Ok(read @ 1..) = from.read(&mut bytes).await {
            carried += read;
            if carried > SMALL && released.wait_for(|released| *released).await.is_err() {
                return;
            }
            let is_deaf = *deafened.borrow() != deafened_before;
            if !is_deaf && to.write_all(&bytes[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = forth => {}
        _ = tokio::io::copy(&mut answers, &mut back) => {}
    }
}
