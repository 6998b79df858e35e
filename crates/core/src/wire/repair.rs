//! Frames that acknowledge, ask, compare and pay backlogs.

use minicbor::{Decode, Encode};

use super::{End, Snapshot};

/// Why one frame of an acknowledged run was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(crate) enum Verdict {
    /// No complete copy here: send one.
    #[n(0)]
    NeedSnapshot,
    /// The session ended here; the end follows.
    #[n(1)]
    Ended,
    /// No room for one more copy.
    #[n(2)]
    Full,
    /// An expiry met a copy that is in use; the copy follows.
    #[n(3)]
    InUse,
}

/// One frame that was not taken, or one of the copies in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Exception {
    #[n(0)]
    pub(crate) sequence: u32,
    #[n(1)]
    pub(crate) verdict: Verdict,
    /// Which of the frame's copies; without it all that is in the frame.
    #[n(2)]
    pub(crate) copy: Option<u32>,
}

/// "Of this shard's order in this epoch I processed everything from `first` up to before `next`."
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct AckLine {
    #[n(0)]
    pub(crate) shard: u8,
    #[n(1)]
    pub(crate) epoch: u32,
    /// A reordered acknowledgement that does not begin where the last one ended is not believed.
    #[n(2)]
    pub(crate) first: u32,
    #[n(3)]
    pub(crate) next: u32,
    #[n(4)]
    pub(crate) exceptions: Vec<Exception>,
}

/// One cumulative acknowledgement for everything that one read delivered.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Ack {
    #[n(0)]
    pub(crate) lines: Vec<AckLine>,
}

/// "Something is missing before what you sent."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Gap {
    #[n(0)]
    pub(crate) shard: u8,
    #[n(1)]
    pub(crate) epoch: u32,
}

/// "What do you know of this session?"
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Ask {
    #[n(0)]
    pub(crate) ask: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) key: [u8; 16],
    /// The asker means to expire it: who finds it idle too need not send it.
    #[n(2)]
    pub(crate) expiry: bool,
}

/// The answer to an [`Ask`]: an end, a copy, or neither.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Answer<'b> {
    #[n(0)]
    pub(crate) ask: u64,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub(crate) key: [u8; 16],
    #[n(2)]
    pub(crate) end: Option<End>,
    #[b(3)]
    pub(crate) copy: Option<Snapshot<'b>>,
    /// The newest use that the answering node knows, so that an expiry names it.
    #[n(4)]
    pub(crate) touch: Option<u32>,
}

/// "This is what I hold of this shard, in one number."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Digest {
    #[n(0)]
    pub(crate) shard: u8,
    #[n(1)]
    pub(crate) round: u32,
    #[n(2)]
    pub(crate) sessions: u64,
    #[n(3)]
    pub(crate) fingerprint: u64,
    /// The asker wants the state to join with: a member that lacks some must refuse.
    #[n(4)]
    pub(crate) joining: bool,
}

/// One session in a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Entry {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(crate) key: [u8; 16],
    #[n(1)]
    pub(crate) fingerprint: u64,
    #[n(2)]
    pub(crate) birth_incarnation: u32,
    #[n(3)]
    pub(crate) birth_number: u64,
}

/// The digests differ: this is what the asked member holds, in pieces.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Listing {
    #[n(0)]
    pub(crate) shard: u8,
    #[n(1)]
    pub(crate) round: u32,
    /// Counts the pieces from zero.
    #[n(2)]
    pub(crate) piece: u32,
    #[n(3)]
    pub(crate) last: bool,
    #[n(4)]
    pub(crate) entries: Vec<Entry>,
}

/// "These I lack, or have otherwise: send copies." In pieces.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Want {
    #[n(0)]
    pub(crate) shard: u8,
    #[n(1)]
    pub(crate) round: u32,
    #[n(2)]
    pub(crate) piece: u32,
    #[n(3)]
    pub(crate) last: bool,
    #[n(4)]
    pub(crate) keys: Vec<minicbor::bytes::ByteArray<16>>,
}

/// All births of one incarnation in one shard up to `number` were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Mark {
    #[n(0)]
    pub(crate) incarnation: u32,
    #[n(1)]
    pub(crate) number: u64,
}

/// "Everything that this round asked of me has been acknowledged by you."
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Synced {
    #[n(0)]
    pub(crate) shard: u8,
    #[n(1)]
    pub(crate) round: u32,
    /// The payer's birth marks from before it synced.
    #[n(2)]
    pub(crate) marks: Vec<Mark>,
}

/// "I lack some myself: ask another."
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct NotDonor {
    #[n(0)]
    pub(crate) shard: u8,
    #[n(1)]
    pub(crate) round: u32,
}
