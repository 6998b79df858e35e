//! The copy of the workspace in which the core has all changes at once, each behind its number.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use crate::find::points;
use crate::point::{Place, Point, weave};

/// The members that the copy needs: the core, and what runs its seeds.
const MEMBERS: [&str; 4] = ["crates/core", "crates/history", "planted", "sim"];

/// What is changed, below the core's `src`.
const CHANGED: [&str; 8] =
    ["shard", "shard.rs", "roster", "roster.rs", "marks.rs", "tombstone.rs", "fields.rs", "session.rs"];

/// The simulator of the copy.
const SIMULATOR: &str = "sessile-mutated-sim";

/// The module of the copied core that knows the chosen number. No build for users has it.
const SWITCH: &str = "#![allow(missing_docs)]
use std::sync::LazyLock;
static CHOSEN: LazyLock<u32> =
    LazyLock::new(|| std::env::var(\"SESSILE_MUTANT\").ok().and_then(|n| n.parse().ok()).unwrap_or(0));
#[inline]
pub fn on(number: u32) -> bool {
    *CHOSEN == number
}
";

/// A change by its number.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    /// What `SESSILE_MUTANT` says to choose it.
    pub(crate) number: u32,
    /// Its file below the core's `src`.
    pub(crate) file: String,
    /// The change.
    pub(crate) point: Point,
    /// What stands there.
    pub(crate) original: String,
}

impl Mutant {
    /// The same after lines moved: its file, function, kind and texts.
    pub(crate) fn name(&self) -> String {
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let original = one_line(&self.original);
        let other = self.point.other.as_deref().map_or("(deleted)".to_owned(), one_line);
        format!("{} {} {}: `{original}` -> `{other}`", self.file, self.point.function, self.point.kind)
    }
}

/// Where the copy lies and what it was made from.
pub(crate) struct Workspace {
    /// The repository.
    pub(crate) root: PathBuf,
    /// The copy.
    pub(crate) copy: PathBuf,
    /// Where the mutants of each file lie in the copy.
    pub(crate) places: BTreeMap<PathBuf, Vec<Place>>,
}

impl Workspace {
    /// The workspace of this crate, and the copy in its target directory.
    pub(crate) fn here() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), PathBuf::from);
        Ok(Self { copy: target.join("mutants"), root, places: BTreeMap::new() })
    }

    /// Every change of the core's source, numbered in the order of the files.
    pub(crate) fn mutants(&self) -> Result<Vec<Mutant>> {
        let mut mutants = Vec::new();
        for path in self.changed_files()? {
            let source = fs::read_to_string(&path)?;
            let file = path.strip_prefix(self.root.join("crates/core/src"))?.to_string_lossy().into_owned();
            for point in points(&source).with_context(|| format!("in {file}"))? {
                let number = u32::try_from(mutants.len())? + 1;
                let original = source[point.range.clone()].to_owned();
                mutants.push(Mutant { number, file: file.clone(), point, original });
            }
        }
        Ok(mutants)
    }

    fn changed_files(&self) -> Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for name in CHANGED {
            let path = self.root.join("crates/core/src").join(name);
            if path.is_dir() {
                let inside = fs::read_dir(&path)?.map(|entry| Ok(entry?.path()));
                files.extend(inside.collect::<Result<Vec<_>>>()?);
            } else {
                files.push(path);
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    /// Writes the copy, with these mutants in its core.
    pub(crate) fn write(&mut self, mutants: &[Mutant]) -> Result<()> {
        for member in MEMBERS {
            copy(&self.root.join(member), &self.copy.join(member))?;
        }
        // A name of its own: both workspaces build into one directory.
        let simulator = fs::read_to_string(self.root.join("sim/Cargo.toml"))?;
        let simulator = format!("{simulator}\n[[bin]]\nname = \"{SIMULATOR}\"\npath = \"src/main.rs\"\n");
        put(&self.copy.join("sim/Cargo.toml"), simulator)?;
        fs::copy(self.root.join("Cargo.lock"), self.copy.join("Cargo.lock"))?;
        put(&self.copy.join("Cargo.toml"), manifest(&fs::read_to_string(self.root.join("Cargo.toml"))?))?;
        let core = self.copy.join("crates/core/src");
        let library = fs::read_to_string(self.root.join("crates/core/src/lib.rs"))?;
        put(&core.join("lib.rs"), format!("{library}\n#[doc(hidden)]\npub mod mutant;\n"))?;
        put(&core.join("mutant.rs"), SWITCH)?;
        self.places.clear();
        for path in self.changed_files()? {
            let file = path.strip_prefix(self.root.join("crates/core/src"))?.to_owned();
            let inside = mutants.iter().filter(|mutant| Path::new(&mutant.file) == file);
            let numbered: Vec<_> = inside.map(|mutant| (mutant.number, &mutant.point)).collect();
            let woven = weave(&fs::read_to_string(&path)?, &numbered);
            put(&core.join(&file), &woven.text)?;
            self.places.insert(Path::new("crates/core/src").join(file), woven.places);
        }
        Ok(())
    }
}

/// The workspace's manifest with fewer members, and without lints: woven source is not pretty.
fn manifest(original: &str) -> String {
    let members: Vec<_> = MEMBERS.iter().map(|member| format!("\"{member}\"")).collect();
    let mut lints = false;
    let lines = original.lines().filter_map(|line| {
        if line.starts_with('[') {
            lints = line.starts_with("[workspace.lints");
        }
        let is_setting = !line.starts_with('[');
        match line {
            _ if line.starts_with("members = ") => Some(format!("members = [{}]", members.join(", "))),
            _ if line.starts_with("default-members") || line.starts_with("exclude") => None,
            _ if lints && is_setting => None,
            _ => Some(line.to_owned()),
        }
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            // The crates beside the simulator in its directory are none of its own.
            if !path.join("Cargo.toml").exists() {
                copy(&path, &to)?;
            }
        } else if !to.ends_with("sim/Cargo.toml") {
            put(&to, fs::read(&path)?)?;
        }
    }
    Ok(())
}

/// Writes a file unless it is so already: what did not change is not compiled again.
fn put(path: &Path, content: impl AsRef<[u8]>) -> Result<()> {
    if fs::read(path).is_ok_and(|there| there == content.as_ref()) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().context("a file lies in a directory")?)?;
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
