//! The forward-request: everything about a request but its body.

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};

use crate::attribute::Attributes;
use crate::body::{AjpRequestBody, Declared};
use crate::error::RequestError;
use crate::forwarded::Forwarded;
use crate::header_names::read_name;
use crate::method::method;
use crate::payload::Payload;
use crate::secret::Secrets;
use crate::target::target;

/// Most headers of a request, as an HTTP port takes by default.
const MAX_HEADERS: u16 = 200;

/// Headers of the connection between client and web server: they end there.
const OF_THE_CLIENTS_CONNECTION: [HeaderName; 7] = [
    CONNECTION,
    EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// A request that was read and shows the secret.
#[derive(Debug)]
pub(crate) struct ForwardRequest {
    pub(crate) method: Method,
    version: Version,
    uri: Uri,
    headers: HeaderMap,
    forwarded: Forwarded,
    pub(crate) declared: Declared,
}

/// The fields in the order of the wire, unchecked.
struct Fields {
    method: u8,
    protocol: String,
    path: String,
    remote_address: String,
    server_name: String,
    server_port: u16,
    is_tls: bool,
    headers: HeaderMap,
    attributes: Attributes,
}

impl ForwardRequest {
    /// Reads what follows the byte that says that it is a forward-request.
    pub(crate) fn read(payload: Bytes, secrets: &Secrets) -> Result<Self, RequestError> {
        let fields = Fields::read(&mut Payload::new(payload))?;
        // Nothing else is told to who does not have it.
        if !fields.attributes.secret.as_deref().is_some_and(|shown| secrets.accept(shown)) {
            return Err(RequestError::Unauthenticated);
        }
        fields.check()
    }

    /// The request with its body.
    pub(crate) fn with_body(self, body: AjpRequestBody) -> Request<AjpRequestBody> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers;
        request.extensions_mut().insert(self.forwarded);
        request
    }
}

impl Fields {
    fn read(payload: &mut Payload) -> Result<Self, RequestError> {
        let method = payload.byte("the method")?;
        let protocol = payload.string("the protocol")?;
        let path = payload.string("the path")?;
        let remote_address = payload.string("the client's address")?;
        // The client's name: nothing needs it, and web servers do not look it up.
        payload.text("the client's name")?;
        let server_name = payload.optional_string("the server name")?.unwrap_or_default();
        let server_port = payload.number("the server port")?;
        let is_tls = payload.byte("the field is_ssl")? != 0;
        let headers = read_headers(payload)?;
        let attributes = Attributes::read(payload)?;
        Ok(Self {
            method,
            protocol,
            path,
            remote_address,
            server_name,
            server_port,
            is_tls,
            headers,
            attributes,
        })
    }

    fn check(self) -> Result<ForwardRequest, RequestError> {
        let Self { mut headers, attributes, .. } = self;
        if let Some(foreign) = attributes.foreign {
            return Err(RequestError::Attribute(foreign));
        }
        let method = method(self.method, attributes.stored_method.as_deref())?;
        let version = version(&self.protocol)?;
        let query = attributes.query.as_deref();
        let server = (self.server_name.as_str(), self.server_port);
        let uri = target(&self.path, query, self.is_tls, server, &mut headers)?;
        let declared = declared(&method, &headers)?;
        for name in OF_THE_CLIENTS_CONNECTION {
            headers.remove(name);
        }
        let forwarded = Forwarded {
            client: SocketAddr::new(address(&self.remote_address)?, attributes.remote_port.unwrap_or(0)),
            server_address: attributes.local_address,
            user: attributes.user,
            auth_type: attributes.auth_type,
            route: attributes.route,
            activation: attributes.activation,
            tls: self.is_tls.then_some(attributes.tls),
        };
        Ok(ForwardRequest { method, version, uri, headers, forwarded, declared })
    }
}

fn read_headers(payload: &mut Payload) -> Result<HeaderMap, RequestError> {
    let count = payload.number("the number of headers")?;
    if count > MAX_HEADERS {
        return Err(RequestError::TooManyHeaders(count));
    }
    let mut headers = HeaderMap::with_capacity(count.into());
    for _ in 0..count {
        let name = read_name(payload)?;
        let value = payload.text("a header")?.unwrap_or_default();
        let value = HeaderValue::from_maybe_shared(value).map_err(|_| RequestError::Malformed("a header"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

fn version(protocol: &str) -> Result<Version, RequestError> {
    match protocol {
        "HTTP/1.1" => Ok(Version::HTTP_11),
        "HTTP/1.0" => Ok(Version::HTTP_10),
        "HTTP/2.0" | "HTTP/2" => Ok(Version::HTTP_2),
        "HTTP/0.9" => Ok(Version::HTTP_09),
        _ => Err(RequestError::Malformed("the protocol")),
    }
}

fn address(text: &str) -> Result<IpAddr, RequestError> {
    // A zone, as in fe80::1%eth0, means something to the web server's machine alone.
    let bare = text.split_once('%').map_or(text, |(address, _)| address);
    let bare = bare.trim_start_matches('[').trim_end_matches(']');
    bare.parse().map_err(|_| RequestError::Malformed("the client's address"))
}

/// How long the body is. The web server has taken the transfer coding off.
fn declared(method: &Method, headers: &HeaderMap) -> Result<Declared, RequestError> {
    let malformed = RequestError::Malformed("the header Content-Length");
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else {
        let has_none = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(method);
        let is_chunked = headers.contains_key(TRANSFER_ENCODING);
        return Ok(if has_none && !is_chunked { Declared::Nothing } else { Declared::Unknown });
    };
    // Two lengths, or a length beside a transfer coding, are how requests are smuggled.
    if lengths.next().is_some() || headers.contains_key(TRANSFER_ENCODING) {
        return Err(malformed);
    }
    let digits = length.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        None => Err(malformed),
        Some(0) => Ok(Declared::Nothing),
        Some(length) => Ok(Declared::Length(length)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(method: Method, headers: &[(HeaderName, &str)]) -> Result<Declared, RequestError> {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        declared(&method, &headers)
    }

    #[test]
    fn one_header_says_how_long_the_body_is() {
        assert_eq!(of(Method::GET, &[]), Ok(Declared::Nothing));
        assert_eq!(of(Method::POST, &[]), Ok(Declared::Unknown));
        assert_eq!(of(Method::GET, &[(TRANSFER_ENCODING, "chunked")]), Ok(Declared::Unknown));
        assert_eq!(of(Method::POST, &[(CONTENT_LENGTH, "0")]), Ok(Declared::Nothing));
        assert_eq!(of(Method::POST, &[(CONTENT_LENGTH, "7")]), Ok(Declared::Length(7)));
        for wrong in ["", "+7", "-7", "7a", "99999999999999999999"] {
            assert!(of(Method::POST, &[(CONTENT_LENGTH, wrong)]).is_err(), "{wrong}");
        }
        assert!(of(Method::POST, &[(CONTENT_LENGTH, "7"), (TRANSFER_ENCODING, "chunked")]).is_err());
    }

    #[test]
    fn addresses_have_zones_and_brackets_at_times() {
        assert_eq!(address("10.0.0.9").unwrap().to_string(), "10.0.0.9");
        assert_eq!(address("fe80::1%eth0").unwrap().to_string(), "fe80::1");
        assert_eq!(address("[::1]").unwrap().to_string(), "::1");
        assert!(address("").is_err() && address("client.example").is_err());
    }
}
