//! Numbers the messages that go out, and brings those that come in to their listeners.
//!
//! A channel may double frames and let one overtake another. The numbers make of that what is promised: at
//! most once, and in order.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use sessile_core::{Incarnation, Message as Letter};
use sessile_group::Peer;

use super::Message;
use super::inbox::{Inbox, Messages};

/// Senders whose newest number is remembered; beyond it, the one that was silent longest is forgotten.
const SENDERS_MAX: usize = 1024;

/// This process's messages, both ways.
#[derive(Debug, Default)]
pub(crate) struct Post {
    /// The newest number that was used; held while its message is handed out, so that the order of the
    /// numbers is the order on every link.
    sent: Mutex<u64>,
    senders: Mutex<Senders>,
    topics: Mutex<Topics>,
    /// Messages about which nobody here wanted to hear.
    pub(crate) unclaimed: AtomicU64,
    /// Messages that were dropped because their listener was too slow.
    pub(crate) missed: AtomicU64,
}

#[derive(Debug, Default)]
struct Topics {
    listeners: HashMap<String, Vec<Weak<Inbox>>>,
    closed: bool,
}

/// What was last taken from each process, and when, counted in messages.
#[derive(Debug, Default)]
struct Senders {
    newest: HashMap<Incarnation, (u64, u64)>,
    turn: u64,
}

impl Post {
    /// Gives the message its number and its frame to `hand_out`.
    pub(super) fn send<R>(&self, topic: &str, content: &[u8], hand_out: impl FnOnce(Bytes) -> R) -> R {
        let mut sent = self.sent.lock();
        *sent += 1;
        hand_out(Letter { number: *sent, topic, content }.to_frame())
    }

    pub(super) fn listen(&self, topic: &str) -> Messages {
        let inbox = Arc::<Inbox>::default();
        let mut topics = self.topics.lock();
        if topics.closed {
            inbox.close();
        }
        topics.listeners.retain(|_, inboxes| {
            inboxes.retain(|inbox| inbox.strong_count() > 0);
            !inboxes.is_empty()
        });
        topics.listeners.entry(topic.to_owned()).or_default().push(Arc::downgrade(&inbox));
        Messages::of(inbox)
    }

    /// Brings `letter`, which came in `frame`, to all who listen to its topic.
    pub(crate) fn deliver(&self, from: &Peer, letter: &Letter<'_>, frame: &Bytes) {
        if !self.senders.lock().is_next(Incarnation(from.incarnation), letter.number) {
            return;
        }
        let message = Message {
            from: from.name.clone(),
            incarnation: Incarnation(from.incarnation),
            content: frame.slice_ref(letter.content),
        };
        let topics = self.topics.lock();
        let inboxes = topics.listeners.get(letter.topic).into_iter().flatten().filter_map(Weak::upgrade);
        let mut listeners = 0_u64;
        for inbox in inboxes {
            self.missed.fetch_add(inbox.push(message.clone()), Relaxed);
            listeners += 1;
        }
        self.unclaimed.fetch_add(u64::from(listeners == 0), Relaxed);
    }

    /// Nothing more will come: who listens is told.
    pub(crate) fn close(&self) {
        let mut topics = self.topics.lock();
        topics.closed = true;
        topics.listeners.values().flatten().filter_map(Weak::upgrade).for_each(|inbox| inbox.close());
    }
}

impl Drop for Post {
    fn drop(&mut self) {
        self.close();
    }
}

impl Senders {
    /// Whether `number` is above all that came from this process before.
    fn is_next(&mut self, from: Incarnation, number: u64) -> bool {
        self.turn += 1;
        let newest = self.newest.entry(from).or_default();
        newest.1 = self.turn;
        if number <= newest.0 {
            return false;
        }
        newest.0 = number;
        if self.newest.len() > SENDERS_MAX {
            let silent =
                self.newest.iter().min_by_key(|(_, (_, turn))| *turn).map(|(incarnation, _)| *incarnation);
            silent.and_then(|incarnation| self.newest.remove(&incarnation));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::NoMessage;

    fn peer(incarnation: u32) -> Peer {
        Peer {
            name: format!("tc{incarnation:02}"),
            incarnation,
            address: ([127, 0, 0, 1], 1).into(),
            features: 0,
            notice: String::new(),
        }
    }

    fn deliver(post: &Post, from: u32, number: u64, topic: &str, content: &[u8]) {
        let frame = Letter { number, topic, content }.to_frame();
        post.deliver(&peer(from), &Letter::of(&frame).unwrap().unwrap(), &frame);
    }

    #[tokio::test]
    async fn doubled_and_late_messages_are_dropped() {
        let post = Post::default();
        let mut messages = post.listen("x");
        for number in [1, 2, 2, 1, 4, 3] {
            deliver(&post, 1, number, "x", &[number as u8]);
        }
        deliver(&post, 2, 1, "x", &[9]);
        drop(post);
        let mut got = Vec::new();
        while let Ok(message) = messages.recv().await {
            got.push((message.from, message.content[0]));
        }
        let tc01 = |content| ("tc01".to_owned(), content);
        assert_eq!(got, [tc01(1), tc01(2), tc01(4), ("tc02".to_owned(), 9)]);
    }

    #[tokio::test]
    async fn a_slow_listener_learns_how_much_it_missed() {
        let post = Post::default();
        let mut messages = post.listen("x");
        for number in 1..=1030 {
            deliver(&post, 1, number, "x", b"");
        }
        assert_eq!(messages.recv().await, Err(NoMessage::Missed(6)));
        assert!(messages.recv().await.is_ok());
        let large = vec![0; Letter::CONTENT_MAX_BYTES];
        for number in 2000..2020 {
            deliver(&post, 1, number, "x", &large);
        }
        assert!(matches!(messages.recv().await, Err(NoMessage::Missed(missed)) if missed > 1000));
        assert_eq!(post.missed.load(Relaxed), 6 + 1023 + 4);
    }

    #[test]
    fn topics_nobody_listens_to_are_counted_and_listeners_that_went_are_forgotten() {
        let post = Post::default();
        let messages = post.listen("größe");
        deliver(&post, 1, 1, "other", b"");
        drop(messages);
        deliver(&post, 1, 2, "größe", b"");
        assert_eq!(post.unclaimed.load(Relaxed), 2);
        drop(post.listen("x"));
        drop(post.listen("y"));
        assert_eq!(post.topics.lock().listeners.len(), 1);
    }

    #[test]
    fn the_table_of_senders_is_bounded() {
        let mut senders = Senders::default();
        for incarnation in 0..3000 {
            assert!(senders.is_next(Incarnation(incarnation), 5));
        }
        assert_eq!(senders.newest.len(), SENDERS_MAX);
        assert!(!senders.is_next(Incarnation(2999), 5), "the latest ones are remembered");
    }
}
