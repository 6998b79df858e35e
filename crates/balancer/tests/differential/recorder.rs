//! A server that records every request that comes, by the number that it carries.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// The requests under one number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Method and body of each request.
    pub(crate) requests: Vec<(String, Option<Bytes>)>,
    /// Requests that were hidden behind or in another one.
    pub(crate) hidden: usize,
}

impl Seen {
    /// Those that came whole.
    pub(crate) fn whole(&self) -> Vec<(&str, &Bytes)> {
        self.requests.iter().filter_map(|(method, body)| Some((method.as_str(), body.as_ref()?))).collect()
    }

    pub(crate) fn is_forwarded(&self) -> bool {
        !self.whole().is_empty()
    }
}

/// The server; it ends with the runtime.
pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<HashMap<usize, Seen>>>,
}

impl Recorder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::<Mutex<HashMap<_, _>>>::default());
        let recorded = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let seen = Arc::clone(&recorded);
                let service = service_fn(move |request| record(Arc::clone(&seen), request));
                let serving =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(tcp), service);
                tokio::spawn(serving);
            }
        });
        Self { address, seen }
    }

    pub(crate) fn seen(&self, id: usize) -> Seen {
        self.seen.lock().unwrap().get(&id).cloned().unwrap_or_default()
    }
}

async fn record(
    seen: Arc<Mutex<HashMap<usize, Seen>>>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let id = head.headers.get("x-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let hidden = head.uri.path().strip_prefix("/hidden/").and_then(|id| id.parse().ok());
    if let Some(id) = hidden {
        seen.lock().unwrap().entry(id).or_default().hidden += 1;
    } else if let Some(id) = id {
        let index = {
            let mut seen = seen.lock().unwrap();
            let requests = &mut seen.entry(id).or_default().requests;
            requests.push((head.method.to_string(), None));
            requests.len() - 1
        };
        if let Ok(body) = body.collect().await {
            seen.lock().unwrap().entry(id).or_default().requests[index].1 = Some(body.to_bytes());
        }
    }
    Ok(Response::new(Full::from("recorded")))
}
