//! Why a handshake came to nothing: one closed list, counted by cause on both sides.

/// The cause of a handshake that did not end in a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HandshakeRefusal {
    /// The certificate is not of our cluster: another secret, or another cluster's name.
    #[error("its certificate was not made from this cluster's secret and name")]
    Untrusted,
    /// What came is no HELLO.
    #[error("it does not speak this protocol")]
    Malformed,
    /// No protocol version that both sides speak.
    #[error("no protocol version in common")]
    Version,
    /// Another cluster's name (seen only without secrets; with them the certificate already differs).
    #[error("it belongs to another cluster")]
    Cluster,
    /// The HELLO says another name or incarnation than the certificate.
    #[error("its HELLO and its certificate name different processes")]
    Identity,
    /// The incarnation is in use by another process: it has to draw a new one.
    #[error("its incarnation is in use by another process")]
    Incarnation,
    /// The process was barred: another one took its place.
    #[error("this process was barred")]
    Barred,
    /// There are more processes or connections than this node keeps.
    #[error("too many processes or connections")]
    Full,
    /// It did not finish in time, or closed.
    #[error("it did not finish the handshake")]
    Silent,
    /// Pushed out by newer connections while it waited for its handshake.
    #[error("too many handshakes were under way at once")]
    Crowded,
}

impl HandshakeRefusal {
    /// Every cause, in the order in which they are counted.
    pub const ALL: [Self; 10] = [
        Self::Untrusted,
        Self::Malformed,
        Self::Version,
        Self::Cluster,
        Self::Identity,
        Self::Incarnation,
        Self::Barred,
        Self::Full,
        Self::Silent,
        Self::Crowded,
    ];

    /// A short word for metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Untrusted => "untrusted",
            Self::Malformed => "malformed",
            Self::Version => "version",
            Self::Cluster => "cluster",
            Self::Identity => "identity",
            Self::Incarnation => "incarnation",
            Self::Barred => "barred",
            Self::Full => "full",
            Self::Silent => "silent",
            Self::Crowded => "crowded",
        }
    }

    /// The number that travels in the answer to a HELLO. Never reused for another cause.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Untrusted => 1,
            Self::Malformed => 2,
            Self::Version => 3,
            Self::Cluster => 4,
            Self::Identity => 5,
            Self::Incarnation => 6,
            Self::Barred => 7,
            Self::Full => 8,
            Self::Silent => 9,
            Self::Crowded => 10,
        }
    }

    /// The cause behind a number. One that a newer node invented counts as [`HandshakeRefusal::Version`].
    pub(crate) fn from_code(code: u8) -> Self {
        Self::ALL.into_iter().find(|cause| cause.code() == code).unwrap_or(Self::Version)
    }

    /// Whether dialing the same address again soon may end differently.
    pub(crate) fn is_passing(self) -> bool {
        matches!(self, Self::Silent | Self::Crowded | Self::Full)
    }
}
