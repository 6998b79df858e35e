//! Maps the path of a URL to an open file below the root, never outside of it.
//!
//! The file is opened beneath a handle of the root, with every link on the way resolved beneath it too: a
//! link that changes between a check and the opening leads nowhere else. Links to absolute paths are not
//! followed.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, OpenOptions};

/// The index page of a directory.
const INDEX: &str = "index.html";
/// The one name with a dot in front that is served: what RFC 8615 keeps there is meant for everybody.
const WELL_KNOWN: &str = ".well-known";
/// Directories of a Java web application that hold its settings and its code.
const PRIVATE: [&str; 2] = ["WEB-INF", "META-INF"];

/// The target of a path.
#[derive(Debug)]
pub(super) enum Target {
    /// A regular file, open for reading, and its name.
    File(File, PathBuf),
    /// A directory with an index page, requested without the trailing slash.
    Directory,
}

/// `None` if there is no file that is served, or if it is outside of `root`. Blocks on the disk.
pub(super) fn target(root: &Dir, path: &str) -> Option<Target> {
    let named = relative(path)?;
    let wants_directory = path.ends_with('/');
    match open(root, &named)? {
        Found::File(file) => (!wants_directory).then_some(Target::File(file, named)),
        Found::Directory => {
            let page = named.join(INDEX);
            let Found::File(file) = open(root, &page)? else { return None };
            Some(if wants_directory { Target::File(file, page) } else { Target::Directory })
        }
    }
}

enum Found {
    File(File),
    Directory,
}

fn open(root: &Dir, path: &Path) -> Option<Found> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let Ok(file) = open_beneath(root, path) else {
        // Not every system opens a directory as a file.
        return root.metadata(path).is_ok_and(|found| found.is_dir()).then_some(Found::Directory);
    };
    let found = file.metadata().ok()?;
    match (found.is_file(), found.is_dir()) {
        (true, _) => Some(Found::File(file)),
        (_, true) => Some(Found::Directory),
        _ => None,
    }
}

fn open_beneath(root: &Dir, path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    // A pipe without a writer would block the thread.
    #[cfg(unix)]
    cap_std::fs::OpenOptionsExt::custom_flags(
        &mut options,
        rustix::fs::OFlags::NONBLOCK.bits().cast_signed(),
    );
    Ok(root.open_with(path, &options)?.into_std())
}

/// The relative system path; only plain names that are meant to be served are accepted.
fn relative(path: &str) -> Option<PathBuf> {
    let mut relative = PathBuf::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        let name = decoded(part)?;
        let is_plain = name != "." && name != ".." && !name.contains(['/', '\\', ':', '\0']);
        let is_well_known = relative.as_os_str().is_empty() && name == WELL_KNOWN;
        let is_served = is_plain && (is_well_known || !is_private(&name));
        relative.push(is_served.then_some(name)?);
    }
    Some(relative)
}

/// Whether a name is one that people do not mean to publish: a hidden file, such as `.env` and `.git`, or a
/// directory of settings. Some systems ignore case, and dots and spaces at the end.
fn is_private(name: &str) -> bool {
    let bare = name.trim_end_matches(['.', ' ']);
    name.starts_with('.') || PRIVATE.iter().any(|private| private.eq_ignore_ascii_case(bare))
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
    use std::io::Read;

    use cap_std::ambient_authority;

    use super::*;

    /// What is served: the text of a file, or `/` for the redirect to a directory.
    fn served(root: &Dir, path: &str) -> Option<String> {
        match target(root, path)? {
            Target::File(mut file, _) => {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                Some(text)
            }
            Target::Directory => Some("/".to_owned()),
        }
    }

    #[test]
    fn nothing_outside_of_the_root_is_found() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("public");
        std::fs::create_dir_all(root.join("a b")).unwrap();
        std::fs::write(place.path().join("secret"), "s").unwrap();
        std::fs::write(root.join("a b/index.html"), "page").unwrap();
        #[cfg(unix)]
        for (link, to) in [("link", "../secret"), ("inside", "a b/index.html"), ("up", ".."), ("etc", "/etc")]
        {
            std::os::unix::fs::symlink(to, root.join(link)).unwrap();
        }
        let root = Dir::open_ambient_dir(root, ambient_authority()).unwrap();
        for path in [
            "/../secret",
            "/%2e%2e/secret",
            "/a%20b/..%2f..%2fsecret",
            "/link",
            "/up/secret",
            "/etc/passwd",
            "/nothing",
            "/%",
            "/%zz",
        ] {
            assert_eq!(served(&root, path), None, "{path}");
        }
        assert_eq!(served(&root, "/a%20b/").as_deref(), Some("page"));
        assert_eq!(served(&root, "/a%20b/index.html").as_deref(), Some("page"));
        #[cfg(unix)]
        assert_eq!(served(&root, "/inside").as_deref(), Some("page"), "a link within the root");
        assert_eq!(served(&root, "/a%20b").as_deref(), Some("/"));
        assert_eq!(served(&root, "/a%20b/index.html/"), None);
        assert_eq!(served(&root, "/"), None, "a directory without a page is not listed");
    }

    #[test]
    fn files_that_nobody_means_to_publish_are_not_served() {
        let place = tempfile::tempdir().unwrap();
        for name in [
            ".env",
            ".git/config",
            "WEB-INF/web.xml",
            "a/META-INF/x",
            ".well-known/security.txt",
            "a/.well-known/x",
        ] {
            let file = place.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "text").unwrap();
        }
        let root = Dir::open_ambient_dir(place.path(), ambient_authority()).unwrap();
        for path in [
            "/.env",
            "/%2eenv",
            "/.git/config",
            "/WEB-INF/web.xml",
            "/web-inf/web.xml",
            "/WEB-INF./web.xml",
            "/a/META-INF/x",
            "/a/.well-known/x",
            "/%57EB-INF/web.xml",
        ] {
            assert_eq!(served(&root, path), None, "{path}");
        }
        assert_eq!(served(&root, "/.well-known/security.txt").as_deref(), Some("text"));
    }

    /// A link that flips between a file of the root and one outside of it. A check before the opening loses
    /// that race.
    #[cfg(unix)]
    #[test]
    fn a_flipping_link_does_not_lead_outside() {
        use std::os::unix::fs::symlink;
        use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

        let place = tempfile::tempdir().unwrap();
        let public = place.path().join("public");
        std::fs::create_dir(&public).unwrap();
        std::fs::write(public.join("page"), "page").unwrap();
        std::fs::write(place.path().join("secret"), "secret").unwrap();
        let (good, bad) = (place.path().join("good"), place.path().join("bad"));
        let over = AtomicBool::new(false);
        let root = Dir::open_ambient_dir(&public, ambient_authority()).unwrap();
        let (mut pages, mut refusals) = (0_u32, 0_u32);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Relaxed) {
                    for (link, to) in [(&good, "page"), (&bad, "../secret")] {
                        symlink(to, link).unwrap();
                        std::fs::rename(link, public.join("link")).unwrap();
                    }
                }
            });
            for _ in 0..1_000_000 {
                match served(&root, "/link").as_deref() {
                    Some("page") => pages += 1,
                    Some(other) => panic!("served {other}"),
                    None => refusals += 1,
                }
                if pages >= 2_000 && refusals >= 2_000 {
                    break;
                }
            }
            over.store(true, Relaxed);
        });
        assert!(pages > 0 && refusals > 0, "the link flipped: {pages} pages, {refusals} refusals");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_blocks_nobody() {
        let place = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo").arg(place.path().join("pipe")).status();
        assert!(made.expect("mkfifo runs").success());
        let root = Dir::open_ambient_dir(place.path(), ambient_authority()).unwrap();
        assert_eq!(served(&root, "/pipe"), None);
    }

    proptest::proptest! {
        #[test]
        fn any_path_stays_below_the_root(path in ".*") {
            let relative = relative(&path).unwrap_or_default();
            assert!(relative.components().all(|part| matches!(part, std::path::Component::Normal(_))));
        }
    }
}
