//! Attributes of a forward-request: a list of kinds with their values, until the kind that ends it.

use std::net::IpAddr;

use crate::error::RequestError;
use crate::forwarded::ForwardedTls;
use crate::payload::Payload;

const CONTEXT: u8 = 0x01;
const SERVLET_PATH: u8 = 0x02;
const REMOTE_USER: u8 = 0x03;
const AUTH_TYPE: u8 = 0x04;
const QUERY_STRING: u8 = 0x05;
const ROUTE: u8 = 0x06;
const SSL_CERT: u8 = 0x07;
const SSL_CIPHER: u8 = 0x08;
const SSL_SESSION: u8 = 0x09;
const NAMED: u8 = 0x0A;
const SSL_KEY_SIZE: u8 = 0x0B;
const SECRET: u8 = 0x0C;
const STORED_METHOD: u8 = 0x0D;
const DONE: u8 = 0xFF;

/// Most attributes of a request; a web server sends a dozen.
const MAX_ATTRIBUTES: usize = 64;

/// The values of the attributes.
#[derive(Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) secret: Option<String>,
    pub(crate) query: Option<String>,
    pub(crate) stored_method: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) auth_type: Option<String>,
    pub(crate) route: Option<String>,
    pub(crate) activation: Option<String>,
    pub(crate) remote_port: Option<u16>,
    pub(crate) local_address: Option<IpAddr>,
    pub(crate) tls: ForwardedTls,
    /// The first name that is not accepted. It is told only to a peer that has the secret.
    pub(crate) foreign: Option<String>,
}

impl Attributes {
    /// Reads all of them.
    pub(crate) fn read(payload: &mut Payload) -> Result<Self, RequestError> {
        let mut attributes = Self::default();
        for _ in 0..MAX_ATTRIBUTES {
            match payload.byte("the attributes")? {
                DONE => return Ok(attributes),
                kind => attributes.read_one(kind, payload)?,
            }
        }
        Err(RequestError::Malformed("the list of attributes"))
    }

    fn read_one(&mut self, kind: u8, payload: &mut Payload) -> Result<(), RequestError> {
        let place = match kind {
            SSL_KEY_SIZE => {
                self.tls.key_bits = Some(payload.number("the attribute ssl_key_size")?);
                return Ok(());
            }
            NAMED => return self.read_named(payload),
            // Web servers do not fill them.
            CONTEXT | SERVLET_PATH => &mut None,
            REMOTE_USER => &mut self.user,
            AUTH_TYPE => &mut self.auth_type,
            QUERY_STRING => &mut self.query,
            ROUTE => &mut self.route,
            SSL_CERT => &mut self.tls.certificate,
            SSL_CIPHER => &mut self.tls.cipher,
            SSL_SESSION => &mut self.tls.session,
            SECRET => &mut self.secret,
            STORED_METHOD => &mut self.stored_method,
            _ => return Err(RequestError::Malformed("the kind of an attribute")),
        };
        *place = payload.optional_string("an attribute")?;
        Ok(())
    }

    /// A name and a value. Only what mod_jk and mod_proxy_ajp always send is accepted: names of the Servlet
    /// API changed what Tomcat served (CVE-2020-1938).
    fn read_named(&mut self, payload: &mut Payload) -> Result<(), RequestError> {
        let name = payload.string("the name of an attribute")?;
        let value = payload.optional_string("an attribute")?.unwrap_or_default();
        match name.as_str() {
            "AJP_REMOTE_PORT" => {
                let port = value.parse().map_err(|_| RequestError::Malformed("AJP_REMOTE_PORT"))?;
                self.remote_port = Some(port);
            }
            "AJP_LOCAL_ADDR" => self.local_address = value.parse().ok(),
            "AJP_SSL_PROTOCOL" => self.tls.protocol = Some(value),
            "JK_LB_ACTIVATION" => self.activation = Some(value),
            _ => {
                self.foreign.get_or_insert(name);
            }
        }
        Ok(())
    }
}
