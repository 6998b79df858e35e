//! Requests of one connection, in HTTP/1.1 or HTTP/2, until the client, a limit or the server ends it.

use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HeaderValue, STRICT_TRANSPORT_SECURITY};
use http::{Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::connection_state::ConnectionState;
use crate::early_response::EarlyResponses;
use crate::guarded_stream::{GuardedStream, Patience};
use crate::{Limits, RequestBody, ResponseBody};

/// Most streams that a client may reset before they were handled; more end the connection.
const MAX_PENDING_RESETS: usize = 20;
/// Bytes of a body that an HTTP/2 client may send ahead, for each stream and for the connection.
const H2_STREAM_WINDOW: u32 = 256 * 1024;
const H2_CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Most bytes of an answer that wait in the engine for an HTTP/2 client, for each stream.
const H2_SEND_BUFFER: usize = 64 * 1024;
/// How often an HTTP/2 connection is looked at for answers that its client does not take.
const H2_STALL_CHECK: Duration = Duration::from_secs(1);

/// What is common to the connections of one server.
#[derive(Debug)]
pub(crate) struct HttpSettings {
    pub(crate) limits: Limits,
    pub(crate) tunnel_idle: Duration,
    /// `Strict-Transport-Security` of every answer.
    pub(crate) hsts: Option<HeaderValue>,
}

/// Serves `stream` with `answer`, which gets each request.
pub(crate) async fn serve<S, A, F, B>(
    settings: Arc<HttpSettings>,
    stream: S,
    is_http2: bool,
    state: Arc<ConnectionState>,
    stop: watch::Receiver<bool>,
    answer: A,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Fn(Request<RequestBody>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes> + Unpin + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let patience = Patience::new(&settings.limits, settings.tunnel_idle);
    let rate = is_http2.then_some(settings.limits.h2_control_rate);
    let io = TokioIo::new(GuardedStream::new(stream, Arc::clone(&state), patience, rate));
    let answer =
        Arc::new(Answering { settings: Arc::clone(&settings), state: Arc::clone(&state), is_http2, answer });
    let service = service_fn(move |request| Arc::clone(&answer).answer(request));
    if is_http2 {
        let connection = pin!(h2_builder(&settings.limits).serve_connection(io, service));
        drive(connection, &state, stop, http2::Connection::graceful_shutdown, h2_stall(&state, &settings))
            .await
    } else {
        let connection = h1_builder(&settings.limits).serve_connection(io, service).with_upgrades();
        let never = std::future::pending();
        drive(pin!(connection), &state, stop, http1::UpgradeableConnection::graceful_shutdown, never).await
    }
}

fn h1_builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The stream has its own limits of time.
        .header_read_timeout(None)
        // A client may end its side once it has asked: it still gets its answer.
        .half_close(true)
        .max_headers(limits.headers as usize)
        .max_header_size(limits.head_size)
        .max_buf_size(limits.head_size);
    builder
}

fn h2_builder(limits: &Limits) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .initial_stream_window_size(H2_STREAM_WINDOW)
        .initial_connection_window_size(H2_CONNECTION_WINDOW)
        .max_send_buf_size(H2_SEND_BUFFER)
        .enable_connect_protocol();
    builder
}

/// Polls a connection to its end. It is told once to end gracefully: when the server stops, or when its place
/// is needed.
async fn drive<C: Future<Output = Result<(), hyper::Error>>>(
    mut connection: std::pin::Pin<&mut C>,
    state: &ConnectionState,
    mut stop: watch::Receiver<bool>,
    end_gracefully: impl FnOnce(std::pin::Pin<&mut C>),
    stalled: impl Future<Output = ()>,
) -> Result<(), hyper::Error> {
    let mut stalled = pin!(stalled);
    tokio::select! {
        served = connection.as_mut() => return served,
        () = &mut stalled => return Ok(()),
        () = state.close.notified() => {}
        () = stop_said(&mut stop) => state.stop(),
    }
    end_gracefully(connection.as_mut());
    tokio::select! {
        served = connection.as_mut() => served,
        () = &mut stalled => Ok(()),
        // A connection that is closed for its place may still be busy when the server stops.
        () = async { stop_said(&mut stop).await; state.stop(); std::future::pending().await } => Ok(()),
    }
}

/// Ready once an HTTP/2 client has taken nothing of an answer for too long.
async fn h2_stall(state: &ConnectionState, settings: &HttpSettings) {
    loop {
        sleep(H2_STALL_CHECK).await;
        let limit = settings.limits.write_timeout;
        let is_over = |since: Instant| {
            since.elapsed() > if state.is_stopping() { limit.min(2 * H2_STALL_CHECK) } else { limit }
        };
        if state.longest_waiting_answer().is_some_and(is_over) {
            tracing::debug!("a connection was cut: its client takes nothing of an answer");
            return;
        }
    }
}

/// Ready once the server stops.
async fn stop_said(stop: &mut watch::Receiver<bool>) {
    // An error means that the server was dropped, which is a stop as well.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Answers the requests of one connection.
struct Answering<A> {
    settings: Arc<HttpSettings>,
    state: Arc<ConnectionState>,
    is_http2: bool,
    answer: A,
}

impl<A> Answering<A> {
    async fn answer<F, B>(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<ResponseBody<B>>, Infallible>
    where
        A: Fn(Request<RequestBody>) -> F,
        F: Future<Output = Response<B>>,
        B: Body<Data = Bytes>,
    {
        let in_flight = self.state.begin_request();
        let limits = &self.settings.limits;
        if request.headers().len() > limits.headers as usize {
            // HTTP/1.1 heads are refused by the engine.
            let mut refusal = Response::new(ResponseBody::new(None, in_flight, self.is_http2));
            *refusal.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
            return Ok(refusal);
        }
        let mut request = request.map(|body| RequestBody::new(body, &in_flight, limits));
        let is_connect = request.method() == Method::CONNECT;
        request.extensions_mut().insert(in_flight.clone());
        if request.version() == Version::HTTP_11 {
            request.extensions_mut().insert(EarlyResponses(Arc::clone(&self.state)));
        }
        let mut response = (self.answer)(request).await;
        if let Some(hsts) = &self.settings.hsts {
            response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        let status = response.status();
        if !self.is_http2 && (status == StatusCode::SWITCHING_PROTOCOLS || is_connect && status.is_success())
        {
            self.state.become_tunnel();
        }
        Ok(response.map(|body| ResponseBody::new(Some(body), in_flight, self.is_http2)))
    }
}
