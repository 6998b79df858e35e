//! The `Set-Cookie` header of one application: the same attributes when a cookie is set and when it is
//! removed.

use http::HeaderValue;

use super::settings::SessionSettings;
use crate::config::SameSite;

/// Everything about the cookie but its value.
pub(crate) struct CookieShape {
    name: String,
    attributes: String,
}

impl CookieShape {
    /// The shape that `settings` ask for.
    pub(crate) fn new(settings: &SessionSettings) -> Self {
        let same_site = match settings.session.same_site {
            SameSite::Lax => "Lax",
            SameSite::Strict => "Strict",
            SameSite::None => "None",
        };
        Self {
            name: settings.cookie_name(),
            attributes: format!("; Path={}; HttpOnly; SameSite={same_site}", settings.path),
        }
    }

    /// The name on the wire.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Bytes of the cookie beside its value, at most.
    pub(crate) fn beside_value(&self) -> usize {
        self.set("", true).len()
    }

    /// Gives the browser `value`, until it is closed or told otherwise: the server decides when the session
    /// ends.
    pub(crate) fn set(&self, value: &str, secure: bool) -> HeaderValue {
        self.header(value, "", secure)
    }

    /// Takes the cookie back.
    pub(crate) fn remove(&self, secure: bool) -> HeaderValue {
        self.header("", "; Max-Age=0", secure)
    }

    fn header(&self, value: &str, age: &str, secure: bool) -> HeaderValue {
        let secure = if secure { "; Secure" } else { "" };
        let text = [&self.name, "=", value, &self.attributes, age, secure].concat();
        HeaderValue::try_from(text).expect("checked settings and base64 hold only visible ASCII")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_removal_keeps_the_attributes() {
        let config = Config::default();
        let shape = CookieShape::new(&SessionSettings::new(&config, "/shop", &config.session).unwrap());
        assert_eq!(shape.set("v.tc01", true), "sid=v.tc01; Path=/shop; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(shape.remove(true), "sid=; Path=/shop; HttpOnly; SameSite=Lax; Max-Age=0; Secure");
        assert_eq!(shape.remove(false), "sid=; Path=/shop; HttpOnly; SameSite=Lax; Max-Age=0");
    }
}
