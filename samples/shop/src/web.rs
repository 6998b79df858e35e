//! Requests and responses, as far as the shop needs them.

use crate::bindings::wasi::http::types::{
    Fields, Headers, IncomingRequest, Method, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use crate::bindings::wasi::io::streams::StreamError;

/// A form has a few short fields; what is longer is cut.
const MAX_FORM_BYTES: usize = 16 * 1024;

pub struct Request {
    pub is_post: bool,
    /// The path below the context path: `/cart`.
    pub path: String,
    /// The context path, for links: `/shop`, empty at the root.
    pub base: String,
    form: String,
}

pub enum Response {
    Page(u16, String),
    /// To a path of the shop, so that reloading sends no form again.
    See(String),
}

impl Request {
    pub fn read(request: IncomingRequest) -> Self {
        let base = first(&request.headers(), "x-forwarded-prefix");
        let target = request.path_with_query().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        Self {
            is_post: matches!(request.method(), Method::Post),
            path: path.strip_prefix(base.as_str()).unwrap_or(path).to_owned(),
            form: body(&request),
            base,
        }
    }

    /// A field of the form that was sent; empty when it is missing.
    pub fn field(&self, name: &str) -> String {
        let mut pairs = self.form.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(given, _)| *given == name).map(|(_, value)| unescape(value)).unwrap_or_default()
    }
}

fn first(headers: &Headers, name: &str) -> String {
    let value = headers.get(name).into_iter().next().unwrap_or_default();
    String::from_utf8(value).unwrap_or_default()
}

fn body(request: &IncomingRequest) -> String {
    let (Ok(body), mut bytes) = (request.consume(), Vec::new()) else { return String::new() };
    if let Ok(stream) = body.stream() {
        while bytes.len() < MAX_FORM_BYTES {
            match stream.blocking_read(4096) {
                Ok(piece) => bytes.extend(piece),
                Err(StreamError::Closed | StreamError::LastOperationFailed(_)) => break,
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `a+b%21` is `a b!`.
fn unescape(value: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), value.as_bytes());
    while let [byte, tail @ ..] = rest {
        rest = tail;
        let escaped =
            tail.get(..2).filter(|_| *byte == b'%').and_then(|digits| std::str::from_utf8(digits).ok());
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) => {
                bytes.push(escaped);
                rest = &tail[2..];
            }
            None => bytes.push(if *byte == b'+' { b' ' } else { *byte }),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sets the head, which commits the session, and writes the body.
pub fn answer(out: ResponseOutparam, response: Response) {
    match response {
        Response::Page(status, html) => show(out, status, &html),
        // Without a body the node can keep the response for a repetition of the form.
        Response::See(path) => ResponseOutparam::set(out, Ok(head(303, "location", &path))),
    }
}

fn show(out: ResponseOutparam, status: u16, html: &str) {
    let head = head(status, "content-type", "text/html; charset=utf-8");
    let body = head.body().expect("taken once");
    let stream = body.write().expect("taken once");
    ResponseOutparam::set(out, Ok(head));
    // A browser that hung up reads no more.
    let _ = html.as_bytes().chunks(4096).try_for_each(|piece| stream.blocking_write_and_flush(piece));
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

fn head(status: u16, header: &str, value: &str) -> OutgoingResponse {
    let fields = Fields::new();
    fields.append(header, value.as_bytes()).expect("these headers may be set");
    let head = OutgoingResponse::new(fields);
    head.set_status_code(status).expect("it is a status");
    head
}
