//! docs/cli.md is the help of every command, in the order of the program.

use std::path::Path;

use clap::{Arg, Command};

/// The environment variable with which golden files are written anew.
const BLESS: &str = "SESSILE_BLESS";
/// Columns of the page.
const WIDTH: usize = 100;

const HEADING: &str = "# Commands

For users of the program `sessile`: every command with its arguments, as `--help` prints them.
Exit codes are 0 when the command has done its work, 1 when it failed or a check found a violation, 2 when the
command line or a configuration cannot be used, and 3 when a drain ended before everything was delivered.

With `--json`, standard output is JSON. Standard error then has one JSON object a line; a failure is
`{\"error\": …, \"exit_code\": …}`, with `findings` (file, line, column, message, help) for a configuration.
A command that has no fields of its own prints `{\"output\": …}`.

`sessile completions bash` prints completions (also for zsh, fish, elvish and PowerShell).
`sessile man DIRECTORY` writes manual pages.
";

#[test]
fn the_page_is_the_help_of_every_command() {
    let mut command = crate::command().term_width(WIDTH);
    command.build();
    let mut page = HEADING.to_owned();
    describe(&mut command, &mut page);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    if std::env::var_os(BLESS).is_some() {
        std::fs::write(&file, &page).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(page == expected, "docs/cli.md is not what the program says: run this test with {BLESS}=1");
}

/// Adds the section of a command, and those of the commands within it.
fn describe(command: &mut Command, page: &mut String) {
    let name = command.get_bin_name().unwrap_or("sessile").to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    page.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end()));
    for inner in
        command.get_subcommands_mut().filter(|inner| inner.get_name() != "help" && !inner.is_hide_set())
    {
        describe(&mut without_common(std::mem::take(inner)), page);
    }
}

/// The command without the options of every command, which the first section shows.
fn without_common(command: Command) -> Command {
    let is_common = |arg: &&Arg| arg.is_global_set() || matches!(arg.get_id().as_str(), "help" | "version");
    let common: Vec<_> = command.get_arguments().filter(is_common).map(|arg| arg.get_id().clone()).collect();
    common.into_iter().fold(command, |command, id| command.mut_arg(id, |arg| arg.hide(true)))
}

#[test]
fn the_command_line_is_sound() {
    crate::command().debug_assert();
}
