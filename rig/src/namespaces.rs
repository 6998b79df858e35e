//! Separate namespaces for this program: everything created in them disappears when it ends, however it ends.

use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Tools that the rig needs.
const TOOLS: [&str; 4] = ["ip", "nft", "tc", "unshare"];

/// Runs this program again inside new namespaces; returns whether it succeeded.
pub(crate) fn enter() -> Result<bool> {
    for tool in TOOLS {
        let found = Command::new(tool).arg("-V").stdout(Stdio::null()).stderr(Stdio::null()).status();
        found.with_context(|| format!("{tool} is missing: install iproute2, nftables and util-linux"))?;
    }
    let mut program = Command::new("unshare");
    program.args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    if !rustix::process::geteuid().is_root() {
        program.args(["--user", "--map-root-user"]);
    }
    program.arg(std::env::current_exe().context("where is this program?")?);
    program.args(std::env::args_os().skip(1)).arg("--nested");
    // When this process ends, the pipe closes: then the nested process ends, together with its children.
    let mut nested = program.stdin(Stdio::piped()).spawn().context("unshare cannot be started")?;
    let _held = nested.stdin.take();
    let status = nested.wait().context("unshare")?;
    match status.code() {
        Some(0) => Ok(true),
        Some(1) if !can_unshare() => {
            bail!(
                "this system provides no namespaces: run the rig as root, or allow user namespaces (unshare -Urn)"
            )
        }
        _ => Ok(false),
    }
}

fn can_unshare() -> bool {
    let mut program = Command::new("unshare");
    program.args(["--net", "--mount", "--pid", "--fork"]);
    if !rustix::process::geteuid().is_root() {
        program.args(["--user", "--map-root-user"]);
    }
    program.arg("true").status().is_ok_and(|status| status.success())
}

/// Prepares the nested namespaces: `ip netns` keeps its names below /run.
pub(crate) fn prepare() -> Result<()> {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(2);
    });
    run("mount", &["-t", "tmpfs", "tmpfs", "/run"])?;
    fs::create_dir_all("/run/netns").context("/run/netns")?;
    run("ip", &["link", "set", "lo", "up"])
}

/// Runs a tool; the error contains its output.
pub(crate) fn run(tool: &str, arguments: &[&str]) -> Result<()> {
    let done = Command::new(tool).args(arguments).stdin(Stdio::null()).output();
    let done = done.with_context(|| format!("{tool} cannot be started"))?;
    match done.status.success() {
        true => Ok(()),
        false => bail!("{tool} {}: {}", arguments.join(" "), String::from_utf8_lossy(&done.stderr).trim()),
    }
}
