//! Outgoing HTTP calls of a guest: only to listed hosts.

use std::sync::Arc;

use http::uri::Scheme;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks, default_send_request};

use super::settings::EgressTarget;

/// Outgoing HTTP of one instance.
pub(super) struct Egress {
    pub(super) app: Arc<str>,
    pub(super) allowed: Arc<[EgressTarget]>,
}

type Sending = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answering = Box<dyn Future<Output = Result<(Response<WasiBody>, Sending), Error>> + Send>;

impl Egress {
    fn allows(&self, uri: &Uri) -> bool {
        let Some(host) = uri.host() else { return false };
        let usual = if uri.scheme() == Some(&Scheme::HTTPS) { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        self.allowed.iter().any(|allowed| allowed.port == port && allowed.host.eq_ignore_ascii_case(host))
    }
}

impl WasiHttpHooks for Egress {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Sending,
    ) -> Answering {
        if !self.allows(request.uri()) {
            let (app, authority) = (&self.app, request.uri().authority().map(ToString::to_string));
            tracing::warn!(%app, authority, "the call was refused: [egress] allow of the manifest does not list the host");
            return Box::new(std::future::ready(Err(Error::HttpRequestDenied)));
        }
        Box::new(async move {
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
        let egress = Egress { app: "/shop".into(), allowed: allowed.into() };
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
}
