//! Seals sessions into cookies and opens them again, for one application in one cluster.
//!
//! ```text
//! cookie:  base64url of  nonce 24 │ XChaCha20-Poly1305 of the content
//! ```
//! The key follows from the cluster's secret and the application's path, so that a cookie of another application or
//! cluster, or one that was changed, opens nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use http::HeaderMap;
use sessile_core::Fields;

use super::carried::{Carried, encoded_len};
use super::cookie::{CookieKeys, candidates};
use super::error::SessionError;

/// Most bytes of a cookie that every browser keeps: name, value and attributes.
pub(crate) const COOKIE_MAX: usize = 4096;

const NONCE: usize = 24;
const TAG: usize = 16;
const PURPOSE: &str = "sessile session content in a cookie, version 1";

/// Makes and opens the cookies of one application whose sessions live in them.
pub(crate) struct Carrier {
    keys: CookieKeys,
    path: String,
}

impl Carrier {
    /// `keys` come from the cluster's secrets.
    pub(crate) fn new(keys: CookieKeys, path: &str) -> Self {
        Self { keys, path: path.to_owned() }
    }

    /// The cookie's value. The caller has checked the size.
    pub(crate) fn seal(&self, carried: &Carried) -> String {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).expect("no session can be kept safely on a system without randomness");
        let key = self.ciphers().into_iter().next().expect("without a secret no application gets a carrier");
        let sealed = key.encrypt(&XNonce::from(nonce), carried.encode().as_slice());
        URL_SAFE_NO_PAD.encode([&nonce[..], &sealed.expect("it is shorter than a cookie")].concat())
    }

    /// What a value carries, and whether it was sealed with the active secret. Anything but what
    /// [`seal`](Self::seal) made is `None`.
    pub(crate) fn open(&self, text: &str) -> Option<(Carried, bool)> {
        if text.len() > COOKIE_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let open = |cipher: &XChaCha20Poly1305| cipher.decrypt(&XNonce::from(*nonce), sealed).ok();
        let ciphers = self.ciphers();
        let (sealed_with, content) =
            ciphers.iter().enumerate().find_map(|(at, cipher)| Some((at, open(cipher)?)))?;
        Some((Carried::decode(&content)?, sealed_with == 0))
    }

    /// The first cookie called `name` that opens.
    pub(crate) fn find(&self, headers: &HeaderMap, name: &str) -> Option<(Carried, bool)> {
        candidates(headers, name).find_map(|value| self.open(value))
    }

    fn ciphers(&self) -> Vec<XChaCha20Poly1305> {
        let keys = self.keys.derive(PURPOSE, &self.path);
        keys.iter().map(|key| XChaCha20Poly1305::new(key.into())).collect()
    }
}

/// Refuses fields that no browser would keep, in a cookie that takes `beside` bytes beside its value.
pub(crate) fn check_size(fields: &Fields, beside: usize) -> Result<(), SessionError> {
    let sealed = NONCE + encoded_len(fields) + TAG;
    let bytes = beside + (sealed * 4).div_ceil(3);
    if bytes > COOKIE_MAX {
        return Err(SessionError::CookieTooLarge { bytes, max: COOKIE_MAX });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::web::carried::tests::carried;

    fn carrier() -> Carrier {
        Carrier::new([7; 32].into(), "/shop")
    }

    fn opened(carrier: &Carrier, text: &str) -> Option<Carried> {
        carrier.open(text).map(|(carried, _)| carried)
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened(value: Vec<u8>) {
            let carried = carried([("cart", value)]);
            let text = carrier().seal(&carried);
            let beside = COOKIE_MAX - text.len();
            prop_assert_eq!(check_size(&carried.fields, beside), Ok(()), "the size is foreseen exactly");
            prop_assert!(check_size(&carried.fields, beside + 1).is_err());
            prop_assert_eq!(carrier().open(&text), Some((carried, true)));
        }

        #[test]
        fn a_cookie_that_was_changed_or_cut_opens_nothing(at in 0..160_usize, to in "[A-Za-z0-9_=.-]", length in 0..160_usize) {
            let text = carrier().seal(&carried([("cart", b"umbrella".to_vec())]));
            let mut changed = text.clone();
            changed.replace_range(at % text.len()..=at % text.len(), &to);
            prop_assume!(changed != text);
            prop_assert_eq!(carrier().open(&changed), None);
            prop_assert_eq!(carrier().open(&text[..length % text.len()]), None);
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            prop_assert_eq!(carrier().open(&text), None);
        }
    }

    #[test]
    fn the_same_session_is_never_sealed_alike_and_shows_nothing() {
        let carried = carried([("cart", b"umbrella".to_vec())]);
        let (one, other) = (carrier().seal(&carried), carrier().seal(&carried));
        assert_ne!(one, other);
        let bytes = URL_SAFE_NO_PAD.decode(&one).unwrap();
        assert!(!bytes.windows(4).any(|window| window == b"cart" || window == b"umbr"));
        assert!(!bytes.windows(16).any(|window| window == carried.identity.key.0));
    }

    #[test]
    fn the_cookie_of_another_application_or_cluster_opens_nothing() {
        let text = carrier().seal(&carried([]));
        assert_eq!(opened(&Carrier::new([7; 32].into(), "/bank"), &text), None);
        assert_eq!(opened(&Carrier::new([8; 32].into(), "/shop"), &text), None);
    }

    #[test]
    fn while_secrets_are_exchanged_those_of_all_open() {
        let keys = CookieKeys::from([7; 32]);
        let (carrier, carried) = (Carrier::new(keys.clone(), "/shop"), carried([]));
        let old = carrier.seal(&carried);
        keys.renew(vec![[8; 32], [7; 32]]);
        assert_eq!(carrier.open(&old), Some((carried.clone(), false)), "to be made anew");
        let new = carrier.seal(&carried);
        keys.renew(vec![[8; 32]]);
        assert_eq!(carrier.open(&old), None);
        assert_eq!(carrier.open(&new), Some((carried, true)));
    }

    #[test]
    fn a_session_that_is_too_large_is_named_with_its_size() {
        let fields = carried([("cart", vec![0; 3_000])]).fields;
        let error = check_size(&fields, 50).unwrap_err();
        let bytes = 50 + ((24 + 49 + 5 + 4 + 3_000 + 16) * 4_usize).div_ceil(3);
        assert_eq!(error, SessionError::CookieTooLarge { bytes, max: 4096 });
    }
}
