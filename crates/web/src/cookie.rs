//! The session cookie's value: key, secret and a tag that only this cluster can make, then the route.
//!
//! The tag lets a node reject an invented cookie without asking anybody, so a cookie that does not verify
//! counts as none at all: its key is never looked up, and never adopted.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::COOKIE;
use parking_lot::RwLock;
use sessile_core::{KEY_BYTES, Secret, SessionKey};
use subtle::ConstantTimeEq;

const TAG_BYTES: usize = 4;
const SEALED_BYTES: usize = KEY_BYTES + KEY_BYTES + TAG_BYTES;
/// Length of the part before the dot: base64url without padding, no bit of it unused.
const SEALED_CHARS: usize = SEALED_BYTES / 3 * 4;
const ROUTE_CHARS_MAX: usize = 32;
/// Cookies of the session's name that look like one and are verified; a request with more is refused its
/// session.
const VERIFIED_MAX: usize = 64;

/// What the cookie proves: which session, and that its bearer may use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Names the session.
    pub(crate) key: SessionKey,
    /// What only the cookie holds.
    pub(crate) secret: Secret,
}

/// A cookie that verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Presented {
    /// Whose it is.
    pub(crate) identity: Identity,
    /// The node that wrote it.
    pub(crate) route: String,
    /// Its tag is of the active secret; else the cookie is to be made anew before that secret is dropped.
    pub(crate) is_current: bool,
}

/// The keys of the tags, that of the active secret first. Clones are the same ones: who exchanges them
/// exchanges them for all applications.
#[derive(Clone)]
pub(crate) struct CookieKeys(Arc<RwLock<Vec<[u8; 32]>>>);

impl CookieKeys {
    /// At least one key; without any, no cookie verifies.
    pub(crate) fn new(keys: Vec<[u8; 32]>) -> Self {
        Self(Arc::new(RwLock::new(keys)))
    }

    /// The keys that one application has for another purpose than tags, in the same order.
    pub(super) fn derive(&self, purpose: &'static str, path: &str) -> Vec<[u8; 32]> {
        let derive = |key: &[u8; 32]| {
            *blake3::Hasher::new_derive_key(purpose).update(key).update(path.as_bytes()).finalize().as_bytes()
        };
        self.0.read().iter().map(derive).collect()
    }

    /// From now on tags are made with the first of these, and those of all are believed.
    pub(crate) fn renew(&self, keys: Vec<[u8; 32]>) {
        *self.0.write() = keys;
    }
}

impl From<[u8; 32]> for CookieKeys {
    fn from(key: [u8; 32]) -> Self {
        Self::new(vec![key])
    }
}

/// Makes and verifies the cookies of one application in one cluster.
pub(crate) struct CookieSigner {
    keys: CookieKeys,
    path: String,
}

impl CookieSigner {
    /// `keys` come from the cluster's secrets; `path` is the application's, so that the cookie of one
    /// application opens nothing in another.
    pub(crate) fn new(keys: impl Into<CookieKeys>, path: &str) -> Self {
        Self { keys: keys.into(), path: path.to_owned() }
    }

    /// The cookie's value.
    pub(crate) fn encode(&self, identity: Identity, route: &str) -> String {
        let mut sealed = [0; SEALED_BYTES];
        sealed[..KEY_BYTES].copy_from_slice(&identity.key.0);
        sealed[KEY_BYTES..2 * KEY_BYTES].copy_from_slice(&identity.secret.0);
        let key = self.keys.0.read().first().copied().unwrap_or_default();
        sealed[2 * KEY_BYTES..].copy_from_slice(&self.tag(&key, identity));
        let mut text = String::with_capacity(SEALED_CHARS + 1 + route.len());
        URL_SAFE_NO_PAD.encode_string(sealed, &mut text);
        text.push('.');
        text.push_str(route);
        text
    }

    /// Reads a value that [`encode`](Self::encode) made; anything else is `None`.
    pub(crate) fn decode(&self, text: &str) -> Option<Presented> {
        let (sealed, route) = text.rsplit_once('.')?;
        if sealed.len() != SEALED_CHARS || !is_route(route) {
            return None;
        }
        let mut bytes = [0; SEALED_BYTES];
        URL_SAFE_NO_PAD.decode_slice(sealed, &mut bytes).ok()?;
        let identity = Identity {
            key: SessionKey(bytes[..KEY_BYTES].try_into().ok()?),
            secret: Secret(bytes[KEY_BYTES..2 * KEY_BYTES].try_into().ok()?),
        };
        let given = &bytes[2 * KEY_BYTES..];
        let keys = self.keys.0.read();
        let made_with = keys.iter().position(|key| self.tag(key, identity).ct_eq(given).into())?;
        Some(Presented { identity, route: route.to_owned(), is_current: made_with == 0 })
    }

    /// The cookies called `name` that verify.
    pub(crate) fn find(&self, headers: &HeaderMap, name: &str) -> Found<Presented> {
        Found::among(
            candidates(headers, name).filter(looks_sealed),
            |text| self.decode(text),
            |cookie| cookie.identity.key,
        )
    }

    fn tag(&self, key: &[u8; 32], identity: Identity) -> [u8; TAG_BYTES] {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(&identity.key.0).update(&identity.secret.0).update(self.path.as_bytes());
        let mut tag = [0; TAG_BYTES];
        hasher.finalize_xof().fill(&mut tag);
        tag
    }
}

/// What the cookies of one name prove, of all that a request brings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found<T> {
    /// None of them is genuine, or there are none.
    Nothing,
    /// They are of one session: at least one.
    OfOneSession(Vec<T>),
    /// They are of different sessions, or too many: somebody else put some of them there.
    Conflict,
}

impl<T: PartialEq> Found<T> {
    /// Reads each text; `key` tells which session it is of.
    pub(super) fn among<'h>(
        texts: impl Iterator<Item = &'h str>,
        read: impl Fn(&str) -> Option<T>,
        key: impl Fn(&T) -> SessionKey,
    ) -> Self {
        let mut found: Vec<T> = Vec::new();
        for (number, text) in texts.enumerate() {
            if number >= VERIFIED_MAX {
                return Self::Conflict;
            }
            match read(text) {
                Some(cookie) if found.first().is_some_and(|first| key(first) != key(&cookie)) => {
                    return Self::Conflict;
                }
                Some(cookie) if !found.contains(&cookie) => found.push(cookie),
                _ => {}
            }
        }
        if found.is_empty() { Self::Nothing } else { Self::OfOneSession(found) }
    }
}

/// The values of the cookies called `name`. Cookies are bytes: what other cookies hold does not matter, and a
/// value that is not ASCII is none of ours.
pub(super) fn candidates<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h str> {
    let pairs =
        headers.get_all(COOKIE).iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
    pairs.filter_map(move |pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        std::str::from_utf8(value).ok().filter(|value| value.is_ascii())
    })
}

/// Whether it is worth while to verify the text.
fn looks_sealed(text: &&str) -> bool {
    text.len() > SEALED_CHARS
        && text.len() <= SEALED_CHARS + 1 + ROUTE_CHARS_MAX
        && text.as_bytes()[SEALED_CHARS] == b'.'
}

/// Whether `text` can be a node's name.
fn is_route(text: &str) -> bool {
    (1..=ROUTE_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn signer() -> CookieSigner {
        CookieSigner::new([7; 32], "/shop")
    }

    fn identity(key: [u8; 16], secret: [u8; 16]) -> Identity {
        Identity { key: SessionKey(key), secret: Secret(secret) }
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(key: [u8; 16], secret: [u8; 16], route in "[A-Za-z0-9_-]{1,32}") {
            let text = signer().encode(identity(key, secret), &route);
            prop_assert_eq!(text.len(), 48 + 1 + route.len());
            prop_assert_eq!(signer().decode(&text), Some(Presented { identity: identity(key, secret), route, is_current: true }));
        }

        #[test]
        fn one_changed_character_is_refused(key: [u8; 16], at in 0..48_usize, to in "[A-Za-z0-9_.=-]") {
            let text = signer().encode(identity(key, [2; 16]), "tc01");
            let mut changed = text.clone();
            changed.replace_range(at..=at, &to);
            prop_assume!(changed != text);
            prop_assert_eq!(signer().decode(&changed), None);
        }

        #[test]
        fn a_text_that_is_read_is_the_only_one_for_it(text in "[A-Za-z0-9_-]{47,49}[.=]{0,2}[a-z]{0,3}") {
            if let Some(presented) = signer().decode(&text) {
                prop_assert_eq!(signer().encode(presented.identity, &presented.route), text);
            }
        }

        #[test]
        fn any_text_is_read_without_panic(text: String) {
            prop_assert_eq!(signer().decode(&text), None);
        }
    }

    #[test]
    fn padding_dots_and_foreign_routes_are_refused() {
        let text = signer().encode(identity([1; 16], [2; 16]), "tc01");
        let sealed = text.split('.').next().unwrap();
        for wrong in [
            sealed.to_owned(),
            format!("{sealed}."),
            format!("{sealed}=.tc01"),
            format!("{sealed}..tc01"),
            format!("{sealed}.tc 01"),
            format!(" {sealed}.tc01"),
            format!("{sealed}.{}", "n".repeat(33)),
            ".tc01".to_owned(),
            String::new(),
        ] {
            assert_eq!(signer().decode(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_cookie_of_another_application_or_cluster_is_refused() {
        let text = signer().encode(identity([1; 16], [2; 16]), "tc01");
        assert_eq!(CookieSigner::new([7; 32], "/bank").decode(&text), None);
        assert_eq!(CookieSigner::new([8; 32], "/shop").decode(&text), None);
    }

    #[test]
    fn while_secrets_are_exchanged_the_tags_of_all_are_believed() {
        let keys = CookieKeys::from([7; 32]);
        let (seal, identity) = (CookieSigner::new(keys.clone(), "/shop"), identity([1; 16], [2; 16]));
        let old = seal.encode(identity, "tc01");
        keys.renew(vec![[8; 32], [7; 32]]);
        assert!(!seal.decode(&old).unwrap().is_current);
        let new = seal.encode(identity, "tc01");
        assert!(seal.decode(&new).unwrap().is_current);
        keys.renew(vec![[8; 32]]);
        assert_eq!(seal.decode(&old), None);
        assert!(seal.decode(&new).is_some());
    }

    fn found(cookies: &[&[u8]]) -> Found<Presented> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(COOKIE, HeaderValue::from_bytes(cookie).unwrap());
        }
        signer().find(&headers, "sid")
    }

    fn cookie(key: u8, secret: u8) -> String {
        format!("sid={}", signer().encode(identity([key; 16], [secret; 16]), "tc01"))
    }

    fn secrets(found: Found<Presented>) -> Vec<u8> {
        let Found::OfOneSession(cookies) = found else { panic!("{found:?}") };
        cookies.iter().map(|cookie| cookie.identity.secret.0[0]).collect()
    }

    #[test]
    fn junk_of_the_same_name_hides_nothing() {
        let genuine = cookie(1, 2);
        let junk = vec!["sid=invented.tc01; sid=; theme=dark"; 50].join("; ");
        let lookalikes = vec![format!("sid={}.tc01", "A".repeat(48)); 20].join(";");
        let others = format!("x{genuine}");
        let all = [junk.as_bytes(), lookalikes.as_bytes(), others.as_bytes(), genuine.as_bytes()];
        assert_eq!(secrets(found(&all)), [2]);
        assert_eq!(found(&[genuine.replace("sid", "other").as_bytes()]), Found::Nothing);
    }

    #[test]
    fn bytes_of_other_cookies_do_not_matter() {
        let genuine = cookie(1, 2);
        for city in ["Z\u{fc}rich".as_bytes(), b"Z\xfcrich", b"\xff\xfe", b"\"a b\""] {
            let header = [b"city=", city, b"; ", genuine.as_bytes(), b"; x=", city].concat();
            assert_eq!(secrets(found(&[&header])), [2], "{city:?}");
        }
        assert_eq!(found(&[b"sid=Z\xfcrich"]), Found::Nothing);
    }

    #[test]
    fn several_secrets_of_one_session_are_all_found_and_two_sessions_are_a_conflict() {
        let both = format!("{}; {}; {}", cookie(1, 2), cookie(1, 3), cookie(1, 2));
        assert_eq!(secrets(found(&[both.as_bytes()])), [2, 3]);
        let tossed = format!("{}; {}", cookie(1, 2), cookie(9, 9));
        assert_eq!(found(&[tossed.as_bytes()]), Found::Conflict);
        let flood = vec![format!("sid={}.tc01", "A".repeat(48)); VERIFIED_MAX + 1].join(";");
        assert_eq!(found(&[flood.as_bytes()]), Found::Conflict);
    }
}
