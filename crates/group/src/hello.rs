//! The first words on a connection: who each side is.
//!
//! The side that dialed speaks first, the other one answers with its own HELLO or says why not. Both are
//! small and bounded before anything is allocated for them. Layout: magic, oldest and newest protocol version
//! spoken, length (two bytes, big endian), a CBOR map whose unknown keys are skipped, so that a newer node
//! may add some.

use std::net::SocketAddr;

use minicbor::{Decode, Encode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::connection::CONNECTIONS_MAX;
use crate::handshake_refusal::HandshakeRefusal;
use crate::identity::{Identity, Peer, is_node_name, reachable};

const MAGIC: [u8; 4] = *b"SESL";
/// The protocol versions that this build speaks, oldest and newest.
const SPOKEN: (u8, u8) = (1, 1);
const HEADER: usize = MAGIC.len() + 4;
/// The longest HELLO in bytes, with room for what later versions say.
const HELLO_LIMIT: usize = 2048;

/// What one side says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Hello {
    #[n(0)]
    pub(crate) cluster: String,
    #[n(1)]
    pub(crate) name: String,
    #[n(2)]
    pub(crate) incarnation: u32,
    #[n(3)]
    advertise: String,
    #[n(4)]
    features: u64,
    /// In an answer: why the connection is refused.
    #[n(5)]
    refused: Option<u8>,
    /// Left out by older builds.
    #[n(6)]
    notice: Option<String>,
    /// Which of the dialing side's links this is; none for its first.
    #[n(7)]
    connection: Option<u16>,
    /// The dialing side only asks who is there: nothing follows the answer, and nobody was met.
    #[n(8)]
    is_probe: Option<bool>,
}

impl Hello {
    /// The HELLO of this node.
    pub(crate) fn of(identity: &Identity) -> Self {
        Self {
            cluster: identity.cluster.clone(),
            name: identity.name.clone(),
            incarnation: identity.incarnation,
            advertise: identity.advertise.to_string(),
            features: identity.features,
            refused: None,
            notice: Some(identity.notice.clone()),
            connection: None,
            is_probe: None,
        }
    }

    /// The same, of a program that only asks who is there.
    pub(crate) fn of_probe(identity: &Identity) -> Self {
        Self { is_probe: Some(true), ..Self::of(identity) }
    }

    pub(crate) fn is_probe(&self) -> bool {
        self.is_probe == Some(true)
    }

    /// The same, as an answer that refuses.
    pub(crate) fn refusing(mut self, cause: HandshakeRefusal) -> Self {
        self.refused = Some(cause.code());
        self
    }

    /// The same, on a further link of this node. Rule 1.4.
    pub(crate) fn on_connection(mut self, connection: usize) -> Self {
        self.connection = u16::try_from(connection).ok().filter(|connection| *connection > 0);
        self
    }

    /// Which link of the other side this is.
    pub(crate) fn connection(&self) -> Result<usize, HandshakeRefusal> {
        let connection = usize::from(self.connection.unwrap_or(0));
        if connection > CONNECTIONS_MAX { Err(HandshakeRefusal::Malformed) } else { Ok(connection) }
    }

    /// Why the other side refuses the connection, if it does.
    pub(crate) fn refused(&self) -> Option<HandshakeRefusal> {
        self.refused.map(HandshakeRefusal::from_code)
    }

    /// The process that speaks, seen from the address `from`.
    pub(crate) fn peer(&self, from: SocketAddr) -> Result<Peer, HandshakeRefusal> {
        let advertised = self.advertise.parse().map_err(|_| HandshakeRefusal::Malformed)?;
        Ok(Peer {
            name: self.name.clone(),
            incarnation: self.incarnation,
            address: reachable(advertised, from),
            features: self.features,
            notice: self.notice.clone().unwrap_or_default(),
        })
    }

    /// Whether this is the very process `identity` describes, met by dialing itself.
    pub(crate) fn is_own(&self, identity: &Identity) -> bool {
        self.incarnation == identity.incarnation
            && self.name == identity.name
            && self.advertise == identity.advertise.to_string()
    }

    pub(crate) async fn write<W: AsyncWrite + Unpin>(&self, stream: &mut W) -> Result<(), HandshakeRefusal> {
        stream.write_all(&self.encode()).await.map_err(|error| cause_of(&error))?;
        stream.flush().await.map_err(|error| cause_of(&error))
    }

    pub(crate) async fn read<R: AsyncRead + Unpin>(stream: &mut R) -> Result<Self, HandshakeRefusal> {
        let magic: [u8; MAGIC.len()] = read_exactly(stream).await?;
        if magic != MAGIC {
            return Err(HandshakeRefusal::Malformed);
        }
        let length = length_in(read_exactly(stream).await?)?;
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.map_err(|error| cause_of(&error))?;
        Self::decode(&body)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER];
        minicbor::encode(self, &mut bytes).expect("a Vec takes any bytes");
        let length = u16::try_from(bytes.len() - HEADER).expect("names and addresses are short");
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&[SPOKEN.0, SPOKEN.1]);
        bytes[6..8].copy_from_slice(&length.to_be_bytes());
        bytes
    }

    fn decode(body: &[u8]) -> Result<Self, HandshakeRefusal> {
        let hello: Self = minicbor::decode(body).map_err(|_| HandshakeRefusal::Malformed)?;
        if is_node_name(&hello.name) { Ok(hello) } else { Err(HandshakeRefusal::Malformed) }
    }
}

async fn read_exactly<const N: usize>(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<[u8; N], HandshakeRefusal> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await.map_err(|error| cause_of(&error))?;
    Ok(bytes)
}

/// The length of the HELLO, if both sides speak a common version. Rule 12.4.
fn length_in([oldest, newest, high, low]: [u8; 4]) -> Result<usize, HandshakeRefusal> {
    if newest < SPOKEN.0 || oldest > SPOKEN.1 {
        return Err(HandshakeRefusal::Version);
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length > HELLO_LIMIT { Err(HandshakeRefusal::Malformed) } else { Ok(length) }
}

/// What a failure during the handshake means. rustls reports every violation of TLS or trust as invalid data.
pub(crate) fn cause_of(error: &std::io::Error) -> HandshakeRefusal {
    match error.kind() {
        std::io::ErrorKind::InvalidData => HandshakeRefusal::Untrusted,
        _ => HandshakeRefusal::Silent,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hello() -> Hello {
        Hello::of(&Identity {
            name: "tc01".into(),
            incarnation: 7,
            cluster: "sample".into(),
            advertise: "127.0.0.1:4001".parse().unwrap(),
            features: 3,
            notice: "sees all".into(),
        })
    }

    #[tokio::test]
    async fn it_travels() {
        let bytes = hello().encode();
        assert_eq!(Hello::read(&mut &bytes[..]).await, Ok(hello()));
        let refusing = hello().refusing(HandshakeRefusal::Barred);
        let read = Hello::read(&mut &refusing.encode()[..]).await.unwrap();
        assert_eq!(read.refused(), Some(HandshakeRefusal::Barred));
    }

    #[tokio::test]
    async fn it_says_which_link_it_is() {
        let connection_of =
            async |hello: Hello| Hello::read(&mut &hello.encode()[..]).await.unwrap().connection();
        assert_eq!(connection_of(hello()).await, Ok(0));
        assert_eq!(connection_of(hello().on_connection(CONNECTIONS_MAX)).await, Ok(CONNECTIONS_MAX));
        assert_eq!(
            connection_of(hello().on_connection(CONNECTIONS_MAX + 1)).await,
            Err(HandshakeRefusal::Malformed)
        );
        assert_eq!(hello().on_connection(0).encode(), hello().encode(), "an older node reads the same");
    }

    #[tokio::test]
    async fn a_newer_node_may_say_more() {
        let mut body = Vec::new();
        let mut writer = minicbor::Encoder::new(&mut body);
        writer.map(6).unwrap();
        writer.u8(0).unwrap().str("sample").unwrap().u8(1).unwrap().str("tc01").unwrap();
        writer.u8(2).unwrap().u32(7).unwrap().u8(3).unwrap().str("127.0.0.1:4001").unwrap();
        writer.u8(4).unwrap().u64(3).unwrap();
        writer.u8(99).unwrap().array(2).unwrap().str("later").unwrap().bool(true).unwrap();
        let mut bytes = MAGIC.to_vec();
        bytes.extend([1, 9]);
        bytes.extend((body.len() as u16).to_be_bytes());
        bytes.extend(body);
        assert_eq!(
            Hello::read(&mut &bytes[..]).await,
            Ok(Hello { notice: None, ..hello() }),
            "nor must it say all"
        );
    }

    #[tokio::test]
    async fn the_longest_one_can_be_read() {
        let identity = Identity {
            name: "n".repeat(32),
            incarnation: u32::MAX,
            cluster: "c".repeat(32),
            advertise: "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535".parse().unwrap(),
            features: u64::MAX,
            notice: "s".repeat(crate::identity::NOTICE_LIMIT),
        };
        let longest = Hello::of(&identity).refusing(HandshakeRefusal::Barred);
        assert_eq!(Hello::read(&mut &longest.encode()[..]).await, Ok(longest));
    }

    #[tokio::test]
    async fn only_a_common_version_and_a_bounded_length_pass() {
        let mut bytes = hello().encode();
        bytes[4..6].copy_from_slice(&[2, 3]);
        assert_eq!(Hello::read(&mut &bytes[..]).await, Err(HandshakeRefusal::Version));
        let mut bytes = hello().encode();
        bytes[6..8].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(Hello::read(&mut &bytes[..]).await, Err(HandshakeRefusal::Malformed));
    }

    proptest! {
        #[test]
        fn any_body_is_survived(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Hello::decode(&body);
        }
    }
}
