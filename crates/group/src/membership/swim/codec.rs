//! How foca's messages travel: CBOR arrays, within the envelope that names and numbers each datagram.

use std::net::{IpAddr, SocketAddr};

use bytes::{Buf, BufMut};
use foca::{Codec, Header, Identity, Member, Message, State};
use minicbor::{Decode, Decoder, Encode};

/// A node in the gossip: where it is, which process it is, and how often that process had to contradict that
/// it is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(super) struct GossipId {
    #[cbor(n(0), with = "socket_address")]
    pub(super) address: SocketAddr,
    #[n(1)]
    pub(super) incarnation: u32,
    #[n(2)]
    pub(super) renewals: u32,
}

impl Identity for GossipId {
    type Addr = SocketAddr;

    fn renew(&self) -> Option<Self> {
        Some(Self { renewals: self.renewals.wrapping_add(1), ..*self })
    }

    fn addr(&self) -> SocketAddr {
        self.address
    }

    /// A restarted process loses at first, is told so, and renews itself until it wins.
    fn win_addr_conflict(&self, adversary: &Self) -> bool {
        (self.renewals, self.incarnation) > (adversary.renewals, adversary.incarnation)
    }
}

#[derive(Debug, Encode, Decode)]
struct WireHeader {
    #[n(0)]
    source: GossipId,
    #[n(1)]
    version: u16,
    #[n(2)]
    target: GossipId,
    #[n(3)]
    kind: u8,
    #[n(4)]
    probe: Option<u8>,
    #[n(5)]
    about: Option<GossipId>,
}

#[derive(Debug, Encode, Decode)]
struct WireMember {
    #[n(0)]
    id: GossipId,
    #[n(1)]
    version: u16,
    #[n(2)]
    state: u8,
}

/// A message that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CodecError {
    #[error("no room")]
    Room,
    #[error("{0}")]
    Content(#[from] minicbor::decode::Error),
    #[error("an unknown kind of message or state")]
    Unknown,
}

/// The codec that foca is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct GossipCodec;

impl Codec<GossipId> for GossipCodec {
    type Error = CodecError;

    fn encode_header(&mut self, header: &Header<GossipId>, buf: impl BufMut) -> Result<(), CodecError> {
        let (kind, probe, about) = match header.message {
            Message::Ping(probe) => (0, Some(probe), None),
            Message::Ack(probe) => (1, Some(probe), None),
            Message::PingReq { target, probe_number } => (2, Some(probe_number), Some(target)),
            Message::IndirectPing { origin, probe_number } => (3, Some(probe_number), Some(origin)),
            Message::IndirectAck { target, probe_number } => (4, Some(probe_number), Some(target)),
            Message::ForwardedAck { origin, probe_number } => (5, Some(probe_number), Some(origin)),
            Message::Announce => (6, None, None),
            Message::Feed => (7, None, None),
            Message::Gossip => (8, None, None),
            Message::Broadcast => (9, None, None),
            Message::TurnUndead => (10, None, None),
        };
        let (source, version, target) = (header.src, header.src_incarnation, header.dst);
        put(&WireHeader { source, version, target, kind, probe, about }, buf)
    }

    fn decode_header(&mut self, buf: impl Buf) -> Result<Header<GossipId>, CodecError> {
        let wire: WireHeader = take(buf)?;
        let probe_number = || wire.probe.ok_or(CodecError::Unknown);
        let about = || wire.about.ok_or(CodecError::Unknown);
        let message = match wire.kind {
            0 => Message::Ping(probe_number()?),
            1 => Message::Ack(probe_number()?),
            2 => Message::PingReq { target: about()?, probe_number: probe_number()? },
            3 => Message::IndirectPing { origin: about()?, probe_number: probe_number()? },
            4 => Message::IndirectAck { target: about()?, probe_number: probe_number()? },
            5 => Message::ForwardedAck { origin: about()?, probe_number: probe_number()? },
            6 => Message::Announce,
            7 => Message::Feed,
            8 => Message::Gossip,
            9 => Message::Broadcast,
            10 => Message::TurnUndead,
            _ => return Err(CodecError::Unknown),
        };
        Ok(Header { src: wire.source, src_incarnation: wire.version, dst: wire.target, message })
    }

    fn encode_member(&mut self, member: &Member<GossipId>, buf: impl BufMut) -> Result<(), CodecError> {
        let state = match member.state() {
            State::Alive => 0,
            State::Suspect => 1,
            State::Down => 2,
        };
        put(&WireMember { id: *member.id(), version: member.incarnation(), state }, buf)
    }

    fn decode_member(&mut self, buf: impl Buf) -> Result<Member<GossipId>, CodecError> {
        let wire: WireMember = take(buf)?;
        let state = match wire.state {
            0 => State::Alive,
            1 => State::Suspect,
            2 => State::Down,
            _ => return Err(CodecError::Unknown),
        };
        Ok(Member::new(wire.id, wire.version, state))
    }
}

fn put(value: &impl Encode<()>, mut buf: impl BufMut) -> Result<(), CodecError> {
    let bytes = minicbor::to_vec(value).map_err(|_| CodecError::Room)?;
    if buf.remaining_mut() < bytes.len() {
        return Err(CodecError::Room);
    }
    buf.put_slice(&bytes);
    Ok(())
}

/// Foca hands over one contiguous piece.
fn take<T: for<'b> Decode<'b, ()>>(mut buf: impl Buf) -> Result<T, CodecError> {
    let mut decoder = Decoder::new(buf.chunk());
    let value = decoder.decode()?;
    let length = decoder.position();
    buf.advance(length);
    Ok(value)
}

/// An address as its 4 or 16 bytes, followed by the port.
mod socket_address {
    use minicbor::decode::Error as DecodeError;
    use minicbor::encode::Error as EncodeError;
    use minicbor::encode::Write;
    use minicbor::{Decoder, Encoder};

    use super::{IpAddr, SocketAddr};

    pub(super) fn encode<C, W: Write>(
        address: &SocketAddr,
        encoder: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), EncodeError<W::Error>> {
        let mut bytes = match address.ip() {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        };
        bytes.extend(address.port().to_be_bytes());
        encoder.bytes(&bytes)?;
        Ok(())
    }

    pub(super) fn decode<C>(decoder: &mut Decoder<'_>, _: &mut C) -> Result<SocketAddr, DecodeError> {
        let bytes = decoder.bytes()?;
        let unreadable = || DecodeError::message("no address");
        let (ip, port) = bytes.split_last_chunk::<2>().ok_or_else(unreadable)?;
        let ip = match ip.len() {
            4 => IpAddr::from(<[u8; 4]>::try_from(ip).map_err(|_| unreadable())?),
            16 => IpAddr::from(<[u8; 16]>::try_from(ip).map_err(|_| unreadable())?),
            _ => return Err(unreadable()),
        };
        Ok(SocketAddr::new(ip, u16::from_be_bytes(*port)))
    }
}
