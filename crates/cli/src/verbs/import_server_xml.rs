//! `sessile import-server-xml`: the configuration of a Tomcat as that of a node.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use sessile::ConfigError;
use sessile::config::{Finding, Findings, Severity};
use sessile_server_xml::{Imported, Left, MAX_BYTES, Source, Wrong, import};

use crate::failure::Failure;
use crate::{output, report};

/// What to read, and where to write.
#[derive(Debug, Args)]
pub(crate) struct ImportServerXml {
    /// The server.xml of a Tomcat instance, version 5 to 11
    #[arg(value_name = "SERVER_XML")]
    server: PathBuf,
    /// The web.xml of its application, for timeout, cookie and `distributable`
    #[arg(long, value_name = "FILE")]
    web_xml: Option<PathBuf>,
    /// The file to write; one that exists is never overwritten. Left out, the configuration goes to standard
    /// output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl ImportServerXml {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let server = text_of(&self.server)?;
        let web = self.web_xml.as_deref().map(|path| Ok::<_, Failure>((path, text_of(path)?))).transpose()?;
        let names = [Some(self.server.as_path()), self.web_xml.as_deref()].map(|path| path.map(short_name));
        let source = Source { name: names[0].as_deref().unwrap_or_default(), text: &server };
        let web_source =
            web.as_ref().map(|(_, text)| Source { name: names[1].as_deref().unwrap_or_default(), text });
        let imported = import(source, web_source).map_err(|wrong| {
            let (in_web, in_server): (Vec<_>, Vec<_>) =
                wrong.into_iter().partition(|wrong| wrong.is_in_web_xml);
            let of_web = web.as_ref().and_then(|(path, text)| findings(path, text, in_web));
            let errors = findings(&self.server, &server, in_server).into_iter().chain(of_web);
            Failure::Configuration(errors.collect())
        })?;
        let imported = without_refused_lines(imported)?;
        match &self.out {
            None => output::result(&json!({ "toml": imported.toml }), &imported.toml)?,
            Some(out) => write_new(out, &imported.toml)?,
        }
        tell(&imported);
        Ok(())
    }
}

/// What the file is called in comments: without its directory.
fn short_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().replace(char::is_control, "?")
}

/// Reads a file in UTF-8 that is not too large.
fn text_of(path: &Path) -> Result<String, Failure> {
    let wrong = |problem: String| Failure::Usage(format!("{}: {problem}", path.display()));
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| wrong(error.to_string()))?;
    if bytes.len() > MAX_BYTES {
        return Err(wrong(format!("it has more than {MAX_BYTES} bytes: is it the right file?")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let remedy =
            "write it in UTF-8, and its first line too, for example with `iconv -f ISO-8859-1 -t UTF-8`";
        wrong(format!("line {line} is not UTF-8; {remedy}"))
    })
}

fn findings(path: &Path, text: &str, wrong: Vec<Wrong>) -> Option<ConfigError> {
    if wrong.is_empty() {
        return None;
    }
    let list = wrong.into_iter().map(|wrong| Finding {
        severity: Severity::Error,
        message: wrong.message,
        span: wrong.span,
        label: String::new(),
        help: Some(wrong.help),
    });
    let findings = Findings { path: path.to_owned(), text: text.to_owned(), list: list.collect() };
    Some(ConfigError::Invalid(findings))
}

/// Makes the result a configuration, as `config check` sees it: a line that it refuses, such as a pattern
/// that only Java understands, becomes a comment, and its default holds. What is only suspicious is shown.
fn without_refused_lines(mut imported: Imported) -> Result<Imported, Failure> {
    let name = "the result";
    // Each round takes a line out at least.
    for _ in 0..imported.toml.lines().count() {
        let findings = match sessile::Config::parse(name, &imported.toml) {
            Ok((_, warnings)) => {
                report::findings(&warnings);
                return Ok(imported);
            }
            Err(ConfigError::Invalid(findings)) => findings,
            Err(unreadable) => return Err(unreadable.into()),
        };
        let Some(finding) = findings.list.iter().find(|finding| finding.severity == Severity::Error) else {
            break;
        };
        let start = imported.toml[..finding.span.start].rfind('\n').map_or(0, |newline| newline + 1);
        let line = imported.toml[start..].lines().next().unwrap_or_default();
        let (key, from) = line.split_once('=').map_or((line, ""), |(key, rest)| {
            (key.trim(), rest.rsplit_once(" # ").map_or("", |(_, comment)| comment))
        });
        let help = finding.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default();
        let why = format!("{}{help}", finding.message).replace(char::is_control, " ");
        imported.left.push(Left { place: from.to_owned(), what: format!("`{key}`"), why: why.clone() });
        imported.toml.insert_str(start, &format!("# {why}\n# "));
    }
    Err(Failure::Failed("the result cannot be used, which is a fault of this program".to_owned()))
}

fn write_new(out: &Path, text: &str) -> Result<(), Failure> {
    let written = OpenOptions::new().write(true).create_new(true).open(out);
    written.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::AlreadyExists => "; a file is never overwritten: name another one, or remove this one",
            _ => "",
        };
        Failure::Failed(format!("{}: {error}{remedy}", out.display()))
    })?;
    let words = format!("{}: written; next: sessile config check {}", out.display(), out.display());
    output::result(&json!({ "file": out }), &words)
}

/// What could not be carried over, for whoever reads no comments.
fn tell(imported: &Imported) {
    if imported.left.is_empty() {
        return;
    }
    output::tell("could not be carried over:");
    for left in &imported.left {
        let place = if left.place.is_empty() { String::new() } else { format!("{}, ", left.place) };
        output::tell(&format!("  {place}{}: {}", left.what, left.why));
    }
}
