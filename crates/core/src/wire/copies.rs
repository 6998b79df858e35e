//! Frames that carry what sessions hold.

use minicbor::encode::{self, Write};
use minicbor::{Decode, Decoder, Encode, Encoder, decode};

use crate::{Incarnation, NameRef, Timestamp};

/// One field's change; its timestamp is the commit's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct FieldChange<'b> {
    #[b(0)]
    pub(crate) name: &'b str,
    #[n(1)]
    pub(crate) codec: u8,
    /// `None`: the field was removed.
    #[cbor(b(2), with = "minicbor::bytes")]
    pub(crate) value: Option<&'b [u8]>,
}

/// The fields that one commit changed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Delta<'b> {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) key: [u8; 16],
    /// The commit's timestamp: the session's new clock, and the writer.
    #[n(1)]
    pub(crate) counter: u64,
    #[n(2)]
    pub(crate) writer: u32,
    #[n(3)]
    pub(crate) touch: u32,
    #[cbor(b(4), decode_with = "decode_list")]
    pub(crate) fields: Vec<FieldChange<'b>>,
}

impl Delta<'_> {
    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::new(self.counter, Incarnation(self.writer))
    }
}

/// One field with the timestamp it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct StampedField<'b> {
    #[b(0)]
    pub(crate) name: NameRef<'b>,
    #[n(1)]
    pub(crate) counter: u64,
    #[n(2)]
    pub(crate) writer: u32,
    #[n(3)]
    pub(crate) codec: u8,
    /// `None`: removed, and the mark travels.
    #[cbor(b(4), with = "minicbor::bytes")]
    pub(crate) value: Option<&'b [u8]>,
}

impl StampedField<'_> {
    pub(crate) fn timestamp(&self) -> Timestamp {
        Timestamp::new(self.counter, Incarnation(self.writer))
    }
}

/// A complete copy of one session.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Snapshot<'b> {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) key: [u8; 16],
    #[n(1)]
    pub(crate) app: u32,
    /// The creator, and the number among its sessions in this shard.
    #[n(2)]
    pub(crate) birth_incarnation: u32,
    #[n(3)]
    pub(crate) birth_number: u64,
    #[n(4)]
    pub(crate) clock: u64,
    #[n(5)]
    pub(crate) touch: u32,
    /// Time since the last use and since the creation, by the sender's clock.
    #[n(6)]
    pub(crate) idle_ms: u64,
    #[n(7)]
    pub(crate) age_ms: u64,
    #[cbor(b(8), decode_with = "decode_list")]
    pub(crate) fields: Vec<StampedField<'b>>,
}

/// A complete copy of one small session among others: a [`Snapshot`] whose fields travel as they lie in
/// memory.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct PackedCopy<'b> {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) key: [u8; 16],
    #[n(1)]
    pub(crate) app: u32,
    #[n(2)]
    pub(crate) birth_incarnation: u32,
    #[n(3)]
    pub(crate) birth_number: u64,
    #[n(4)]
    pub(crate) clock: u64,
    #[n(5)]
    pub(crate) touch: u32,
    #[n(6)]
    pub(crate) idle_ms: u64,
    #[n(7)]
    pub(crate) age_ms: u64,
    #[cbor(b(8), with = "minicbor::bytes")]
    pub(crate) fields: &'b [u8],
}

/// Complete copies of several small sessions of one shard.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Copies<'b> {
    #[cbor(b(0), decode_with = "decode_list")]
    pub(crate) copies: Vec<PackedCopy<'b>>,
}

/// The end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct End {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) key: [u8; 16],
    #[n(1)]
    pub(crate) app: u32,
    #[n(2)]
    pub(crate) birth_incarnation: u32,
    /// Zero when the ending node never knew the session.
    #[n(3)]
    pub(crate) birth_number: u64,
    /// Expired: holds only against copies whose touch is not newer. Otherwise final.
    #[n(4)]
    pub(crate) expired: bool,
    #[n(5)]
    pub(crate) touch: u32,
    /// How long the end must be remembered at least.
    #[n(6)]
    pub(crate) keep_ms: u64,
    /// The session's clock when it ended.
    #[n(7)]
    pub(crate) clock: u64,
}

/// Somebody used a session without changing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Touch {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) key: [u8; 16],
    #[n(1)]
    pub(crate) touch: u32,
}

/// Room that is made for a list before it is read, in fields or copies. One that says that it is longer grows
/// as it is read.
const ROOM: u64 = 64;

/// A list of fields or copies, in memory that seldom has to grow.
fn decode_list<'b, C, T: Decode<'b, C>>(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Vec<T>, decode::Error> {
    let count = d.probe().array()?.unwrap_or(0);
    let mut list = Vec::with_capacity(count.min(ROOM) as usize);
    for item in d.array_iter_with(ctx)? {
        list.push(item?);
    }
    Ok(list)
}

/// A name is sent as its text, whichever form it has.
impl<C> Encode<C> for NameRef<'_> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        self.with_text(|text| e.str(text).map(drop))
    }
}

impl<'b, C> Decode<'b, C> for NameRef<'b> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        Ok(d.str()?.into())
    }
}
