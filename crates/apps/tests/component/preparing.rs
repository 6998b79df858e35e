//! Preparation of components: refusals, and compiled code on disk.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use sessile_apps::component::{ComponentError, ComponentHost, ComponentSettings};

use crate::guests::{guest, host};
use crate::site::settings;

async fn refusal(wasm: impl Into<Bytes>, settings: &ComponentSettings) -> ComponentError {
    host().prepare(wasm.into(), settings).await.unwrap_err()
}

#[tokio::test]
async fn bytes_that_are_not_a_component_are_refused() {
    let core = refusal(&b"\0asm\x01\0\0\0"[..], &settings()).await;
    assert!(core.to_string().contains("wasm-tools component new"), "{core}");
    let text = refusal(&b"(component)"[..], &settings()).await;
    assert!(matches!(text, ComponentError::NotAComponent { .. }), "{text}");
    let damaged = refusal(&b"\0asm\x0d\0\x01\0damaged"[..], &settings()).await;
    assert!(matches!(damaged, ComponentError::NotCompiled(_)), "{damaged}");
}

#[tokio::test]
async fn a_component_without_the_http_export_is_refused() {
    // The smallest component: no imports, no exports.
    let empty = refusal(&b"\0asm\x0d\0\x01\0"[..], &settings()).await;
    assert!(matches!(empty, ComponentError::NotFitting(_)), "{empty}");
    assert!(empty.to_string().contains("incoming-handler"), "{empty}");
}

#[tokio::test]
async fn an_invalid_setting_is_named() {
    let wrong = ComponentSettings { reuse: 0, ..settings() };
    let refusal = refusal(&b"\0asm\x0d\0\x01\0"[..], &wrong).await;
    assert_eq!(refusal.to_string(), "reuse: must be 1 to 1000000");
}

fn files(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn compiled_code_is_private_and_rebuilt_when_damaged() {
    let Some(wasm) = guest("probe") else { return };
    let place = tempfile::tempdir().unwrap();
    let kept = place.path().join("deep/compiled");
    ComponentHost::new(kept.clone()).unwrap().prepare(wasm.clone(), &settings()).await.unwrap();
    let [file] = files(&kept).try_into().expect("one file for one component");
    let whole = fs::read(&file).unwrap();
    is_private(&kept);

    for damaged in [&whole[..whole.len() / 2], &[][..], &[&whole[..whole.len() - 1], b"!"].concat()[..]] {
        fs::write(&file, damaged).unwrap();
        ComponentHost::new(kept.clone()).unwrap().prepare(wasm.clone(), &settings()).await.unwrap();
        assert_eq!(fs::read(&file).unwrap(), whole, "it is made again, as it was");
    }
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    ComponentHost::new(kept.clone()).unwrap().prepare(wasm, &settings()).await.unwrap();
    assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), written, "it is not compiled again");
    assert_eq!(files(&kept), [file]);
}

#[cfg(unix)]
fn is_private(directory: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    assert_eq!(fs::metadata(directory).unwrap().permissions().mode() & 0o777, 0o700);
}

#[cfg(not(unix))]
fn is_private(_: &Path) {}
