//! The archive that a measurement deploys: of a given size and new to every node.

use std::io::{Cursor, Write};
use std::path::Path;

use bytes::Bytes;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::failure::Failure;

/// Random bytes appended to each component, so that no two are equal.
const MIN_PADDING: usize = 64;
/// Magic bytes of every WebAssembly file.
const WASM: &[u8] = b"\0asm";
/// Section id of a WebAssembly custom section.
const CUSTOM: u8 = 0;
const SECTION: &[u8] = b"padding";

/// Source of the archives.
#[derive(Debug)]
pub(super) enum ArchivePayload {
    /// A zip with one static file of this many bytes.
    Static(usize),
    /// This component, padded to this many bytes.
    Component(Vec<u8>, usize),
}

impl ArchivePayload {
    pub(super) fn new(component: Option<&Path>, megabytes: u64) -> Result<Self, Failure> {
        let bytes = (megabytes as usize) << 20;
        let Some(file) = component else { return Ok(Self::Static(bytes)) };
        let read = std::fs::read(file);
        let component =
            read.map_err(|error| Failure::Usage(format!("--component {}: {error}", file.display())))?;
        if !component.starts_with(WASM) {
            return Err(Failure::Usage(format!("--component {}: this is no WebAssembly", file.display())));
        }
        Ok(Self::Component(component, bytes))
    }

    /// Size of each archive, in whole megabytes.
    pub(super) fn megabytes(&self) -> u64 {
        let bytes = match self {
            Self::Static(bytes) => *bytes,
            Self::Component(component, bytes) => component.len().max(*bytes),
        };
        (bytes >> 20) as u64
    }

    /// The deployed name.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Static(_) => "bench.zip",
            Self::Component(..) => "bench.wasm",
        }
    }

    /// A description for people.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Static(_) => {
                "a zip of one static file, uploaded to one node; no component is compiled, --component FILE has that measured"
                    .to_owned()
            }
            Self::Component(component, _) => format!(
                "a component of {} KB with padding, uploaded to one node and compiled by each",
                component.len() / 1000
            ),
        }
    }

    /// A new archive that is in no cache of any node.
    pub(super) fn fresh(&self) -> Result<Bytes, Failure> {
        let made = match self {
            Self::Static(bytes) => zip_of(*bytes),
            Self::Component(component, bytes) => padded(component, *bytes),
        };
        made.map(Bytes::from).map_err(|error| Failure::Failed(format!("an archive: {error}")))
    }
}

fn zip_of(bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [("app.toml", &b"manifest = 1\n"[..]), ("static/padding", &random(bytes)?)] {
        let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        zip.start_file(name, stored)?;
        zip.write_all(content)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// The component with a custom section appended.
fn padded(component: &[u8], bytes: usize) -> std::io::Result<Vec<u8>> {
    let padding = random(bytes.saturating_sub(component.len()).max(MIN_PADDING))?;
    let mut padded = component.to_vec();
    padded.push(CUSTOM);
    padded.extend(leb128(1 + SECTION.len() + padding.len()));
    padded.extend(leb128(SECTION.len()));
    padded.extend(SECTION);
    padded.extend(padding);
    Ok(padded)
}

/// LEB128 encoding: seven bits a byte, lowest first.
fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

fn random(bytes: usize) -> std::io::Result<Vec<u8>> {
    let mut padding = vec![0; bytes];
    getrandom::fill(&mut padding).map_err(std::io::Error::other)?;
    Ok(padding)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leb128_encodes_numbers_like_webassembly() {
        assert_eq!(leb128(0), [0]);
        assert_eq!(leb128(127), [0x7f]);
        assert_eq!(leb128(128), [0x80, 1]);
        assert_eq!(leb128(624_485), [0xe5, 0x8e, 0x26]);
    }

    #[test]
    fn padding_reaches_the_size_and_is_random() {
        let (one, other) = (padded(b"component", 1 << 20).unwrap(), padded(b"component", 1 << 20).unwrap());
        assert!(one.starts_with(b"component") && one.len() >= 1 << 20 && one.len() < (1 << 20) + 32);
        assert_ne!(one, other);
        assert_ne!(padded(&one, 9).unwrap(), padded(&one, 9).unwrap(), "also one that is large enough");
    }
}
