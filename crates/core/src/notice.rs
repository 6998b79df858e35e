//! Notices to listeners: the fact that something changed, never a value and never a secret.

use crate::{AppId, EndReason, SessionKey};

/// One change of one session, as this node applied it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The session.
    pub key: SessionKey,
    /// Its application.
    pub app: AppId,
    /// The change.
    pub change: SessionChange,
    /// The same on every node and at every repetition, and in all likelihood of no other change.
    pub event_id: u64,
    /// Done by another member, and learned from it.
    pub remote: bool,
}

/// A change of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionChange {
    /// It came into being. If `remote`, it came to this node. Its attributes follow as added.
    Created,
    /// It ended, and all its attributes with it.
    Ended {
        /// Why.
        reason: EndReason,
    },
    /// It has an attribute that it did not have before.
    AttributeAdded {
        /// The attribute.
        name: Box<str>,
    },
    /// An attribute was set again, perhaps to the value that it had.
    AttributeReplaced {
        /// The attribute.
        name: Box<str>,
    },
    /// An attribute is gone.
    AttributeRemoved {
        /// The attribute.
        name: Box<str>,
    },
    /// Somebody logged in or out.
    PrincipalChanged,
    /// It has a new secret, and so its user a new cookie.
    IdChanged,
    /// It ends after another idle time than before.
    MaxInactiveChanged,
}
