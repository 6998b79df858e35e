//! Texts with a rule: names, paths, cookie names.

use std::path::{Path, PathBuf};

use serde_json::json;
use toml::Spanned;
use toml::de::DeValue;

use super::{Form, Shape, Wrong, quoted, string};
use crate::HostPort;

/// The longest name of a node or a cluster, in characters.
const MAX_NAME: usize = 32;

/// The longest name of a cookie, in characters.
const MAX_COOKIE_NAME: usize = 64;

/// Begins the name of a cookie that browsers take from this very host only, for all of its paths, over https.
const HOST_PREFIX: &str = "__Host-";

/// The longest domain of a cookie, in characters.
const MAX_DOMAIN: usize = 253;

/// The longest path in the configuration, in bytes.
const MAX_PATH: usize = 1024;

/// The name of a node or a cluster: it travels in cookies and certificates.
pub(crate) struct Name;

impl Form for Name {
    type Value = String;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
        let name = string(value, "a name")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(allowed) {
            return Err(Wrong::new(format!("is not a name of 1 to {MAX_NAME} letters, digits, `_` and `-`")));
        }
        Ok(name.to_owned())
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }

    fn shape(&self) -> Shape {
        let pattern = format!("^[A-Za-z0-9_-]{{1,{MAX_NAME}}}$");
        Shape::new(
            format!("name, 1 to {MAX_NAME} letters, digits, `_`, `-`"),
            json!({ "type": "string", "pattern": pattern }),
        )
    }
}

/// What a name server is asked for: `host:port`, or the name of a service.
pub(crate) struct DnsName;

impl Form for DnsName {
    type Value = String;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
        let text = string(value, "a text \"host:port\"")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        let is_service = text.starts_with('_') && text.contains("._") && text.chars().all(allowed);
        let is_host =
            !text.starts_with('_') && text.parse::<HostPort>().is_ok_and(|host| !host.host.contains(':'));
        if !is_service && !is_host {
            let help = "write \"host:port\" for all addresses of a host, as in \"shop.example.org:4001\", or the name of its \
                        SRV records, as in \"_replication._tcp.shop.example.org\"";
            return Err(Wrong::new("holds something that a name server cannot be asked for").help(help));
        }
        Ok(text.to_owned())
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }

    fn shape(&self) -> Shape {
        Shape::new(
            "`host:port`, or an SRV name",
            json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]+(:[0-9]+)?$" }),
        )
    }
}

/// A path in a URL, absolute and in its shortest spelling.
pub(crate) struct UrlPath;

impl Form for UrlPath {
    type Value = String;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
        let path = string(value, "a path such as \"/clusterapp\"")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,=:@".contains(c);
        let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(allowed);
        if !path.starts_with('/') {
            let help = format!("write {}", quoted(&format!("/{path}")));
            return Err(Wrong::new("must start with a slash").help(help));
        }
        if path.len() > MAX_PATH {
            return Err(Wrong::new(format!("is longer than {MAX_PATH} bytes")));
        }
        if path != "/" && !path[1..].split('/').all(plain) {
            return Err(Wrong::new("is not a plain path")
                .help("no slash at the end, no empty part, no `.` or `..`, no space, `?`, `#`, `;` or `%`"));
        }
        Ok(path.to_owned())
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }

    fn shape(&self) -> Shape {
        let schema = json!({ "type": "string", "pattern": "^/[^ ?#;%]*$", "maxLength": MAX_PATH });
        Shape::new("path, beginning with `/`", schema)
    }
}

/// The name of a cookie.
pub(crate) struct CookieName;

impl Form for CookieName {
    type Value = String;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
        let name = string(value, "the name of a cookie")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if name.is_empty() || name.len() > MAX_COOKIE_NAME || !name.chars().all(allowed) {
            return Err(Wrong::new(format!(
                "is not a name of 1 to {MAX_COOKIE_NAME} letters, digits, `_` and `-`"
            )));
        }
        if name.starts_with("__") && !(name.len() > HOST_PREFIX.len() && name.starts_with(HOST_PREFIX)) {
            let help = "write `__Host-` and a name for a cookie that is at `/` and bound to this host; with `secure = true` an \
                        application at `/` gets it by itself";
            return Err(Wrong::new("must not start with `__`, unless with `__Host-`").help(help));
        }
        Ok(name.to_owned())
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }

    fn shape(&self) -> Shape {
        let pattern = format!("^[A-Za-z0-9_-]{{1,{MAX_COOKIE_NAME}}}$");
        Shape::new(
            format!("name of a cookie, 1 to {MAX_COOKIE_NAME} characters"),
            json!({ "type": "string", "pattern": pattern }),
        )
    }
}

/// The domain of a cookie, or an empty text.
pub(crate) struct CookieDomain;

impl Form for CookieDomain {
    type Value = String;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
        let domain = string(value, "a domain such as \"shop.example\"")?;
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_label = |label: &str| !label.is_empty() && label.chars().all(allowed);
        if let Some(rest) = domain.strip_prefix('.') {
            let help = format!("write {}: it holds for all hosts below it", quoted(rest));
            return Err(Wrong::new("must not begin with a dot").help(help));
        }
        let is_domain = domain.contains('.') && domain.len() <= MAX_DOMAIN && domain.split('.').all(is_label);
        if !domain.is_empty() && !is_domain {
            let wrong = Wrong::new("is not a domain that browsers take a cookie for");
            return Err(wrong.help(
                "write at least two parts in small letters: \"shop.example\"; \"\" is this host alone",
            ));
        }
        Ok(domain.to_owned())
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }

    fn shape(&self) -> Shape {
        let pattern = "^([a-z0-9-]+(\\.[a-z0-9-]+)+)?$";
        let schema = json!({ "type": "string", "pattern": pattern, "maxLength": MAX_DOMAIN });
        Shape::new("domain of two parts or more, or empty", schema)
    }
}

/// The name of a host, as it stands in the `Host` of a request, without a port.
pub(crate) struct HostName;

impl Form for HostName {
    type Value = String;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
        let host = string(value, "the name of a host")?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if host.is_empty() || host.len() > MAX_DOMAIN || !host.chars().all(allowed) {
            let help = "write the name alone, without scheme, port and path: \"tc01.example\"";
            return Err(Wrong::new("is not the name of a host").help(help));
        }
        Ok(host.to_owned())
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }

    fn shape(&self) -> Shape {
        let schema = json!({ "type": "string", "pattern": "^[A-Za-z0-9._-]+$", "maxLength": MAX_DOMAIN });
        Shape::new("name of a host", schema)
    }
}

/// A file of this machine, relative to the configuration file or absolute.
pub(crate) struct File;

impl Form for File {
    type Value = PathBuf;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<PathBuf, Wrong> {
        let path = string(value, "the path of a file")?;
        if Path::new(path).file_name().is_none() || path.contains('\0') || path.len() > MAX_PATH {
            return Err(Wrong::new("does not name a file"));
        }
        Ok(PathBuf::from(path))
    }

    fn write(&self, value: &PathBuf) -> Option<String> {
        Some(quoted(&value.to_string_lossy()))
    }

    fn shape(&self) -> Shape {
        Shape::new("file", json!({ "type": "string", "minLength": 1, "maxLength": MAX_PATH }))
    }
}

/// Any text of one line.
pub(crate) struct Text;

impl Form for Text {
    type Value = String;

    fn read(&self, value: &Spanned<DeValue<'_>>) -> Result<String, Wrong> {
        let text = string(value, "a text")?;
        if text.is_empty() || text.len() > MAX_PATH || text.chars().any(char::is_control) {
            return Err(Wrong::new(format!("must be one line of 1 to {MAX_PATH} bytes")));
        }
        Ok(text.to_owned())
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quoted(value))
    }

    fn shape(&self) -> Shape {
        Shape::new("text", json!({ "type": "string", "minLength": 1, "maxLength": MAX_PATH }))
    }
}
