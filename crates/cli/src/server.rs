//! Serves a router at an open port until it is stopped.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::response::{IntoResponse, Response};
use http::header::{HOST, HeaderValue};
use http::uri::{Authority, Scheme};
use http::{Request, StatusCode, Uri};
use sessile_http_server::{Admitted, ClientInfo, Door, Limits, RequestBody, forwarded};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tower_service::Service;

use crate::cores::Cores;

/// How long no byte may pass on a connection of an admin port that switched protocols: none does.
const ADMIN_IDLE: Duration = Duration::from_secs(60);

/// Most connections of such a port: it must not take the descriptors of the others.
const ADMIN_CONNECTIONS: u32 = 256;

/// A served port. Dropping it stops the server without waiting.
#[derive(Debug)]
pub(crate) struct Server {
    accepting: JoinHandle<()>,
    /// Each connection holds a receiver.
    stopping: watch::Sender<bool>,
    /// Connections that outlive the closed port run on these threads.
    _cores: Arc<Cores>,
}

impl Server {
    /// Serves `router`, an admin port or one that only redirects, on the calling thread; requests carry the
    /// peer's address as [`ConnectInfo`].
    pub(crate) fn start(listener: TcpListener, router: Router) -> Self {
        let connections = ADMIN_CONNECTIONS;
        let limits = Limits { connections, connections_per_source: connections, ..Limits::of_node() };
        let door = Door::new(limits, ADMIN_IDLE, Vec::new(), false, None, Arc::default());
        Self::start_on(Arc::default(), listener, door, router)
    }

    /// The same on all of these threads, for those whom the door lets in.
    pub(crate) fn start_on(cores: Arc<Cores>, listener: TcpListener, door: Door, router: Router) -> Self {
        Self::accepting(cores, |cores, stop| accept(cores, listener, Arc::new(door), router, stop))
    }

    /// A port whose connections `accept` takes and serves until the receiver says that the server stops.
    pub(crate) fn accepting<F: Future<Output = ()> + Send + 'static>(
        cores: Arc<Cores>,
        accept: impl FnOnce(Arc<Cores>, watch::Receiver<bool>) -> F,
    ) -> Self {
        let (stopping, stop) = watch::channel(false);
        let accepting = tokio::spawn(accept(Arc::clone(&cores), stop));
        Self { accepting, stopping, _cores: cores }
    }

    /// Closes the port and waits for running requests; returns the number of connections that were still busy
    /// after `at_most` and are cut.
    pub(crate) async fn stop(self, at_most: Duration) -> usize {
        self.stopping.send_replace(true);
        if let Err(fault) = self.accepting.await {
            tracing::error!(%fault, "accepting connections ended in a panic");
        }
        // After the time limit the remaining connections are counted.
        let _ = timeout(at_most, self.stopping.closed()).await;
        self.stopping.receiver_count()
    }
}

async fn accept(
    cores: Arc<Cores>,
    listener: TcpListener,
    door: Arc<Door>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let (door, tcp, peer, admitted) = tokio::select! {
            connection = Door::next(|| Arc::clone(&door), &listener) => connection,
            () = stop_said(&mut stop) => return,
        };
        let (router, stop) = (router.clone(), stop.clone());
        cores.spawn(tcp, peer, move |tcp| serve(door, tcp, peer, admitted, router, stop));
    }
}

/// Serves one connection to its end.
async fn serve(
    door: Arc<Door>,
    tcp: TcpStream,
    peer: SocketAddr,
    admitted: Admitted,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    if let Err(cause) = tcp.set_nodelay(true) {
        // The failed option costs speed, not correctness.
        tracing::debug!(%peer, %cause, "a socket option was refused");
    }
    let entered = tokio::select! {
        entered = door.enter(tcp, peer) => entered,
        // It asked for nothing yet.
        () = stop_said(&mut stop) => return,
    };
    let entered = match entered {
        Ok(entered) => entered,
        Err(cause) => {
            tracing::debug!(%peer, %cause, "a connection was refused");
            return;
        }
    };
    let (client, limit) = (entered.client, door.limits().answer_timeout);
    let answer = move |mut request: Request<RequestBody>| {
        describe_client(&mut request, &client);
        let answer = router.clone().call(request.map(Body::new));
        async move { in_time(limit, answer).await }
    };
    if let Err(cause) = door.serve(entered.stream, entered.is_http2, &admitted, stop, answer).await {
        tracing::debug!(%peer, %cause, "a connection ended");
    }
}

/// The answer, or that there is none within the limit.
async fn in_time(limit: Duration, answer: impl Future<Output = Result<Response, Infallible>>) -> Response {
    match timeout(limit, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_) => {
            tracing::warn!(?limit, "a request was given up: no answer within [http.limits] answer_timeout");
            (StatusCode::SERVICE_UNAVAILABLE, "the application did not answer in time\n").into_response()
        }
    }
}

/// Tells the application who asks, and how: what strangers claim is removed, and the scheme of the target is
/// that of the client's connection.
fn describe_client<B>(request: &mut Request<B>, client: &ClientInfo) {
    request.extensions_mut().insert(ConnectInfo(client.address));
    if let Some(host) = request.uri().authority().and_then(host_of) {
        // HTTP/2 names the host in the target, and so do proxies in HTTP/1.1.
        request.headers_mut().insert(HOST, host);
    }
    forwarded::remove_claims(request.headers_mut(), client);
    let is_https = forwarded::is_https(request.headers(), client);
    let authority: Option<Authority> =
        request.headers().get(HOST).and_then(|host| host.to_str().ok()).and_then(|host| host.parse().ok());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    (parts.scheme, parts.authority) = match authority.filter(|_| is_https) {
        Some(authority) => (Some(Scheme::HTTPS), Some(authority)),
        None => (None, None),
    };
    // Origin and absolute form are both possible; the form of CONNECT and `OPTIONS *` becomes `/`.
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_else(|_| Uri::from_static("/"));
}

fn host_of(authority: &Authority) -> Option<HeaderValue> {
    let text = authority.as_str();
    HeaderValue::from_str(text.rsplit_once('@').map_or(text, |(_, host)| host)).ok()
}

/// Ready once the server stops.
pub(crate) async fn stop_said(stop: &mut watch::Receiver<bool>) {
    // An error means that the server was dropped, which is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(target: &str, client: ClientInfo, headers: &[(&'static str, &'static str)]) -> Request<()> {
        let mut request = Request::builder().uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).unwrap();
        describe_client(&mut request, &client);
        request
    }

    fn client(is_trusted: bool, is_tls: bool) -> ClientInfo {
        let address = "10.0.0.7:4711".parse().unwrap();
        ClientInfo { address, local: address, is_tls, is_trusted }
    }

    #[test]
    fn the_scheme_is_that_of_the_connection_and_not_what_strangers_claim() {
        let host = ("host", "shop:443");
        let scheme = |request: Request<()>| request.uri().scheme_str().map(str::to_owned);
        assert_eq!(scheme(described("/a", client(false, true), &[host])).as_deref(), Some("https"));
        let claims = [host, ("x-forwarded-proto", "https")];
        assert_eq!(scheme(described("/a", client(true, false), &claims)).as_deref(), Some("https"));
        let stranger = described("https://shop/a", client(false, false), &claims);
        assert_eq!(stranger.uri().to_string(), "/a");
        assert!(!stranger.headers().contains_key("x-forwarded-proto"));
    }

    #[test]
    fn the_host_of_the_target_is_the_host() {
        let request = described("https://user@shop:444/a?b", client(false, true), &[("host", "other")]);
        assert_eq!(request.headers()[HOST], "shop:444");
        assert_eq!(request.uri().to_string(), "https://shop:444/a?b");
    }
}
