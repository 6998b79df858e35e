//! Gossip between nodes in virtual time, over a network that may lose what it carries.

use std::collections::BTreeSet;

use super::*;

const FREQUENCY: Duration = Duration::from_millis(500);

fn address(number: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], number))
}

/// Nodes that speak over a network without delay.
struct Network {
    nodes: Vec<Gossip>,
    /// Whose datagrams are lost, from and to.
    cut: BTreeSet<(SocketAddr, SocketAddr)>,
    silent: BTreeSet<SocketAddr>,
    carried: u64,
}

impl Network {
    fn of(size: u16) -> Self {
        let nodes =
            (1..=size).map(|n| Gossip::new(address(n), u32::from(n) * 7919, FREQUENCY, n.into())).collect();
        Self { nodes, cut: BTreeSet::new(), silent: BTreeSet::new(), carried: 0 }
    }

    fn deliver(&mut self) {
        loop {
            let mut sent = Vec::new();
            for node in &mut self.nodes {
                let from = node.own.address;
                sent.extend(node.take_datagrams().into_iter().map(|(to, content)| (from, to, content)));
            }
            if sent.is_empty() {
                return;
            }
            for (from, to, content) in sent {
                self.carried += 1;
                let lost =
                    self.cut.contains(&(from, to)) || [from, to].iter().any(|one| self.silent.contains(one));
                if let Some(node) = self.nodes.iter_mut().find(|node| node.own.address == to && !lost) {
                    assert!(node.hear(&content), "all of it makes sense");
                }
            }
        }
    }

    /// Lets this much time go by, a tick after the other; every second each node asks the seed.
    async fn run(&mut self, time: Duration, seed: SocketAddr) {
        let tick = Duration::from_millis(50);
        for turn in 0..time.as_millis() / tick.as_millis() {
            tokio::time::advance(tick).await;
            for node in &mut self.nodes {
                node.handle_due(Instant::now());
                if turn % 20 == 0 {
                    node.ask_seed(seed);
                }
            }
            self.deliver();
        }
    }

    fn sees(&self, index: usize) -> BTreeSet<SocketAddr> {
        self.nodes[index].members().collect()
    }
}

#[tokio::test(start_paused = true)]
async fn thirty_that_start_at_once_all_see_each_other_within_ten_seconds() {
    let mut network = Network::of(30);
    network.run(Duration::from_secs(10), address(1)).await;
    for index in 0..30 {
        assert_eq!(network.sees(index).len(), 29, "node {}", index + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_node_sends_does_not_grow_with_the_cluster() {
    let mut rates = Vec::new();
    for size in [10, 40] {
        let mut network = Network::of(size);
        network.run(Duration::from_secs(20), address(1)).await;
        let before = network.carried;
        network.run(Duration::from_secs(10), address(1)).await;
        rates.push((network.carried - before) as f64 / f64::from(size));
    }
    assert!(rates[1] < rates[0] * 1.5, "datagrams a node in 10 s, of 10 and of 40 nodes: {rates:?}");
}

#[tokio::test(start_paused = true)]
async fn a_node_behind_a_one_way_loss_is_asked_through_others() {
    let mut network = Network::of(5);
    network.run(Duration::from_secs(5), address(1)).await;
    network.cut.insert((address(2), address(3)));
    network.cut.insert((address(3), address(2)));
    network.run(Duration::from_secs(60), address(1)).await;
    for index in 0..5 {
        assert_eq!(network.sees(index).len(), 4, "the others vouch for both, at node {}", index + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_one_is_left_out_and_its_successor_at_the_address_is_taken() {
    let mut network = Network::of(5);
    network.run(Duration::from_secs(5), address(1)).await;
    network.silent.insert(address(4));
    network.run(Duration::from_secs(40), address(1)).await;
    for index in [0, 1, 2, 4] {
        assert!(!network.sees(index).contains(&address(4)), "node {}", index + 1);
    }
    network.silent.clear();
    network.nodes[3] = Gossip::new(address(4), 1, FREQUENCY, 99);
    network.run(Duration::from_secs(20), address(1)).await;
    for index in [0, 1, 2, 4] {
        assert!(network.sees(index).contains(&address(4)), "node {}", index + 1);
    }
    assert_eq!(network.sees(3).len(), 4);
}

#[tokio::test(start_paused = true)]
async fn two_halves_that_were_apart_find_each_other_again() {
    let mut network = Network::of(6);
    network.run(Duration::from_secs(5), address(1)).await;
    for (one, other) in (1..=3).flat_map(|one| (4..=6).map(move |other| (one, other))) {
        network.cut.insert((address(one), address(other)));
        network.cut.insert((address(other), address(one)));
    }
    network.run(Duration::from_secs(60), address(1)).await;
    assert_eq!(network.sees(0).len(), 2);
    network.cut.clear();
    network.run(Duration::from_secs(30), address(1)).await;
    for index in 0..6 {
        assert_eq!(network.sees(index).len(), 5, "node {}", index + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_invented_nodes_is_bounded() {
    let mut node = Gossip::new(address(1), 1, FREQUENCY, 1);
    for number in 0..5000_u32 {
        let invented = SocketAddr::from((std::net::Ipv4Addr::from(0x0b00_0000 + number), 1));
        let mut other = Gossip::new(invented, number + 2, FREQUENCY, number.into());
        other.ask_seed(address(1));
        for (_, content) in other.take_datagrams() {
            node.hear(&content);
        }
        node.take_datagrams();
        assert!(node.foca.iter_membership_state().len() <= NODES_MAX);
        assert!(node.timers.len() <= 8 * NODES_MAX, "{}", node.timers.len());
    }
    assert!(!node.hear(b"\x86\x83 rubbish"));
}
