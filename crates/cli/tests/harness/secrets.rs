//! Secrets that no process may write.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Bytes of the key, which everybody may see, at the beginning of a cookie; the secret has as many.
const KEY_BYTES: usize = 16;

/// Every secret known to the test, in every encoding in which it could appear. Clones share one list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets(Arc<Mutex<Vec<String>>>);

impl Secrets {
    /// Adds a text that is secret as it is, such as the cluster's secret or a token.
    pub(crate) fn learn(&self, text: &str) {
        self.0.lock().expect("no holder panics").push(text.trim().to_owned());
    }

    /// Adds the secret in a session's cookie, `name=value`.
    pub(crate) fn learn_cookie(&self, pair: &str) {
        let (_, value) = pair.split_once('=').expect("name=value");
        let Some((text, _route)) = value.rsplit_once('.') else {
            // It carries the session itself.
            return self.learn(value);
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).expect("base64url");
        let secret = &bytes[KEY_BYTES..2 * KEY_BYTES];
        self.learn(text);
        // The characters of the cookie that stand for nothing but the secret.
        self.learn(&text[22..42]);
        self.learn(&URL_SAFE_NO_PAD.encode(secret));
        self.learn(&STANDARD_NO_PAD.encode(secret));
        self.learn(&secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        self.learn(&secret.iter().map(u8::to_string).collect::<Vec<_>>().join(", "));
    }

    /// Fails when `text`, written by `who`, shows one.
    #[track_caller]
    pub(crate) fn search(&self, who: &str, text: &str) {
        let secrets = self.0.lock().expect("no holder panics");
        let shown = text.lines().find(|line| secrets.iter().any(|secret| line.contains(secret)));
        assert_eq!(shown, None, "{who} wrote a secret");
    }
}
