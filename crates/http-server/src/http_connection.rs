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
use hyper::server::conn::http1::Parts;
use hyper::server::conn::{http1, http2};
use hyper::service::{HttpService, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::connection_counts::ConnectionCounts;
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
/// After this time without a request, and with nothing to write, the engine of an HTTP/1.1 connection is let
/// go.
const REST: Duration = Duration::from_secs(1);
/// How often an HTTP/2 connection is looked at for answers that its client does not take.
const H2_STALL_CHECK: Duration = Duration::from_secs(1);

/// The state that the connections of one server share.
#[derive(Debug)]
pub(crate) struct HttpSettings {
    pub(crate) limits: Limits,
    pub(crate) tunnel_idle: Duration,
    /// `Strict-Transport-Security` of every answer.
    pub(crate) hsts: Option<HeaderValue>,
    pub(crate) counts: Arc<ConnectionCounts>,
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
    let stream = GuardedStream::new(stream, Arc::clone(&state), patience, rate);
    let answering =
        Answering { settings: Arc::clone(&settings), state: Arc::clone(&state), is_http2, answer };
    let answering = Arc::new(answering);
    // On the heap, so that the many connections that are idle hold no room for an answer.
    let service = move || {
        let answering = Arc::clone(&answering);
        service_fn(move |request| Box::pin(Arc::clone(&answering).answer(request)))
    };
    if !is_http2 {
        return serve_h1(&settings, stream, &state, stop, service).await;
    }
    // On the heap: it is larger than what HTTP/1.1 needs.
    Box::pin(serve_h2(settings, stream, state, stop, service())).await
}

/// Serves HTTP/2.
async fn serve_h2<S, V, B>(
    settings: Arc<HttpSettings>,
    stream: GuardedStream<S>,
    state: Arc<ConnectionState>,
    stop: watch::Receiver<bool>,
    service: V,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    V: HttpService<Incoming, ResBody = B, Error = Infallible>,
    V::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let io = TokioIo::new(stream);
    let mut connection = pin!(h2_builder(&settings.limits).serve_connection(io, service));
    tokio::select! {
        served = connection.as_mut() => return served,
        () = h2_stall(&state, &settings) => return Ok(()),
        () = asked_to_end(&state, stop.clone()) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        served = connection => served,
        () = h2_stall(&state, &settings) => Ok(()),
        () = note_stop(&state, stop) => Ok(()),
    }
}

/// Serves HTTP/1.1. The engine holds 16 KiB of buffers, so it is let go while the connection is at rest, and
/// made anew when the next bytes come.
async fn serve_h1<S, V, B>(
    settings: &HttpSettings,
    mut stream: GuardedStream<S>,
    state: &Arc<ConnectionState>,
    stop: watch::Receiver<bool>,
    service: impl Fn() -> V,
) -> Result<(), hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    V: HttpService<Incoming, ResBody = B, Error = Infallible>,
    V::Future: Unpin,
    V: Unpin,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let builder = h1_builder(&settings.limits);
    loop {
        let mut connection = builder.serve_connection(TokioIo::new(stream), service()).with_upgrades();
        tokio::select! {
            served = &mut connection => return served,
            () = at_rest(state) => {}
            () = asked_to_end(state, stop.clone()) => {
                Pin::new(&mut connection).graceful_shutdown();
                return tokio::select! {
                    served = &mut connection => served,
                    () = note_stop(state, stop) => Ok(()),
                };
            }
        }
        let Some(Parts { io, read_buf, .. }) = connection.into_parts() else { return Ok(()) };
        stream = io.into_inner();
        if !read_buf.is_empty() {
            stream.put_back(read_buf);
            continue;
        }
        settings.counts.rested();
        let came = tokio::select! {
            came = stream.wait_for_bytes() => came,
            () = asked_to_end(state, stop.clone()) => return Ok(()),
        };
        match came {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(cause) => {
                tracing::debug!(%cause, "an idle connection ended");
                return Ok(());
            }
        }
    }
}

/// Ready once the connection has been at rest for a moment.
async fn at_rest(state: &ConnectionState) {
    while !state.is_at_rest(REST) {
        sleep(REST).await;
    }
}

/// Ready when the connection is to end as soon as it is idle: the server stops, or its place is needed.
async fn asked_to_end(state: &ConnectionState, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = state.close.notified() => {}
        () = stop_said(&mut stop) => state.stop(),
    }
}

/// Notes a stop while a connection ends for another reason; never ready.
async fn note_stop(state: &ConnectionState, mut stop: watch::Receiver<bool>) {
    stop_said(&mut stop).await;
    state.stop();
    std::future::pending().await
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
