//! One request and its response: runs the service, and feeds it the body that it asks for.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Method, Response, StatusCode};
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use crate::body::BodyPlug;
use crate::error::ConnectionError;
use crate::packet::PacketReader;
use crate::response::{
    HeadTooLarge, has_body, put_body, put_end, put_flush, put_head, put_request_for_body, strip, wants_close,
};

/// Longest wait for a piece of a request's body, and for the peer to take a piece of a response: as long as
/// httpd waits for a client by default, five times over.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(300);
/// Bytes of a response that are gathered before they are written.
const GATHERED: usize = 64 * 1024;

/// A connection while it carries a request.
pub(crate) struct Exchange<'c, R, W> {
    pub(crate) reader: &'c mut PacketReader<R>,
    pub(crate) writer: &'c mut W,
    pub(crate) packet_size: usize,
    pub(crate) body: BodyPlug,
    /// Until when the piece of the request's body must be here that is on its way.
    pub(crate) piece_due: Option<Instant>,
    /// Bytes that are not yet written.
    pub(crate) output: BytesMut,
    /// The web server is asked to send on what it has whenever the application pauses.
    pub(crate) flushes: bool,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Exchange<'_, R, W> {
    /// Waits for `work`, and meanwhile gets the pieces of the body that it asks for.
    pub(crate) async fn drive<T>(&mut self, work: impl Future<Output = T>) -> Result<T, ConnectionError> {
        let mut work = pin!(work);
        loop {
            tokio::select! {
                biased;
                done = work.as_mut() => return Ok(done),
                piece = next_piece(self.reader, self.piece_due), if self.piece_due.is_some() => {
                    self.piece_due = None;
                    // The service may have dropped the body.
                    let _ = self.body.pieces.try_send(piece?);
                }
                Some(()) = self.body.asked.recv(), if self.piece_due.is_none() => {
                    put_request_for_body(&mut self.output, self.packet_size);
                    self.write().await?;
                    self.piece_due = Some(Instant::now() + BODY_TIMEOUT);
                }
                // Nothing else can go on: what is here is sent.
                () = std::future::ready(()), if !self.output.is_empty() => {
                    if self.flushes {
                        put_flush(&mut self.output);
                    }
                    self.write().await?;
                }
            }
        }
    }

    /// Sends the response; whether the connection can be used again.
    pub(crate) async fn respond<B>(
        &mut self,
        method: &Method,
        response: Response<B>,
        is_reused: bool,
    ) -> Result<bool, ConnectionError>
    where
        B: Body<Error: fmt::Display>,
    {
        let (mut head, body) = response.into_parts();
        if head.status.is_informational() {
            return Err(ConnectionError::Unfinished(format!("AJP has no response {}", head.status)));
        }
        let is_reused = is_reused && !wants_close(&head.headers);
        strip(head.status, &mut head.headers);
        let has_body = has_body(method, head.status);
        let exact = body.size_hint().exact();
        if let Some(length) = exact.filter(|length| has_body || (*method == Method::HEAD && *length > 0)) {
            head.headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
        }
        if let Err(HeadTooLarge { bytes }) =
            put_head(&mut self.output, head.status, &head.headers, self.packet_size)
        {
            self.refuse(StatusCode::INTERNAL_SERVER_ERROR).await?;
            let problem = "raise packet_size in [ajp] and at the web server";
            return Err(ConnectionError::Unfinished(format!("its head takes {bytes} bytes: {problem}")));
        }
        if has_body {
            self.flushes = exact.is_none();
            let length =
                head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
            self.send_body(body, length).await?;
        }
        self.end(is_reused).await?;
        Ok(is_reused)
    }

    async fn send_body<B>(&mut self, body: B, declared: Option<u64>) -> Result<(), ConnectionError>
    where
        B: Body<Error: fmt::Display>,
    {
        let mut body = pin!(body);
        let mut sent = 0;
        while let Some(frame) = self.drive(body.frame()).await? {
            let frame = frame.map_err(|error| ConnectionError::Unfinished(error.to_string()))?;
            // AJP has no trailers.
            let Ok(mut piece) = frame.into_data() else { continue };
            sent += piece.remaining() as u64;
            if declared.is_some_and(|declared| declared < sent) {
                return Err(ConnectionError::Unfinished(
                    "its body is longer than its Content-Length".to_owned(),
                ));
            }
            let piece: Bytes = piece.copy_to_bytes(piece.remaining());
            put_body(&mut self.output, piece, self.packet_size);
            if self.output.len() >= GATHERED {
                self.write().await?;
            }
        }
        // The end of the response would let the client take it for complete.
        if declared.is_some_and(|declared| declared != sent) {
            return Err(ConnectionError::Unfinished(
                "its body is shorter than its Content-Length".to_owned(),
            ));
        }
        Ok(())
    }

    /// Answers with a status alone; the connection is not used again.
    pub(crate) async fn refuse(&mut self, status: StatusCode) -> Result<(), ConnectionError> {
        self.output.clear();
        let length = [(CONTENT_LENGTH, HeaderValue::from(0))].into_iter().collect();
        put_head(&mut self.output, status, &length, self.packet_size).expect("a status alone fits");
        put_end(&mut self.output, false);
        self.write().await
    }

    /// Ends the response. A piece of the request's body that is still on its way comes first: else it would
    /// be taken for the next request.
    async fn end(&mut self, is_reused: bool) -> Result<(), ConnectionError> {
        if self.piece_due.is_some() {
            self.write().await?;
            next_piece(self.reader, self.piece_due.take()).await?;
        }
        put_end(&mut self.output, is_reused);
        self.write().await
    }

    async fn write(&mut self) -> Result<(), ConnectionError> {
        while !self.output.is_empty() {
            let written = timeout(BODY_TIMEOUT, self.writer.write_buf(&mut self.output)).await;
            if written.map_err(|_| ConnectionError::Stuck)?? == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::WriteZero).into());
            }
        }
        timeout(BODY_TIMEOUT, self.writer.flush()).await.map_err(|_| ConnectionError::Stuck)??;
        Ok(())
    }
}

/// The piece of a body that is on its way. A packet without a length is the end of the body, as is one with
/// the length 0.
async fn next_piece<R: AsyncRead + Unpin>(
    reader: &mut PacketReader<R>,
    due: Option<Instant>,
) -> Result<Bytes, ConnectionError> {
    let due = due.unwrap_or_else(Instant::now);
    let Some(mut payload) = reader.next(due).await? else {
        return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
    };
    if payload.is_empty() {
        return Ok(payload);
    }
    let kind = payload[0];
    let length = payload.try_get_u16().map(usize::from).ok().filter(|length| *length <= payload.len());
    let length = length.ok_or(ConnectionError::Unexpected(kind))?;
    Ok(payload.split_to(length))
}
