//! The URL of a store on a server. It may hold a password, so it is never logged.

use std::path::Path;

use super::OpenError;
use sessile_config as config;

/// The URL of `[store]`, from the file that holds it where one does.
pub(super) fn of(settings: &config::Store) -> Result<String, OpenError> {
    match &settings.url_file {
        Some(path) => read(path).map_err(|cause| OpenError::Url { path: path.clone(), cause }),
        None => Ok(settings.url.clone().unwrap_or_default()),
    }
}

fn read(path: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(path).map_err(|error| error.to_string())?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(format!(
                "others can read it, and it may hold a password: chmod 600 {}",
                path.display()
            ));
        }
    }
    let url = text.trim();
    if url.is_empty() || url.lines().count() != 1 {
        return Err("it must hold one URL, such as postgres://sessile:password@db/sessions".to_owned());
    }
    Ok(url.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn a_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.url");
        std::fs::write(&path, "redis://sessile:secret@db\n").unwrap();
        let allow = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        allow(0o644);
        assert!(read(&path).unwrap_err().contains("chmod 600"));
        allow(0o600);
        assert_eq!(read(&path).unwrap(), "redis://sessile:secret@db");
    }
}
