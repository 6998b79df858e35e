//! Header names, some of which travel as a number.

use bytes::{BufMut, BytesMut};
use http::HeaderName;
use http::header::{
    ACCEPT, ACCEPT_CHARSET, ACCEPT_ENCODING, ACCEPT_LANGUAGE, AUTHORIZATION, CONNECTION, CONTENT_LANGUAGE,
    CONTENT_LENGTH, CONTENT_TYPE, COOKIE, DATE, HOST, LAST_MODIFIED, LOCATION, PRAGMA, REFERER, SET_COOKIE,
    USER_AGENT, WWW_AUTHENTICATE,
};

use crate::error::RequestError;
use crate::payload::{Payload, put_text};

/// The upper byte of a name that is a number.
const NUMBERED: u16 = 0xA000;

/// Names in requests, from 1.
const OF_REQUESTS: [HeaderName; 14] = [
    ACCEPT,
    ACCEPT_CHARSET,
    ACCEPT_ENCODING,
    ACCEPT_LANGUAGE,
    AUTHORIZATION,
    CONNECTION,
    CONTENT_TYPE,
    CONTENT_LENGTH,
    COOKIE,
    HeaderName::from_static("cookie2"),
    HOST,
    PRAGMA,
    REFERER,
    USER_AGENT,
];

/// Names in responses with their numbers. Three that no response of today has are left out.
const OF_RESPONSES: [(HeaderName, u16); 8] = [
    (CONTENT_TYPE, 1),
    (CONTENT_LANGUAGE, 2),
    (CONTENT_LENGTH, 3),
    (DATE, 4),
    (LAST_MODIFIED, 5),
    (LOCATION, 6),
    (SET_COOKIE, 7),
    (WWW_AUTHENTICATE, 11),
];

/// Reads the name of a request's header.
pub(crate) fn read_name(payload: &mut Payload) -> Result<HeaderName, RequestError> {
    let what = "a header name";
    let number = payload.peek_number(what)?;
    if number & 0xFF00 == NUMBERED {
        payload.number(what)?;
        let index = usize::from(number & 0xFF).wrapping_sub(1);
        return OF_REQUESTS.get(index).cloned().ok_or(RequestError::Malformed(what));
    }
    let name = payload.text(what)?.ok_or(RequestError::Malformed(what))?;
    HeaderName::from_bytes(&name).map_err(|_| RequestError::Malformed(what))
}

/// Writes the name of a response's header.
pub(crate) fn put_name(out: &mut BytesMut, name: &HeaderName) {
    match OF_RESPONSES.iter().find(|(numbered, _)| numbered == name) {
        Some((_, number)) => out.put_u16(NUMBERED | number),
        None => put_text(out, name.as_str().as_bytes()),
    }
}
