//! Findings about configuration files, drawn on standard error with line and caret.

use std::fmt;
use std::ops::Range;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use serde_json::{Value, json};
use sessile::ConfigError;
use sessile::config::{Finding, Findings, Severity};

use crate::{logging, output};

/// Shows why a configuration cannot be used.
pub(crate) fn error(error: &ConfigError) {
    match error {
        ConfigError::Invalid(found) => findings(found),
        unreadable if logging::is_json() => tracing::error!("{unreadable}"),
        unreadable => output::tell(&unreadable.to_string()),
    }
}

/// Shows each finding at its place.
pub(crate) fn findings(findings: &Findings) {
    if logging::is_json() {
        return findings.list.iter().for_each(|finding| log(findings, finding));
    }
    let mut theme = GraphicalTheme::default();
    // Use carets on every terminal, also for a single marked character.
    theme.characters.underline = '^';
    theme.characters.underbar = '^';
    let handler = GraphicalReportHandler::new_themed(theme).with_wrap_lines(false).with_links(false);
    for finding in &findings.list {
        let (text, span) = findings.excerpt(finding);
        let source = NamedSource::new(findings.path.display().to_string(), text);
        let mut drawn = String::new();
        let shown =
            match handler.render_report(&mut drawn, &FindingDiagnostic { finding, span, source: &source }) {
                Ok(()) => drawn,
                Err(fmt::Error) => format!("{}: {}", findings.place(finding), finding.message),
            };
        output::tell(&format!("{}\n", shown.trim_end()));
    }
}

/// Each finding with its place, for programs.
pub(crate) fn as_json(error: &ConfigError) -> Vec<Value> {
    let ConfigError::Invalid(findings) = error else { return Vec::new() };
    let object = |finding: &Finding| {
        let before = findings.text.get(..finding.span.start).unwrap_or_default();
        json!({
            "file": findings.path,
            "line": before.matches('\n').count() + 1,
            "column": before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1,
            "severity": finding.severity.to_string(),
            "message": finding.message,
            "help": finding.help,
        })
    };
    findings.list.iter().map(object).collect()
}

/// One finding as a line of the log: no text for people stands between lines for programs.
fn log(findings: &Findings, finding: &Finding) {
    let (place, help) = (findings.place(finding), finding.help.as_deref().unwrap_or_default());
    match finding.severity {
        Severity::Error => tracing::error!(place, help, "{}", finding.message),
        Severity::Warning => tracing::warn!(place, help, "{}", finding.message),
    }
}

/// A finding as a miette diagnostic.
#[derive(Debug)]
struct FindingDiagnostic<'f> {
    finding: &'f Finding,
    /// Its place in `source`.
    span: Range<usize>,
    source: &'f NamedSource<String>,
}

impl fmt::Display for FindingDiagnostic<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.finding.severity, self.finding.message)
    }
}

impl std::error::Error for FindingDiagnostic<'_> {}

impl Diagnostic for FindingDiagnostic<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.finding.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.finding.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let label = Some(self.finding.label.clone()).filter(|label| !label.is_empty());
        let span = self.span.clone();
        Some(Box::new(std::iter::once(LabeledSpan::new_primary_with_span(label, span))))
    }
}
