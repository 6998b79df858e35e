//! `[http.tls]` of a node and `[balance.tls]` of a balancer: which certificates, and what else TLS brings.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The table `tls`. Without certificates the port speaks plain HTTP.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsConfig {
    /// The certificates, in PEM, leaf first. An entry is a file, or a directory with `fullchain.pem` and
    /// `privkey.pem` as ACME clients keep them. The first one serves clients that name no host, or one that
    /// no certificate has. Default: none.
    pub certificates: Vec<PathBuf>,
    /// The private keys of the certificates, in their order. Left out, the key of an entry is in the same
    /// file, or beside it: `NAME.key`, `NAME.pem.key`, or `privkey.pem`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<PathBuf>,
    /// The authorities whose certificates a client must show, in PEM. Default: none, clients need no
    /// certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
    /// Address and port for plain HTTP that sends every client to HTTPS (308). Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect: Option<SocketAddr>,
    /// Port to which clients are sent, where that is not the port listened at. Default: that port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redirect_port: Option<u16>,
    /// The directory from which the port of `redirect` serves `/.well-known/acme-challenge/`, the webroot of
    /// an ACME client. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acme_webroot: Option<PathBuf>,
    /// `Strict-Transport-Security` of every answer, as `max-age=31536000; includeSubDomains`. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hsts: Option<String>,
}

impl TlsConfig {
    /// Whether the port speaks TLS.
    #[must_use]
    pub fn is_on(&self) -> bool {
        !self.certificates.is_empty()
    }

    /// Every path in it.
    pub fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        let optional = [&mut self.client_ca, &mut self.acme_webroot].into_iter().flatten();
        self.certificates.iter_mut().chain(&mut self.keys).chain(optional)
    }

    /// Makes its paths relative to a directory.
    pub fn resolve(&mut self, directory: &Path) {
        self.paths().for_each(|path| *path = directory.join(&*path));
    }

    /// The key at fault and what is wrong with it, where values contradict each other.
    ///
    /// # Errors
    /// The first contradiction.
    pub fn validate(&self) -> Result<(), (&'static str, String)> {
        if !self.keys.is_empty() && self.keys.len() != self.certificates.len() {
            let (keys, certificates) = (self.keys.len(), self.certificates.len());
            return Err((
                "keys",
                format!("{keys} keys for {certificates} certificates: give each its own, or none"),
            ));
        }
        if !self.is_on() {
            let without = "without `certificates` this does nothing: name a certificate";
            let given = [
                ("client_ca", self.client_ca.is_some()),
                ("redirect", self.redirect.is_some()),
                ("redirect_port", self.redirect_port.is_some()),
                ("acme_webroot", self.acme_webroot.is_some()),
                ("hsts", self.hsts.is_some()),
            ];
            if let Some((key, _)) = given.iter().find(|(_, given)| *given) {
                return Err((key, without.to_owned()));
            }
        }
        if self.redirect.is_none() && (self.redirect_port.is_some() || self.acme_webroot.is_some()) {
            let key = if self.acme_webroot.is_some() { "acme_webroot" } else { "redirect_port" };
            return Err((key, "this is for the port of `redirect`: give it, as \"0.0.0.0:80\"".to_owned()));
        }
        match &self.hsts {
            Some(hsts) if !is_hsts(hsts) => Err((
                "hsts",
                "write \"max-age=SECONDS\", with `; includeSubDomains` where that holds".to_owned(),
            )),
            _ => Ok(()),
        }
    }
}

/// Whether a text is a value of `Strict-Transport-Security`: RFC 6797 wants `max-age` once.
fn is_hsts(text: &str) -> bool {
    let directives = text.split(';').map(|part| part.trim().to_ascii_lowercase());
    let ages: Vec<_> =
        directives.filter_map(|part| part.strip_prefix("max-age=").map(str::to_owned)).collect();
    let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    printable && matches!(&ages[..], [age] if age.trim_matches('"').parse::<u64>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> &'static str {
        toml::from_str::<TlsConfig>(text).expect("TOML").validate().expect_err(text).0
    }

    #[test]
    fn what_contradicts_itself_names_its_key() {
        assert_eq!(refused("certificates = [\"a\", \"b\"]\nkeys = [\"a\"]"), "keys");
        assert_eq!(refused("redirect = \"127.0.0.1:80\""), "redirect");
        assert_eq!(refused("hsts = \"max-age=1\""), "hsts");
        assert_eq!(refused("certificates = [\"a\"]\nacme_webroot = \"www\""), "acme_webroot");
        for wrong in ["", "includeSubDomains", "max-age=soon", "max-age=1; max-age=2", "max-age=1\\n"] {
            assert_eq!(refused(&format!("certificates = [\"a\"]\nhsts = \"{wrong}\"")), "hsts");
        }
        let right = "certificates = [\"a\"]\nhsts = \"max-age=31536000; includeSubDomains; preload\"";
        assert_eq!(toml::from_str::<TlsConfig>(right).expect("TOML").validate(), Ok(()));
        assert_eq!(TlsConfig::default().validate(), Ok(()));
    }
}
