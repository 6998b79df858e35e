//! One client request: its head made ready, its body taken, its dispatch to a node, the response back.

use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode, Version, request};
use hyper::upgrade::{self, OnUpgrade};
use sessile_http_server::{ClientInfo, EarlyResponses, RequestBody, RequestInFlight};

use crate::backend_pool::{BackendPool, Origin};
use crate::body::{RequestPayload, ResponseBody};
use crate::dispatch::{BackendResponse, Dispatch, Order};
use crate::error_response::{ErrorResponse, Reader};
use crate::exchange::{Answered, Exchange, entry_of};
use crate::headers;
use crate::settings::Settings;
use crate::tunnel::{Tunnel, Tunnels};

/// The state that the client connections of one worker share.
#[derive(Debug)]
pub(crate) struct HttpProxy {
    pub(crate) pool: Arc<BackendPool>,
    /// The balancer's own address, the host of clients that name none.
    pub(crate) own: HeaderValue,
    /// The worker that serves these clients; its connections to nodes are its own.
    pub(crate) worker: usize,
}

/// Where a request comes from.
struct Source<'a> {
    client: &'a ClientInfo,
    /// Its connection, should it become a websocket.
    upgrade: OnUpgrade,
    tunnels: &'a Tunnels,
}

impl HttpProxy {
    /// Answers a request of this client. If it becomes a websocket, it is one of the tunnels.
    pub(crate) async fn answer(
        &self,
        mut request: Request<RequestBody>,
        client: &ClientInfo,
        tunnels: &Tunnels,
    ) -> Response<ResponseBody> {
        let settings = self.pool.settings();
        let upgrade = upgrade::on(&mut request);
        let (mut head, body) = request.into_parts();
        let log = settings.log.as_ref();
        let mut exchange =
            Exchange::begin(&self.pool.statistics, log, || entry_of(&head, client.address.ip()));
        let source = Source { client, upgrade, tunnels };
        match self.forward(&mut head, body, source, &settings, &mut exchange).await {
            Ok(response) => response.map(|body| body.accounted(exchange)),
            Err(error) => {
                let direct = (!client.is_trusted).then(|| client.address.ip());
                let reader = Reader { settings: &settings, client: direct, headers: &head.headers };
                let (response, reference) = error.into_response(&reader);
                let answered = Answered::Balancer { reference: &reference };
                exchange.answered(response.status().as_u16(), &answered);
                response.map(|body| body.accounted(exchange))
            }
        }
    }

    async fn forward(
        &self,
        head: &mut request::Parts,
        body: RequestBody,
        source: Source<'_>,
        settings: &Settings,
        exchange: &mut Exchange,
    ) -> Result<Response<ResponseBody>, ErrorResponse> {
        let (websocket, version) = (headers::wants_websocket(head), head.version);
        let in_flight = head.extensions.remove::<RequestInFlight>();
        pass_early_responses(head);
        headers::prepare_request(head, source.client, &self.own)?;
        let payload = RequestPayload::receive(body).await?;
        let route = self.pool.route(&head.headers, &settings.balance.cookie);
        let origin = Origin { route, address: source.client.address.ip() };
        let (pool, worker) = (&*self.pool, self.worker);
        let order = Order { pool, settings, head, payload, origin, client: source.client, worker };
        let BackendResponse { mut response, mut connection, reusable, active, attempts } =
            Dispatch::new(order).run().await?;
        let switches = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if switches && !websocket {
            return Err(ErrorResponse::bad_gateway("the node switched protocols though nobody asked".into()));
        }
        let answered = Answered::Node { name: &active.node().name, attempts };
        exchange.answered(response.status().as_u16(), &answered);
        if switches {
            connection.detach();
            let node = upgrade::on(&mut response);
            let tunnel = Tunnel { client: source.upgrade, node, active, request: in_flight };
            source.tunnels.start(tunnel, settings.balance.idle_timeout);
            return Ok(passed_on(response, ResponseBody::text(""), version));
        }
        let (head, body) = response.into_parts();
        let body = ResponseBody::from_node(body, connection, reusable, active, worker);
        Ok(passed_on(Response::from_parts(head, ()), body, version))
    }
}

/// A node's response as the client gets it.
fn passed_on<T>(response: Response<T>, body: ResponseBody, version: Version) -> Response<ResponseBody> {
    let (mut head, _) = response.into_parts();
    headers::prepare_response(&mut head, version);
    Response::from_parts(head, body)
}

/// Lets the client have what the node says before its answer, as `103 Early Hints`.
fn pass_early_responses(head: &mut request::Parts) {
    let Some(early) = head.extensions.remove::<EarlyResponses>() else { return };
    let mut carrier = Request::new(());
    std::mem::swap(carrier.extensions_mut(), &mut head.extensions);
    hyper::ext::on_informational(&mut carrier, move |response| {
        early.send(response.status(), response.headers());
    });
    std::mem::swap(carrier.extensions_mut(), &mut head.extensions);
}
