//! The frames that nodes exchange, and nothing about when they are sent (PROTOCOL.md lists them).
//!
//! A frame is a kind (`u16`, little endian) and a body. The channel keeps the length, so a node skips a
//! kind that it does not know. Bodies are CBOR arrays (RFC 8949) decoded with bounds by `minicbor`: fields
//! that a newer node appended are skipped, missing ones take their default. Frames that must arrive in
//! order carry a [`Position`] between kind and body.
//!
//! Decoding is total: any bytes give a frame or a [`Malformed`], never a panic and no allocation beyond
//! the input's own size.

mod control;
mod copies;
mod kind;
mod message;
mod position;
mod repair;

pub(crate) use control::{
    Adopted, Echo, Heartbeat, Included, Join, Leave, MemberEntry, Out, Phase, Refused, RefusedReason, Removed,
};
pub(crate) use copies::{Copies, Delta, End, FieldChange, PackedCopy, Snapshot, StampedField, Touch};
pub use kind::FrameKind;
use message::MESSAGE;
pub use message::Message;
pub(crate) use position::POSITION_BYTES;
pub use position::Position;
pub(crate) use repair::{
    Ack, AckLine, Answer, Ask, Digest, Entry, Exception, Gap, Listing, Mark, NotDonor, Synced, Verdict, Want,
};

use std::ops::RangeInclusive;

use bytes::{BufMut, Bytes};
use thiserror::Error;

/// Bytes of the kind at the head of every frame.
const KIND_BYTES: usize = 2;

/// A frame that cannot be read. The sender's state is not touched by it.
#[derive(Debug, Error)]
pub enum Malformed {
    /// Not even a kind.
    #[error("a frame of {0} bytes has no kind")]
    TooShort(usize),
    /// The body does not say what its kind must say.
    #[error("frame kind {kind}: {cause}")]
    Body {
        /// The kind as sent.
        kind: u16,
        /// The decoder's finding.
        cause: minicbor::decode::Error,
    },
    /// A value that no node of any version sends.
    #[error("frame kind {kind}: {what} is out of range")]
    OutOfRange {
        /// The kind as sent.
        kind: u16,
        /// Which part.
        what: &'static str,
    },
}

/// The frames without a position are two closed sets: a match over one of them names every kind in it, so
/// that a kind that nobody handles does not compile.
macro_rules! frames {
    (
        $(#[$attribute:meta])*
        $set:ident $(<$of:lifetime>)? { $( $number:literal $kind:ident $(<$life:lifetime>)? ),* $(,)? }
    ) => {
        $(#[$attribute])*
        #[derive(Debug)]
        pub(crate) enum $set $(<$of>)? { $( $kind($kind $(<$life>)?) ),* }

        $( impl $(<$life>)? Plain for $kind $(<$life>)? { const KIND: u16 = $number; } )*

        impl $(<$of>)? $set $(<$of>)? {
            /// The numbers of all kinds in this set.
            #[cfg(test)]
            pub(super) const NUMBERS: &'static [u16] = &[ $( $number ),* ];

            /// `None` for a kind that is not in this set.
            fn decode(kind: u16, body: &$($of)? [u8]) -> Result<Option<Self>, Malformed> {
                let malformed = |cause| Malformed::Body { kind, cause };
                Ok(Some(match kind {
                    $( $number => Self::$kind(minicbor::decode(body).map_err(malformed)?), )*
                    _ => return Ok(None),
                }))
            }
        }
    };
}

/// A body that travels without a position.
pub(crate) trait Plain {
    /// Its number on the wire.
    const KIND: u16;
}

frames! {
    /// Frames for the roster: who is a member.
    MembershipFrame {
        1 Heartbeat, 2 Echo, 3 Join, 4 Included, 5 Refused, 6 Leave, 7 Removed, 8 Adopted, 9 Out,
    }
}

frames! {
    /// Frames for a shard that may arrive in any order.
    ShardFrame<'b> {
        20 Touch, 21 Ack, 22 Gap, 23 Ask, 24 Answer<'b>,
        30 Digest, 31 Listing, 32 Want, 33 Synced, 34 NotDonor,
    }
}

/// The kinds that carry a position, those of versions to come included.
const SEQUENCED: RangeInclusive<u16> = 40..=49;
const DELTA: u16 = 40;
const SNAPSHOT: u16 = 41;
const END: u16 = 42;
const COPIES: u16 = 43;
/// A snapshot in a store: never sent, so that it needs no position.
pub(crate) const SAVED: u16 = 50;

/// The body of a frame that has a place in the order of one shard on one link.
#[derive(Debug)]
pub(crate) enum Sequenced<'b> {
    Delta(Delta<'b>),
    Snapshot(Snapshot<'b>),
    End(End),
    Copies(Copies<'b>),
    /// A change that only a newer version can read.
    Unknown,
}

/// Any frame that this version knows.
#[derive(Debug)]
pub(crate) enum Frame<'b> {
    Membership(MembershipFrame),
    Shard(ShardFrame<'b>),
    Sequenced(Position, Sequenced<'b>),
}

/// Reads one frame; `None` for a kind that this version does not know. Rules 1.7 and 12.1.
pub(crate) fn decode(frame: &[u8]) -> Result<Option<Frame<'_>>, Malformed> {
    let Some((kind, body)) = frame.split_first_chunk::<KIND_BYTES>() else {
        return Err(Malformed::TooShort(frame.len()));
    };
    let kind = u16::from_le_bytes(*kind);
    let malformed = |cause| Malformed::Body { kind, cause };
    if !SEQUENCED.contains(&kind) {
        return Ok(match MembershipFrame::decode(kind, body)? {
            Some(about_members) => Some(Frame::Membership(about_members)),
            None => ShardFrame::decode(kind, body)?.map(Frame::Shard),
        });
    }
    let (position, body) = Position::read(body).ok_or(Malformed::OutOfRange { kind, what: "the place" })?;
    let body = match kind {
        DELTA => Sequenced::Delta(minicbor::decode(body).map_err(malformed)?),
        SNAPSHOT => Sequenced::Snapshot(minicbor::decode(body).map_err(malformed)?),
        END => Sequenced::End(minicbor::decode(body).map_err(malformed)?),
        COPIES => Sequenced::Copies(minicbor::decode(body).map_err(malformed)?),
        _ => Sequenced::Unknown,
    };
    Ok(Some(Frame::Sequenced(position, body)))
}

/// Writes a frame without a position.
pub(crate) fn encode<T: Plain + minicbor::Encode<()>>(body: &T) -> Bytes {
    let mut buffer = Vec::with_capacity(64);
    buffer.put_u16_le(T::KIND);
    encode_body(body, &mut buffer);
    buffer.into()
}

/// Writes a copy for a store.
pub(crate) fn encode_saved(body: &Snapshot<'_>) -> Bytes {
    let mut buffer = Vec::with_capacity(256);
    buffer.put_u16_le(SAVED);
    encode_body(body, &mut buffer);
    buffer.into()
}

/// Reads a copy from a store.
pub(crate) fn decode_saved(content: &[u8]) -> Result<Snapshot<'_>, Malformed> {
    let Some((kind, body)) = content.split_first_chunk::<KIND_BYTES>() else {
        return Err(Malformed::TooShort(content.len()));
    };
    match u16::from_le_bytes(*kind) {
        SAVED => minicbor::decode(body).map_err(|cause| Malformed::Body { kind: SAVED, cause }),
        kind => Err(Malformed::OutOfRange { kind, what: "the kind of a stored session" }),
    }
}

fn encode_body<T: minicbor::Encode<()>>(body: &T, buffer: &mut Vec<u8>) {
    minicbor::encode(body, buffer).expect("memory takes every byte, and no body can fail to encode");
}

/// Beside its name and value a field of a copy has lengths, a timestamp and a codec, which seldom take more:
/// a frame that has to grow while it is written leaves a gap in memory that nothing fits into.
const FIELD_COST: usize = 16;
/// The most bytes that a copy among others takes beside its fields.
const COPY_COST: usize = 72;

/// A frame without its position: written once, and cloned for all members but the last.
#[derive(Clone)]
pub(crate) struct Draft(Vec<u8>);

impl Draft {
    pub(crate) fn delta(body: &Delta<'_>, size_hint: usize) -> Self {
        Self::new(DELTA, body, size_hint)
    }

    pub(crate) fn snapshot(body: &Snapshot<'_>, size_hint: usize) -> Self {
        Self::new(SNAPSHOT, body, size_hint + body.fields.len() * FIELD_COST)
    }

    /// Several copies in one frame.
    pub(crate) fn copies(body: &Copies<'_>) -> Self {
        let size_hint = body.copies.iter().map(|copy| copy.fields.len() + COPY_COST).sum();
        Self::new(COPIES, body, size_hint)
    }

    pub(crate) fn end(body: &End) -> Self {
        Self::new(END, body, 64)
    }

    fn new<T: minicbor::Encode<()>>(kind: u16, body: &T, size_hint: usize) -> Self {
        let mut buffer = Vec::with_capacity(KIND_BYTES + POSITION_BYTES + size_hint + 64);
        buffer.put_u16_le(kind);
        buffer.put_bytes(0, POSITION_BYTES);
        encode_body(body, &mut buffer);
        Self(buffer)
    }

    /// Bytes of the frame.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The frame at `place`, for one member.
    pub(crate) fn at(mut self, position: Position) -> Bytes {
        position.write(&mut self.0[KIND_BYTES..KIND_BYTES + POSITION_BYTES]);
        self.0.into()
    }
}

#[cfg(test)]
#[path = "wire/tests.rs"]
mod tests;
