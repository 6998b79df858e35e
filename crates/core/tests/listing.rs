//! Listing sessions page by page.

mod cluster;

use cluster::{APP, SECRET};
use sessile_core::{Changes, Effects, Instant, Node, SessionKey};
use std::time::Duration;

/// More than one hold of a shard's lock looks at, in each shard.
const SESSIONS: u64 = 80_000;

fn key(number: u64) -> SessionKey {
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    SessionKey(((u128::from(spread) << 64) | u128::from(spread.swap_bytes())).to_le_bytes())
}

fn filled(sessions: u64) -> Node {
    let node = cluster::alone(|settings| settings.bounds.max_active = SESSIONS);
    let changes = Changes::create(APP, SECRET, Duration::from_secs(1800), None);
    for number in 0..sessions {
        let (mut frames, now) = (Vec::new(), Instant::ORIGIN);
        node.commit(key(number), &changes, None, now, &mut Effects::new(&mut frames)).expect("there is room");
    }
    node
}

#[test]
fn pages_follow_each_other_without_a_gap_or_a_repetition() {
    let node = filled(SESSIONS);
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page: Vec<_> = node.sessions(after, 3_001, Instant::ORIGIN).iter().map(|row| row.key).collect();
        listed.extend(page.iter().copied());
        after = page.last().copied();
        if page.len() < 3_001 {
            break;
        }
    }
    let mut expected: Vec<_> = (0..SESSIONS).map(key).collect();
    expected.sort_by_key(|key| (key.shard(), *key));
    assert!(listed == expected, "{} sessions were listed", listed.len());
}

#[test]
fn a_page_without_a_limit_has_every_session() {
    let node = filled(100);
    assert_eq!(node.sessions(None, usize::MAX, Instant::ORIGIN).len(), 100);
    assert!(node.sessions(None, 0, Instant::ORIGIN).is_empty());
}
