//! Runs the tools of other languages.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Runs a tool to its end; `remedy` says how to have it where it is missing.
pub fn run(command: &mut Command, remedy: &str) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command.status().with_context(|| format!("`{name}` cannot be run; {remedy}"))?;
    ensure!(status.success(), "`{name}` failed; if something is missing: {remedy}");
    Ok(())
}
