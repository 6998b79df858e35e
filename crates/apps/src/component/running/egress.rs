//! Outgoing HTTP calls of a guest: only to listed hosts, and only to addresses that the node lets it reach.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, Scheme};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use sessile::config::Network;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, default_send_request};

use super::reachable::is_reachable;
use super::settings::EgressTarget;

/// Longest wait for the address of a host.
const LOOKUP_TIME: Duration = Duration::from_secs(10);

/// Outgoing HTTP of one instance.
pub(super) struct Egress {
    pub(super) app: Arc<str>,
    pub(super) allowed: Arc<[EgressTarget]>,
    /// Private networks that it may reach.
    pub(super) private_networks: Arc<[Network]>,
}

type Sending = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answering = Box<dyn Future<Output = Result<(Response<WasiBody>, Sending), Error>> + Send>;

impl Egress {
    fn allows(&self, uri: &Uri) -> bool {
        let Some(host) = uri.host() else { return false };
        self.allowed
            .iter()
            .any(|allowed| allowed.port == port_of(uri) && allowed.host.eq_ignore_ascii_case(host))
    }
}

fn port_of(uri: &Uri) -> u16 {
    let usual = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
    uri.port_u16().unwrap_or(usual)
}

/// An address of the request's host that the guest may reach. The name decides nothing: whoever owns it says
/// where it leads.
async fn address_of(uri: &Uri, private_networks: &[Network]) -> Result<SocketAddr, Error> {
    let host = uri.host().ok_or(Error::HttpRequestUriInvalid)?;
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let looked_up = tokio::time::timeout(LOOKUP_TIME, tokio::net::lookup_host((name, port_of(uri)))).await;
    let mut found = looked_up.unwrap_or_else(|late| Err(io::Error::from(late))).map_err(Error::Connect)?;
    found.find(|address| is_reachable(address.ip(), private_networks)).ok_or(Error::HttpRequestDenied)
}

/// Makes the request go to `address`, so that a second look-up cannot lead elsewhere. A request over TLS
/// keeps the name, which its certificate must prove: no server of a private network can.
fn pin(request: &mut Request<WasiBody>, address: SocketAddr) -> Result<(), Error> {
    if request.uri().scheme() == Some(&Scheme::HTTPS) {
        return Ok(());
    }
    let mut parts = request.uri().clone().into_parts();
    let authority = Authority::try_from(address.to_string()).map_err(|_| Error::HttpRequestUriInvalid)?;
    parts.authority = Some(authority);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|_| Error::HttpRequestUriInvalid)?;
    Ok(())
}

impl WasiHttpHooks for Egress {
    fn send_request(
        &mut self,
        mut request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Sending,
    ) -> Answering {
        let (app, authority) = (Arc::clone(&self.app), request.uri().authority().map(ToString::to_string));
        if !self.allows(request.uri()) {
            tracing::warn!(%app, authority, "the call was refused: [egress] allow of the manifest does not list the host");
            return Box::new(std::future::ready(Err(Error::HttpRequestDenied)));
        }
        let private_networks = Arc::clone(&self.private_networks);
        Box::new(async move {
            let address = address_of(request.uri(), &private_networks).await.inspect_err(|error| {
                if matches!(error, Error::HttpRequestDenied) {
                    tracing::warn!(%app, authority, "the call was refused: the host's addresses are loopback, link-local, \
                        private or reserved, and [farm.grants] private_networks allows none of them");
                }
            })?;
            pin(&mut request, address)?;
            let (response, sending) = default_send_request(request, options).await?;
            Ok((response.map(BodyExt::boxed_unsync), Box::new(sending) as Sending))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_listed_hosts_may_be_called() {
        let allowed = ["api.example:443", "127.0.0.1:8080"].map(|text| text.parse().unwrap());
        let private_networks = Arc::default();
        let egress = Egress { app: "/shop".into(), allowed: allowed.into(), private_networks };
        let allows = |uri: &str| egress.allows(&uri.parse().unwrap());
        assert!(allows("https://api.example/x"));
        assert!(allows("https://API.example:443/x"));
        assert!(allows("http://127.0.0.1:8080/"));
        for uri in [
            "http://api.example/",
            "https://api.example:444/",
            "https://example/",
            "https://a.api.example/",
            "/x",
        ] {
            assert!(!allows(uri), "{uri}");
        }
    }

    #[tokio::test]
    async fn names_and_addresses_of_this_machine_are_refused() {
        for uri in
            ["http://localhost:8080/", "http://127.0.0.1:8080/", "http://[::1]:8080/", "https://0.0.0.0/"]
        {
            let refused = address_of(&uri.parse().unwrap(), &[]).await;
            assert!(matches!(refused, Err(Error::HttpRequestDenied)), "{uri}: {refused:?}");
        }
        let allowed = [Network::new([127, 0, 0, 0].into(), 8).unwrap()];
        let address = address_of(&"http://localhost:8080/".parse().unwrap(), &allowed).await.unwrap();
        assert_eq!(address, SocketAddr::from(([127, 0, 0, 1], 8080)), "the one that is allowed");
    }

    #[test]
    fn a_plain_request_goes_to_the_address_that_was_checked() {
        let pinned = |uri: &str| {
            let body = http_body_util::Empty::new().map_err(|never| match never {}).boxed_unsync();
            let mut request = Request::get(uri).body(body).unwrap();
            pin(&mut request, SocketAddr::from(([192, 0, 2, 1], 80))).unwrap();
            request.uri().to_string()
        };
        assert_eq!(pinned("http://api.example/x?y"), "http://192.0.2.1:80/x?y");
        assert_eq!(pinned("https://api.example/x"), "https://api.example/x");
    }
}
