//! Any bytes as what an HTTP/2 client sends after its TLS handshake: never a panic, the connection ends, and
//! the application gets no request that no HEADERS frame began, not more at once and none larger than the
//! limits say.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use sessile_http_server::{Admission, ConnectionTable, Door, Limits, RequestBody};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;

/// The client's first bytes (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Of a frame: length, type, flags, stream.
const FRAME_HEAD: usize = 9;
const HEADERS: u8 = 1;
/// Limits of the server.
const HEAD_SIZE: usize = 8 << 10;
const FIELDS: u32 = 20;
const STREAMS: u32 = 10;
/// Longest time that a connection may last, by the clock of the test, which stands still while anything runs.
const LONGEST: Duration = Duration::from_secs(3_600);

/// The requests that reached the application, judged at the end: a panic in the application would end its
/// task alone.
#[derive(Debug, Default)]
struct Seen {
    requests: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    most_headers: AtomicUsize,
    most_bytes: AtomicUsize,
}

/// The body of the target `http2`. The first byte says whether bodies are read, and whether answers are
/// large.
pub(crate) fn http2(input: &[u8]) {
    let Some((&kind, bytes)) = input.split_first() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let seen = runtime.unwrap().block_on(connection(kind, bytes));
    let (requests, begun) = (seen.requests.load(SeqCst), header_frames(bytes));
    assert!(requests <= begun, "{requests} requests of {begun} HEADERS frames");
    for (what, most, bound) in [
        ("requests at once", &seen.most_at_once, STREAMS as usize),
        ("headers", &seen.most_headers, FIELDS as usize),
        ("bytes of headers", &seen.most_bytes, HEAD_SIZE),
    ] {
        let most = most.load(SeqCst);
        assert!(most <= bound, "{most} {what}, and {bound} are allowed");
    }
}

async fn connection(kind: u8, bytes: &[u8]) -> Arc<Seen> {
    let limits = Limits { head_size: HEAD_SIZE, headers: FIELDS, h2_streams: STREAMS, ..Limits::default() };
    let idle = Duration::from_secs(60);
    let door = Door::new(limits.clone(), idle, Vec::new(), false, None, Arc::default());
    let table = ConnectionTable::new(&limits, Vec::new(), Arc::default());
    let Admission::Admitted(admitted) = table.admit([127, 0, 0, 1].into()) else { panic!("there is room") };
    let seen = Arc::new(Seen::default());
    let counted = Arc::clone(&seen);
    let answer = move |request| answer(kind, request, Arc::clone(&counted));
    let (mut client, server) = tokio::io::duplex(bytes.len() + 1);
    client.write_all(bytes).await.unwrap();
    let (mut read, mut write) = tokio::io::split(client);
    let drain = async {
        // Half of the clients end their side, the others stay and say nothing.
        if kind & 4 == 0 {
            write.shutdown().await.unwrap();
        }
        let mut sink = Vec::new();
        let _ = read.read_to_end(&mut sink).await;
    };
    let (_keep, stop) = watch::channel(false);
    let both = async { tokio::join!(door.serve(server, true, &admitted, stop, answer), drain) };
    assert!(tokio::time::timeout(LONGEST, both).await.is_ok(), "the connection does not end");
    seen
}

async fn answer(kind: u8, request: Request<RequestBody>, seen: Arc<Seen>) -> Response<Full<Bytes>> {
    seen.requests.fetch_add(1, SeqCst);
    seen.most_at_once.fetch_max(seen.at_once.fetch_add(1, SeqCst) + 1, SeqCst);
    let fields = request.headers();
    seen.most_headers.fetch_max(fields.len(), SeqCst);
    let size = fields.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    seen.most_bytes.fetch_max(size, SeqCst);
    let _running = Running(Arc::clone(&seen));
    if kind & 1 == 1 {
        // A body that breaks is the client's affair.
        let _ = request.into_body().collect().await;
    }
    let length = if kind & 2 == 2 { 100_000 } else { 2 };
    Response::new(Full::new(vec![b'x'; length].into()))
}

/// A request until it is answered or given up.
struct Running(Arc<Seen>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.at_once.fetch_sub(1, SeqCst);
    }
}

/// How many frames begin a head, as the lengths of the frames say.
fn header_frames(bytes: &[u8]) -> usize {
    let Some(mut frames) = bytes.strip_prefix(PREFACE) else { return 0 };
    let mut count = 0;
    while let Some(&[high, middle, low, kind, ..]) = frames.get(..FRAME_HEAD) {
        count += usize::from(kind == HEADERS);
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        frames = frames.get(FRAME_HEAD + length..).unwrap_or_default();
    }
    count
}
