//! Maps the path of a URL to a file below the root, never outside of it.

use std::path::{Path, PathBuf};

/// The index page of a directory.
const INDEX: &str = "index.html";

/// The target of a path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    File(PathBuf),
    /// A directory with an index page, requested without the trailing slash.
    Directory,
}

/// `None` if there is no file, or if it is outside of `root`.
pub(super) async fn target(root: &Path, path: &str) -> Option<Target> {
    let named = root.join(relative(path)?);
    // Resolves links: the real location counts.
    let found = tokio::fs::canonicalize(named).await.ok()?;
    if !found.starts_with(root) {
        return None;
    }
    if tokio::fs::metadata(&found).await.ok()?.is_file() {
        return (!path.ends_with('/')).then_some(Target::File(found));
    }
    let page = tokio::fs::canonicalize(found.join(INDEX)).await.ok()?;
    let is_page = page.starts_with(root) && tokio::fs::metadata(&page).await.is_ok_and(|page| page.is_file());
    let target = if path.ends_with('/') { Target::File(page) } else { Target::Directory };
    is_page.then_some(target)
}

/// The relative system path; only plain names are accepted.
fn relative(path: &str) -> Option<PathBuf> {
    let mut relative = PathBuf::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let name = decoded(part)?;
        let is_plain = name != "." && name != ".." && !name.contains(['/', '\\', ':', '\0']);
        relative.push(is_plain.then_some(name)?);
    }
    Some(relative)
}

/// Percent-decodes a part of a path.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    u8::try_from(char::from(byte).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_outside_of_the_root_is_found() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap().join("public");
        std::fs::create_dir_all(root.join("a b")).unwrap();
        std::fs::write(place.path().join("secret"), "s").unwrap();
        std::fs::write(root.join("a b/index.html"), "page").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("../secret", root.join("link")).unwrap();
        for path in
            ["/../secret", "/%2e%2e/secret", "/a%20b/..%2f..%2fsecret", "/link", "/nothing", "/%", "/%zz"]
        {
            assert_eq!(target(&root, path).await, None, "{path}");
        }
        let page = Some(Target::File(root.join("a b/index.html")));
        assert_eq!(target(&root, "/a%20b/").await, page);
        assert_eq!(target(&root, "/a%20b/index.html").await, page);
        assert_eq!(target(&root, "/a%20b").await, Some(Target::Directory));
        assert_eq!(target(&root, "/a%20b/index.html/").await, None);
        assert_eq!(target(&root, "/").await, None, "a directory without a page is not listed");
    }

    proptest::proptest! {
        #[test]
        fn any_path_stays_below_the_root(path in ".*") {
            let relative = relative(&path).unwrap_or_default();
            assert!(relative.components().all(|part| matches!(part, std::path::Component::Normal(_))));
        }
    }
}
