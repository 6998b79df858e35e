//! Messages of the application's own, from member to member, beside the sessions.
//!
//! `post` numbers what goes out and sorts what comes in; `inbox` is one listener's queue. None of it passes
//! through the core: a message is no change of a session, and nothing waits for it.

mod inbox;
pub(crate) mod post;

use bytes::Bytes;
use sessile_core::{Incarnation, Message as Letter};
use sessile_group::SendError;
use thiserror::Error;

pub use inbox::{Messages, NoMessage};

use super::ClusterNode;
use super::frame_sender::FrameSender;

/// Whom a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To<'a> {
    /// Every member but this one.
    All,
    /// The member of this node name.
    Member(&'a str),
}

/// A message that another member sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The sender's node name.
    pub from: String,
    /// The sender's process.
    pub incarnation: Incarnation,
    /// What it says.
    pub content: Bytes,
}

/// Why a message did not go to all who should get it.
#[derive(Clone, PartialEq, Eq, Error)]
pub enum MessageError {
    /// The topic is too long; nobody got the message.
    #[error("a topic of {bytes} bytes is too long: at most {}", Letter::TOPIC_MAX_BYTES)]
    TopicTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The content is too long; nobody got the message.
    #[error(
        "a message of {bytes} bytes is too long: at most {}; send it in parts",
        Letter::CONTENT_MAX_BYTES
    )]
    ContentTooLong {
        /// Its length.
        bytes: usize,
    },
    /// A node does not send to itself.
    #[error("{name} is this node itself, which gets none of its own messages")]
    Own {
        /// The name.
        name: String,
    },
    /// There is no such member now.
    #[error("no member is named {name:?} now; `Cluster::members` lists them")]
    NoSuchMember {
        /// The name.
        name: String,
    },
    /// These members could not be reached; the others were.
    #[error("the message went to {reached} members, but not to {}", list(missed))]
    Unreached {
        /// How many it went to.
        reached: usize,
        /// Node names, and why.
        missed: Vec<(String, SendError)>,
    },
}

/// As [`Display`](std::fmt::Display): a `main` that returns it shows it so.
impl std::fmt::Debug for MessageError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

fn list(missed: &[(String, SendError)]) -> String {
    let words: Vec<String> = missed.iter().map(|(name, cause)| format!("{name} ({cause})")).collect();
    words.join(", ")
}

impl ClusterNode {
    /// Sends `content` about `topic` to one member or to all, and says to how many it went. Never waits.
    ///
    /// What is promised: each message arrives at most once, whole, from whom it says, and those of one sender
    /// in the order of these calls. What is **not** promised: that it arrives. It is lost when the link
    /// breaks, when its receiver stops, or when nobody there listens to the topic; a message is no commit,
    /// has no receipt, and is not sent again to members that join later. What must not be lost belongs in a
    /// session.
    ///
    /// ```
    /// # use sessile_node::ClusterNode;
    /// # use sessile_node::messages::{MessageError, To};
    /// fn forget_price(cluster: &ClusterNode, article: &str) -> Result<(), MessageError> {
    ///     cluster.send(To::All, "price changed", article.to_owned())?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// A bound, an unknown name, or members that could not be reached, by name; the others then got it.
    pub fn send(&self, to: To<'_>, topic: &str, content: impl Into<Bytes>) -> Result<usize, MessageError> {
        let content = content.into();
        if topic.len() > Letter::TOPIC_MAX_BYTES {
            return Err(MessageError::TopicTooLong { bytes: topic.len() });
        }
        if content.len() > Letter::CONTENT_MAX_BYTES {
            return Err(MessageError::ContentTooLong { bytes: content.len() });
        }
        let receivers = self.receivers(to)?;
        let Some(sender) = &self.inner.shared.frame_sender else { return Ok(0) };
        let missed =
            self.inner.shared.post.send(topic, &content, |frame| hand_out(sender, &receivers, frame));
        let reached = receivers.len() - missed.len();
        if missed.is_empty() { Ok(reached) } else { Err(MessageError::Unreached { reached, missed }) }
    }

    /// Everything that other members send about `topic` from now on. Each listener gets every message, and
    /// reads at its own pace within a bound: 1,024 messages or 16 MiB.
    pub fn messages(&self, topic: &str) -> Messages {
        self.inner.shared.post.listen(topic)
    }

    fn receivers(&self, to: To<'_>) -> Result<Vec<(Incarnation, String)>, MessageError> {
        let engine = &self.inner.shared;
        let members = engine.node.members(engine.clock.now()).into_iter().filter(|row| !row.is_self);
        let members = members.map(|row| (row.incarnation, row.name));
        let To::Member(name) = to else { return Ok(members.collect()) };
        let named: Vec<_> = members.filter(|(_, member)| member == name).collect();
        match named.is_empty() {
            false => Ok(named),
            true if name == self.name() => Err(MessageError::Own { name: name.to_owned() }),
            true => Err(MessageError::NoSuchMember { name: name.to_owned() }),
        }
    }
}

/// Those who did not get it, and why.
fn hand_out(
    sender: &FrameSender,
    receivers: &[(Incarnation, String)],
    frame: Bytes,
) -> Vec<(String, SendError)> {
    let missed = receivers.iter().filter_map(|(incarnation, name)| {
        let failure = sender.send(*incarnation, frame.clone()).err()?;
        Some((name.clone(), failure))
    });
    missed.collect()
}
