//! Findings about a configuration file, shown with line and caret.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::PathBuf;

/// Characters that are shown of a sentence, which may name a value, and of a line from the marked place on.
const SENTENCE_MAX: usize = 600;
const MARKED_MAX: usize = 120;

/// Why a configuration could not be used.
#[derive(thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("error: cannot read the configuration {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The file was read; at least one finding is an error.
    #[error("{0}")]
    Invalid(Findings),
}

/// As [`Display`](std::fmt::Display): a `main` that returns it shows it so.
impl std::fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// The findings about one file, in the order of their places. Its `Display` shows each with line and caret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// The file, as the caller named it.
    pub path: PathBuf,
    /// The text of the file, which the spans point into.
    pub text: String,
    /// What was found.
    pub list: Vec<Finding>,
}

/// One thing that is wrong, or suspicious, in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether the file can be used all the same.
    pub severity: Severity,
    /// The problem, as a sentence that names the input.
    pub message: String,
    /// The bytes of the text that it is about.
    pub span: Range<usize>,
    /// A few words to stand at the place; may be empty.
    pub label: String,
    /// How to mend it.
    pub help: Option<String>,
}

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used, but hardly as it was meant.
    Warning,
}

impl Finding {
    pub(super) fn error(span: Range<usize>, message: impl Into<String>) -> Self {
        let message = cut(&message.into(), SENTENCE_MAX).into_owned();
        Self { severity: Severity::Error, message, span, label: String::new(), help: None }
    }

    pub(super) fn warning(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(span, message) }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(cut(&help.into(), SENTENCE_MAX).into_owned());
        self
    }
}

impl Findings {
    /// Whether one of the findings is an error.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        self.list.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// `file:line:column` of a finding, counted from 1; columns are characters.
    #[must_use]
    pub fn place(&self, finding: &Finding) -> String {
        let (line, column) = self.line_and_column(finding.span.start);
        format!("{}:{line}:{column}", self.path.display())
    }

    fn line_and_column(&self, offset: usize) -> (usize, usize) {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The text and the place of one finding, with lines cut that are longer than anybody reads.
    #[must_use]
    pub fn excerpt(&self, finding: &Finding) -> (String, Range<usize>) {
        let (mut text, mut span, mut start) = (String::new(), finding.span.clone(), 0);
        for line in self.text.split_inclusive('\n') {
            let (end, at) = (start + line.len(), text.len());
            let is_marked = (start..end).contains(&finding.span.start);
            let before = line.get(..finding.span.start.saturating_sub(start)).filter(|_| is_marked);
            let from = before.map_or(0, |before| before.chars().count());
            let content = line.trim_end_matches('\n');
            text.push_str(&cut(content, from + MARKED_MAX));
            if is_marked {
                let begin = at + (finding.span.start - start);
                let length = finding.span.len().min(text.len() - begin);
                span = begin..begin + length;
            }
            text.push_str(&line[content.len()..]);
            start = end;
        }
        if finding.span.start >= start {
            span = text.len()..text.len();
        }
        (text, span)
    }

    fn write_finding(&self, finding: &Finding, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, column) = self.line_and_column(finding.span.start);
        let line = self.text.lines().nth(number - 1).unwrap_or("");
        let gutter = number.to_string().len();
        let marked = self.text.get(finding.span.clone()).unwrap_or("");
        let carets = marked.lines().next().map_or(0, |first| first.chars().count()).max(1);
        // Tabs stay tabs, so that the caret stands under its place whatever their width.
        let indent: String =
            line.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();

        writeln!(out, "{}: {}", finding.severity, finding.message)?;
        writeln!(out, "{:gutter$}--> {}", "", self.place(finding))?;
        writeln!(out, "{:gutter$} |", "")?;
        writeln!(out, "{number} | {}", cut(line.trim_end(), column - 1 + MARKED_MAX))?;
        let marks = format!("{}{} {}", indent, "^".repeat(carets.min(MARKED_MAX)), finding.label);
        write!(out, "{:gutter$} | {}", "", marks.trim_end())?;
        if let Some(help) = &finding.help {
            write!(out, "\n{:gutter$} = help: {help}", "")?;
        }
        Ok(())
    }
}

/// The text as far as it is shown, with a mark where it goes on.
fn cut(text: &str, max: usize) -> Cow<'_, str> {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.list.iter().enumerate() {
            if index > 0 {
                out.write_str("\n\n")?;
            }
            self.write_finding(finding, out)?;
        }
        Ok(())
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}
