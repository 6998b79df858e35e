//! One client request: its head made ready, its body taken, its dispatch to a node, the response back.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade;

use crate::backend::ActiveRequest;
use crate::backend_pool::BackendPool;
use crate::body::{Lease, RequestPayload, ResponseBody};
use crate::dispatch::{BackendResponse, Dispatch};
use crate::error_response::ErrorResponse;
use crate::headers;
use crate::retry;
use crate::tunnel::{PendingTunnel, Tunnel};

/// What all client connections share.
#[derive(Debug)]
pub(crate) struct HttpProxy {
    pub(crate) pool: Arc<BackendPool>,
    pub(crate) unsafe_paths: Vec<String>,
    /// The balancer's own address, the host of clients that name none.
    pub(crate) own: HeaderValue,
    /// A websocket on which no byte passes for this long is closed.
    pub(crate) idle: Duration,
}

impl HttpProxy {
    /// Answers a request of the client at this address. If it becomes a websocket, its tunnel is left in the
    /// slot.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        client: IpAddr,
        slot: &PendingTunnel,
    ) -> Response<ResponseBody> {
        self.forward(request, client, slot).await.unwrap_or_else(ErrorResponse::into_response)
    }

    async fn forward(
        &self,
        mut request: Request<Incoming>,
        client: IpAddr,
        slot: &PendingTunnel,
    ) -> Result<Response<ResponseBody>, ErrorResponse> {
        let client_side = upgrade::on(&mut request);
        let (mut head, body) = request.into_parts();
        let websocket = headers::wants_websocket(&head);
        headers::prepare_request(&mut head, client, &self.own)?;
        let payload = RequestPayload::receive(body).await?;
        let safe = retry::is_safe(&head.method, head.uri.path(), &self.unsafe_paths);
        let BackendResponse { mut response, lease, active } =
            Dispatch::new(&self.pool, &head, payload, safe).run().await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            if !websocket {
                return Err(ErrorResponse::bad_gateway(
                    "the node switched protocols though nobody asked".into(),
                ));
            }
            slot.fill(Tunnel { client: client_side, node: upgrade::on(&mut response), active });
            return Ok(passed_on(response, None, None));
        }
        Ok(passed_on(response, lease, Some(active)))
    }
}

/// A node's response as the client gets it.
fn passed_on(
    response: Response<Incoming>,
    lease: Option<Lease>,
    active: Option<ActiveRequest>,
) -> Response<ResponseBody> {
    let (mut head, body) = response.into_parts();
    headers::prepare_response(&mut head);
    Response::from_parts(head, ResponseBody::from_node(body, lease, active))
}
