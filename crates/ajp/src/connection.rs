//! A connection: one packet after the other, one request at a time.

use std::convert::Infallible;
use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::{Request, Response};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};
use tower_service::Service;

use crate::body::{AjpRequestBody, Declared};
use crate::error::ConnectionError;
use crate::exchange::{BODY_TIMEOUT, Exchange};
use crate::forward_request::ForwardRequest;
use crate::packet::PacketReader;
use crate::response::put_pong;
use crate::secret::Secrets;

const FORWARD_REQUEST: u8 = 2;
const CPING: u8 = 10;

/// Longest wait for the next request. Web servers keep connections open; `connection_pool_timeout` of mod_jk
/// and `ttl` of mod_proxy_ajp should be shorter, so that it is they who close.
const IDLE_TIMEOUT: Duration = Duration::from_secs(3600);

/// The two halves of a connection.
pub(crate) struct Connection<'c, R, W> {
    pub(crate) secrets: &'c Secrets,
    /// Most bytes of a packet.
    pub(crate) packet_size: usize,
    /// Whether requests are wanted.
    pub(crate) is_available: &'c (dyn Fn() -> bool + Send + Sync),
    pub(crate) reader: PacketReader<R>,
    pub(crate) writer: W,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Connection<'_, R, W> {
    /// Serves requests until the peer closes the connection, or until `stop` is ready and no request runs.
    pub(crate) async fn serve<S, B>(
        mut self,
        mut service: S,
        mut stop: Pin<&mut impl Future<Output = ()>>,
    ) -> Result<(), ConnectionError>
    where
        S: Service<Request<AjpRequestBody>, Response = Response<B>, Error = Infallible>,
        B: Body<Error: fmt::Display>,
    {
        loop {
            let packet = tokio::select! {
                biased;
                packet = self.reader.next(Instant::now() + IDLE_TIMEOUT) => packet,
                () = stop.as_mut() => return Ok(()),
            };
            let mut payload = match packet {
                Ok(Some(payload)) if !payload.is_empty() => payload,
                Ok(Some(_)) => return Err(ConnectionError::Unexpected(0)),
                Ok(None) | Err(ConnectionError::Silent) => return Ok(()),
                Err(error) => return Err(error),
            };
            let is_kept = match payload.get_u8() {
                FORWARD_REQUEST => self.exchange(payload, &mut service).await?,
                CPING => self.pong().await?,
                kind => return Err(ConnectionError::Unexpected(kind)),
            };
            if !is_kept {
                return Ok(());
            }
        }
    }

    /// One request; whether the connection can be used again.
    async fn exchange<S, B>(&mut self, payload: Bytes, service: &mut S) -> Result<bool, ConnectionError>
    where
        S: Service<Request<AjpRequestBody>, Response = Response<B>, Error = Infallible>,
        B: Body<Error: fmt::Display>,
    {
        let read = ForwardRequest::read(payload, self.secrets);
        let declared = read.as_ref().map_or(Declared::Nothing, |request| request.declared);
        let (body, plug) = AjpRequestBody::new(declared);
        let mut exchange = Exchange {
            reader: &mut self.reader,
            writer: &mut self.writer,
            packet_size: self.packet_size,
            body: plug,
            // The first piece comes without being asked for.
            piece_due: matches!(declared, Declared::Length(_)).then(|| Instant::now() + BODY_TIMEOUT),
            output: BytesMut::new(),
            flushes: false,
        };
        let request = match read {
            Ok(request) => request,
            Err(refusal) => {
                exchange.refuse(refusal.status()).await?;
                return Err(refusal.into());
            }
        };
        let method = request.method.clone();
        let request = request.with_body(body);
        let Ok(response) = exchange
            .drive(async {
                let Ok(()) = std::future::poll_fn(|context| service.poll_ready(context)).await;
                service.call(request).await
            })
            .await?;
        exchange.respond(&method, response, true).await
    }

    /// Answers a CPing. While no requests are wanted it is not answered: the web server goes to another node,
    /// and has not sent its request yet.
    async fn pong(&mut self) -> Result<bool, ConnectionError> {
        if !(self.is_available)() {
            return Ok(false);
        }
        let mut pong = BytesMut::new();
        put_pong(&mut pong);
        timeout(BODY_TIMEOUT, self.writer.write_all(&pong)).await.map_err(|_| ConnectionError::Stuck)??;
        Ok(true)
    }
}
