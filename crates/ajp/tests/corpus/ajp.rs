//! Any bytes as what a web server sends on a connection: never a panic, memory in proportion to a packet, and
//! no request reaches the service unless its packet holds the secret.

use std::convert::Infallible;
use std::sync::OnceLock;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use sessile_ajp::{AjpRequestBody, Connector, PacketSize, Secrets};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The inputs hold it where they are to get through.
const SECRET: &str = "a-secret-of-the-fuzzer";

/// The first byte says how the service treats the body.
pub(crate) fn ajp(input: &[u8]) {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(connection(kind, bytes));
}

async fn connection(kind: u8, bytes: &[u8]) {
    let shows_secret = bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes());
    let service = tower::service_fn(async |request: Request<AjpRequestBody>| {
        assert!(shows_secret, "a request without the secret: {request:?}");
        let body = if kind.is_multiple_of(2) {
            let read = request.into_body().collect().await;
            read.map_or_else(|error| error.to_string().into(), http_body_util::Collected::to_bytes)
        } else {
            Bytes::from_static(b"unread")
        };
        Ok::<_, Infallible>(Response::new(Full::new(body)))
    });
    let connector = Connector::new(secrets(), PacketSize::DEFAULT, || true);
    let (mut peer, other) = tokio::io::duplex(bytes.len() + 1);
    peer.write_all(bytes).await.expect("there is room");
    let (mut read, mut write) = tokio::io::split(peer);
    let drain = async {
        write.shutdown().await.expect("it is open");
        // All output is for the web server.
        let mut sink = Vec::new();
        let _ = read.read_to_end(&mut sink).await;
    };
    let (_ended, ()) = tokio::join!(connector.serve(other, service, std::future::pending()), drain);
}

fn secrets() -> Secrets {
    static READ: OnceLock<Secrets> = OnceLock::new();
    READ.get_or_init(read_secrets).clone()
}

fn read_secrets() -> Secrets {
    let place = tempfile::tempdir().expect("a temporary directory");
    let path = place.path().join("ajp.secret");
    std::fs::write(&path, SECRET).expect("writable");
    #[cfg(unix)]
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("it is ours");
    Secrets::load(&path).expect("a secret")
}
