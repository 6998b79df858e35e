//! Which certificate serves which host.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// A certificate that ends within this time is warned of.
const EXPIRES_SOON_DAYS: i64 = 7;

/// Chooses by the name that a client gives (SNI): the exact name, then the wildcard above it, then the first.
pub(super) struct CertificatesByName {
    by_name: HashMap<String, Arc<CertifiedKey>>,
    first: Arc<CertifiedKey>,
}

impl CertificatesByName {
    /// Nothing when there is no certificate. Of two with one name the first counts.
    pub(super) fn new(certificates: Vec<CertifiedKey>) -> Option<Self> {
        let certificates: Vec<_> = certificates.into_iter().map(Arc::new).collect();
        let first = certificates.first().cloned()?;
        let mut by_name: HashMap<String, Arc<CertifiedKey>> = HashMap::new();
        for certificate in &certificates {
            for name in certificate.cert.first().map(names_of).unwrap_or_default() {
                by_name.entry(name).or_insert_with(|| Arc::clone(certificate));
            }
        }
        Some(Self { by_name, first })
    }

    /// All names, sorted.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.by_name.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    fn find(&self, name: &str) -> &Arc<CertifiedKey> {
        let name = name.to_ascii_lowercase();
        let above = || name.split_once('.').and_then(|(_, above)| self.by_name.get(&format!("*.{above}")));
        self.by_name.get(&name).or_else(above).unwrap_or(&self.first)
    }
}

impl ResolvesServerCert for CertificatesByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(hello.server_name().map_or(&self.first, |name| self.find(name))))
    }
}

impl fmt::Debug for CertificatesByName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("CertificatesByName").field("names", &self.names()).finish_non_exhaustive()
    }
}

/// The DNS names of a certificate.
fn names_of(certificate: &CertificateDer<'static>) -> Vec<String> {
    let Ok((_, parsed)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let Ok(Some(names)) = parsed.subject_alternative_name() else { return Vec::new() };
    let dns = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    dns.collect()
}

/// A warning about a certificate that has expired or soon will.
pub(super) fn expiry_warning(certificate: &CertificateDer<'static>) -> Option<String> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
    let validity = parsed.validity();
    let days_left = (validity.not_after.timestamp() - now).div_euclid(86_400);
    if validity.not_before.timestamp() > now {
        return Some(format!("it is valid only from {}", validity.not_before));
    }
    match days_left {
        ..0 => Some(format!("it expired on {}: renew it", validity.not_after)),
        0..=EXPIRES_SOON_DAYS => Some(format!("it expires on {}: renew it", validity.not_after)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certified(names: &[&str]) -> CertifiedKey {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
        let key = rustls::crypto::ring::sign::any_supported_type(&key).expect("a usable key");
        CertifiedKey::new(vec![made.cert.der().clone()], key)
    }

    #[test]
    fn a_name_finds_its_certificate_then_a_wildcard_then_the_first() {
        let sets = [
            vec!["first.example"],
            vec!["*.shop.example", "shop.example"],
            vec!["a.shop.example", "first.example"],
        ];
        let certificates: Vec<_> = sets.iter().map(|names| certified(names)).collect();
        let ders: Vec<_> = certificates.iter().map(|one| one.cert[0].clone()).collect();
        let by_name = CertificatesByName::new(certificates).expect("three certificates");
        let index = |name: &str| ders.iter().position(|der| *der == by_name.find(name).cert[0]);
        assert_eq!(index("first.example"), Some(0));
        assert_eq!(index("SHOP.example"), Some(1));
        assert_eq!(index("b.shop.example"), Some(1));
        assert_eq!(index("a.shop.example"), Some(2));
        assert_eq!(index("c.b.shop.example"), Some(0), "a wildcard stands for one label");
        assert_eq!(index("unknown"), Some(0));
        assert!(CertificatesByName::new(Vec::new()).is_none());
    }

    #[test]
    fn certificates_that_end_soon_are_named() {
        let until = |days: i64| {
            let mut parameters = rcgen::CertificateParams::new(vec!["a".to_owned()]).expect("names");
            let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
            let at = |days: i64| {
                std::time::Duration::from_secs(
                    (i64::try_from(now).expect("small") + days * 86_400).unsigned_abs(),
                )
            };
            parameters.not_before = (UNIX_EPOCH + at(-30)).into();
            parameters.not_after = (UNIX_EPOCH + at(days)).into();
            let key = rcgen::KeyPair::generate().expect("a key");
            expiry_warning(parameters.self_signed(&key).expect("a certificate").der())
        };
        assert!(until(-2).is_some_and(|text| text.contains("expired")));
        assert!(until(3).is_some_and(|text| text.contains("expires")));
        assert_eq!(until(30), None);
    }
}
