//! Seals sessions into cookies and opens them again, for one application in one cluster.
//!
//! ```text
//! cookie:  base64url of  nonce 24 │ XChaCha20-Poly1305 of the content
//! ```
//! The key follows from the cluster's secret and the application's path, so that a cookie of another
//! application or cluster, or one that was changed, opens nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chacha20poly1305::aead::Aead as _;
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use http::HeaderMap;
use sessile_core::Fields;

use super::client_session::{ClientSession, encoded_len};
use super::cookie::{CookieKeys, Found, candidates};
use super::error::SessionError;

/// Most bytes of a cookie that every browser keeps: name, value and attributes.
pub(crate) const COOKIE_MAX: usize = 4096;

const NONCE: usize = 24;
const TAG: usize = 16;
const PURPOSE: &str = "sessile session content in a cookie, version 1";

/// Makes and opens the cookies of one application whose sessions live in them.
pub(crate) struct ClientSessionCipher {
    keys: CookieKeys,
    path: String,
}

impl ClientSessionCipher {
    /// `keys` come from the cluster's secrets.
    pub(crate) fn new(keys: CookieKeys, path: &str) -> Self {
        Self { keys, path: path.to_owned() }
    }

    /// The cookie's value. The caller has checked the size.
    pub(crate) fn seal(&self, client_session: &ClientSession) -> String {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).expect("no session can be kept safely on a system without randomness");
        let key =
            self.ciphers().into_iter().next().expect("without a secret no application gets a client_cipher");
        let sealed = key.encrypt(&XNonce::from(nonce), client_session.encode().as_slice());
        URL_SAFE_NO_PAD.encode([&nonce[..], &sealed.expect("it is shorter than a cookie")].concat())
    }

    /// What a value carries, and whether it was sealed with the active secret. Anything but what
    /// [`seal`](Self::seal) made is `None`.
    pub(crate) fn open(&self, text: &str) -> Option<(ClientSession, bool)> {
        if text.len() > COOKIE_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>()?;
        let open = |cipher: &XChaCha20Poly1305| cipher.decrypt(&XNonce::from(*nonce), sealed).ok();
        let ciphers = self.ciphers();
        let (sealed_with, content) =
            ciphers.iter().enumerate().find_map(|(at, cipher)| Some((at, open(cipher)?)))?;
        Some((ClientSession::decode(&content)?, sealed_with == 0))
    }

    /// The cookies called `name` that open. Of several of one session the one that was sealed last counts.
    pub(crate) fn find(&self, headers: &HeaderMap, name: &str) -> Found<(ClientSession, bool)> {
        let found = Found::among(
            candidates(headers, name),
            |text| self.open(text),
            |(session, _)| session.identity.key,
        );
        match found {
            Found::OfOneSession(mut all) => {
                all.sort_by_key(|(session, _)| std::cmp::Reverse(session.sealed_at));
                all.truncate(1);
                Found::OfOneSession(all)
            }
            other => other,
        }
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
    use crate::client_session::tests::client_session;

    fn client_cipher() -> ClientSessionCipher {
        ClientSessionCipher::new([7; 32].into(), "/shop")
    }

    fn opened(client_cipher: &ClientSessionCipher, text: &str) -> Option<ClientSession> {
        client_cipher.open(text).map(|(client_session, _)| client_session)
    }

    proptest! {
        #[test]
        fn what_is_sealed_is_opened(value: Vec<u8>) {
            let client_session = client_session([("cart", value)]);
            let text = client_cipher().seal(&client_session);
            let beside = COOKIE_MAX - text.len();
            prop_assert_eq!(check_size(&client_session.fields, beside), Ok(()), "the size is foreseen exactly");
            prop_assert!(check_size(&client_session.fields, beside + 1).is_err());
            prop_assert_eq!(client_cipher().open(&text), Some((client_session, true)));
        }

        #[test]
        fn a_cookie_that_was_changed_or_cut_opens_nothing(at in 0..160_usize, to in "[A-Za-z0-9_=.-]", length in 0..160_usize) {
            let text = client_cipher().seal(&client_session([("cart", b"umbrella".to_vec())]));
            let mut changed = text.clone();
            changed.replace_range(at % text.len()..=at % text.len(), &to);
            prop_assume!(changed != text);
            prop_assert_eq!(client_cipher().open(&changed), None);
            prop_assert_eq!(client_cipher().open(&text[..length % text.len()]), None);
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            prop_assert_eq!(client_cipher().open(&text), None);
        }
    }

    #[test]
    fn the_same_session_is_never_sealed_alike_and_shows_nothing() {
        let client_session = client_session([("cart", b"umbrella".to_vec())]);
        let (one, other) = (client_cipher().seal(&client_session), client_cipher().seal(&client_session));
        assert_ne!(one, other);
        let bytes = URL_SAFE_NO_PAD.decode(&one).unwrap();
        assert!(!bytes.windows(4).any(|window| window == b"cart" || window == b"umbr"));
        assert!(!bytes.windows(16).any(|window| window == client_session.identity.key.0));
    }

    #[test]
    fn the_cookie_of_another_application_or_cluster_opens_nothing() {
        let text = client_cipher().seal(&client_session([]));
        assert_eq!(opened(&ClientSessionCipher::new([7; 32].into(), "/bank"), &text), None);
        assert_eq!(opened(&ClientSessionCipher::new([8; 32].into(), "/shop"), &text), None);
    }

    #[test]
    fn while_secrets_are_exchanged_those_of_all_open() {
        let keys = CookieKeys::from([7; 32]);
        let (client_cipher, client_session) =
            (ClientSessionCipher::new(keys.clone(), "/shop"), client_session([]));
        let old = client_cipher.seal(&client_session);
        keys.renew(vec![[8; 32], [7; 32]]);
        assert_eq!(client_cipher.open(&old), Some((client_session.clone(), false)), "to be made anew");
        let new = client_cipher.seal(&client_session);
        keys.renew(vec![[8; 32]]);
        assert_eq!(client_cipher.open(&old), None);
        assert_eq!(client_cipher.open(&new), Some((client_session, true)));
    }

    #[test]
    fn a_session_that_is_too_large_is_named_with_its_size() {
        let fields = client_session([("cart", vec![0; 3_000])]).fields;
        let error = check_size(&fields, 50).unwrap_err();
        let bytes = 50 + ((24 + 49 + 5 + 4 + 3_000 + 16) * 4_usize).div_ceil(3);
        assert_eq!(error, SessionError::CookieTooLarge { bytes, max: 4096 });
    }
}
