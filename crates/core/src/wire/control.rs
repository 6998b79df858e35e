//! Frames about members: heartbeats, joining, removing, leaving.

use minicbor::{Decode, Encode};

/// How far the sender is. A phase that this version does not know counts as `Starting`: not serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Not serving; holds nothing that others could lack.
    Starting,
    /// Not serving; holds sessions of an earlier membership.
    Returning,
    /// Serving.
    Ready,
    /// Serving, but not a donor: the transfer time passed before everything was there.
    Incomplete,
    /// Serving what still comes, about to leave.
    Draining,
}

impl Phase {
    /// Whether the node may answer requests.
    pub(crate) fn serves(self) -> bool {
        matches!(self, Self::Ready | Self::Incomplete | Self::Draining)
    }

    fn number(self) -> u8 {
        match self {
            Self::Starting => 0,
            Self::Returning => 1,
            Self::Ready => 2,
            Self::Incomplete => 3,
            Self::Draining => 4,
        }
    }
}

impl<C> Encode<C> for Phase {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u8(self.number())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Phase {
    /// Rule 12.1.
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Ok(match d.u8()? {
            1 => Self::Returning,
            2 => Self::Ready,
            3 => Self::Incomplete,
            4 => Self::Draining,
            _ => Self::Starting,
        })
    }
}

/// "I am here": to every linked process, numbered, answered with an echo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Heartbeat {
    #[n(0)]
    pub(crate) number: u64,
    #[n(1)]
    pub(crate) phase: Phase,
    /// The sender counts the receiver among its members.
    #[n(2)]
    pub(crate) member: bool,
    /// Members of the sender's view, itself included.
    #[n(3)]
    pub(crate) side: u32,
    /// The smallest incarnation among them.
    #[n(4)]
    pub(crate) least: u32,
}

/// "I heard your heartbeat."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Echo {
    #[n(0)]
    pub(crate) number: u64,
    /// You may answer requests for one lease from when you sent it.
    #[n(1)]
    pub(crate) grant: bool,
}

/// "Deliver to me from now on."
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Join {
    #[n(0)]
    pub(crate) name: String,
    #[n(1)]
    pub(crate) phase: Phase,
}

/// One member as another sees it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct MemberEntry {
    #[n(0)]
    pub(crate) incarnation: u32,
    #[n(1)]
    pub(crate) name: String,
}

/// "You are in my delivery set. These are the others in it."
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Included {
    #[n(0)]
    pub(crate) view: Vec<MemberEntry>,
    #[n(1)]
    pub(crate) phase: Phase,
}

/// Why a process may not join.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum RefusedReason {
    /// A live process has its name.
    #[n(0)]
    NameTaken,
    /// It was succeeded by another process of its name.
    #[n(1)]
    Barred,
}

/// "You may not join."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Refused {
    #[n(0)]
    pub(crate) reason: RefusedReason,
    /// The process that stands in the way.
    #[n(1)]
    pub(crate) by: u32,
}

/// "I go, and owe nobody anything."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Leave {}

/// "This process is out of my view: adopt it."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Removed {
    #[n(0)]
    pub(crate) incarnation: u32,
    /// Its process is proven gone.
    #[n(1)]
    pub(crate) gone: bool,
}

/// "It is out of mine too: it gets no lease from me and I adopt no removal that it announces."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Adopted {
    #[n(0)]
    pub(crate) incarnation: u32,
}

/// "You are out of my view."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Out {}
