//! One client request: its head made ready, its body taken, its passage over the nodes, the response back.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::upgrade;

use crate::body::{Lease, Payload, ResponseBody};
use crate::fleet::Fleet;
use crate::headers;
use crate::node::Visit;
use crate::passage::{Answer, Passage};
use crate::refusal::Refusal;
use crate::repeat;
use crate::tunnel::{Tunnel, TunnelSlot};

/// What all client connections share.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) unsafe_paths: Vec<String>,
    /// The balancer's own address, the host of clients that name none.
    pub(crate) own: HeaderValue,
    /// A websocket on which no byte passes for this long is closed.
    pub(crate) idle: Duration,
}

impl Proxy {
    /// Answers a request of the client at this address. If it becomes a websocket, its tunnel is left in the
    /// slot.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        client: IpAddr,
        slot: &TunnelSlot,
    ) -> Response<ResponseBody> {
        self.forward(request, client, slot).await.unwrap_or_else(Refusal::into_response)
    }

    async fn forward(
        &self,
        mut request: Request<Incoming>,
        client: IpAddr,
        slot: &TunnelSlot,
    ) -> Result<Response<ResponseBody>, Refusal> {
        let client_side = upgrade::on(&mut request);
        let (mut head, body) = request.into_parts();
        let websocket = headers::wants_websocket(&head);
        headers::prepare_request(&mut head, client, &self.own)?;
        let payload = Payload::gather(body).await?;
        let safe = repeat::is_safe(&head.method, head.uri.path(), &self.unsafe_paths);
        let Answer { mut response, lease, visit } =
            Passage::new(&self.fleet, &head, payload, safe).run().await?;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            if !websocket {
                return Err(Refusal::bad_gateway("the node switched protocols though nobody asked".into()));
            }
            slot.fill(Tunnel { client: client_side, node: upgrade::on(&mut response), visit });
            return Ok(passed_on(response, None, None));
        }
        Ok(passed_on(response, lease, Some(visit)))
    }
}

/// A node's response as the client gets it.
fn passed_on(
    response: Response<Incoming>,
    lease: Option<Lease>,
    visit: Option<Visit>,
) -> Response<ResponseBody> {
    let (mut head, body) = response.into_parts();
    headers::prepare_response(&mut head);
    Response::from_parts(head, ResponseBody::from_node(body, lease, visit))
}
