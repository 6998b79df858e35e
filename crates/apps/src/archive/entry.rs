//! The names that files in an archive may have.

use super::error::ArchiveError;

/// The longest name, in bytes.
const MAX_NAME: usize = 1024;
/// The longest part between two slashes, in bytes: the limit of common file systems.
const MAX_PART: usize = 255;
/// Most nested directories.
const MAX_DEPTH: usize = 32;

/// The name as text, if on every system it is a path below the archive's root.
pub(super) fn name(raw: &[u8]) -> Result<&str, ArchiveError> {
    let Ok(name) = std::str::from_utf8(raw) else {
        return Err(ArchiveError::entry(&String::from_utf8_lossy(raw), "has a name that is not UTF-8"));
    };
    let parts: Vec<&str> = name.strip_suffix('/').unwrap_or(name).split('/').collect();
    let problem = if name.starts_with('/') {
        "has an absolute name"
    } else if name.chars().any(|c| c.is_control() || c == '\\' || c == ':') {
        "has a backslash, a colon or a control character in its name"
    } else if parts.iter().any(|part| matches!(*part, "" | "." | "..")) {
        "has an empty part, `.` or `..` in its name"
    } else if name.len() > MAX_NAME
        || parts.len() > MAX_DEPTH
        || parts.iter().any(|part| part.len() > MAX_PART)
    {
        "has a name that is too long"
    } else if name.ends_with(".cwasm") {
        "is compiled code, which is accepted from no other source"
    } else {
        return Ok(name);
    };
    Err(ArchiveError::entry(name, problem))
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn only_paths_below_the_root_are_accepted() {
        for good in ["app.toml", "static/", "static/a b/ü.html", "..a/b..", "static/.well-known/x"] {
            assert_eq!(name(good.as_bytes()).unwrap(), good);
        }
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a//b",
            "./a",
            "a/.",
            "C:\\x",
            "C:x",
            "a\\..\\b",
            "a\0b",
            "x.cwasm",
        ] {
            assert!(name(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(name(b"\xff").is_err());
        assert!(name("a/".repeat(40).as_bytes()).is_err());
    }
}
