//! One client request: its head made ready, its body taken, its dispatch to a node, the response back.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderValue, Request, Response, StatusCode, request};
use hyper::body::Incoming;
use hyper::upgrade::{self, OnUpgrade};

use crate::backend_pool::{BackendPool, Origin};
use crate::body::{RequestPayload, ResponseBody};
use crate::dispatch::{BackendResponse, Dispatch, Order};
use crate::error_response::{ErrorResponse, Reader};
use crate::exchange::{Answered, Exchange, entry_of};
use crate::headers;
use crate::settings::Settings;
use crate::tunnel::{PendingTunnel, Tunnel};

/// What the client connections of one worker share.
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
    client: IpAddr,
    /// Its connection, should it become a websocket.
    upgrade: OnUpgrade,
    slot: &'a PendingTunnel,
}

impl HttpProxy {
    /// Answers a request of the client at this address. If it becomes a websocket, its tunnel is left in the
    /// slot.
    pub(crate) async fn answer(
        &self,
        mut request: Request<Incoming>,
        client: IpAddr,
        slot: &PendingTunnel,
    ) -> Response<ResponseBody> {
        let settings = self.pool.settings();
        let upgrade = upgrade::on(&mut request);
        let (mut head, body) = request.into_parts();
        let log = settings.log.as_ref();
        let mut exchange = Exchange::begin(&self.pool.statistics, log, || entry_of(&head, client));
        let source = Source { client, upgrade, slot };
        match self.forward(&mut head, body, source, &settings, &mut exchange).await {
            Ok(response) => response.map(|body| body.accounted(exchange)),
            Err(error) => {
                let reader = Reader { settings: &settings, client, headers: &head.headers };
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
        body: Incoming,
        source: Source<'_>,
        settings: &Settings,
        exchange: &mut Exchange,
    ) -> Result<Response<ResponseBody>, ErrorResponse> {
        let websocket = headers::wants_websocket(head);
        headers::prepare_request(head, source.client, &self.own)?;
        let payload = RequestPayload::receive(body).await?;
        let route = self.pool.route(&head.headers, &settings.balance.cookie);
        let origin = Origin { route, address: source.client };
        let (pool, worker) = (&*self.pool, self.worker);
        let order = Order { pool, settings, head, payload, origin, worker };
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
            source.slot.fill(Tunnel { client: source.upgrade, node, active });
            return Ok(passed_on(response, ResponseBody::text("")));
        }
        let (head, body) = response.into_parts();
        let body = ResponseBody::from_node(body, connection, reusable, active, worker);
        Ok(passed_on(Response::from_parts(head, ()), body))
    }
}

/// A node's response as the client gets it.
fn passed_on<T>(response: Response<T>, body: ResponseBody) -> Response<ResponseBody> {
    let (mut head, _) = response.into_parts();
    headers::prepare_response(&mut head);
    Response::from_parts(head, body)
}
