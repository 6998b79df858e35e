//! A history as JSON lines, one fact a line, readable with ordinary tools.

use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};

use crate::{Agreement, Division, History, Holding, Life, Operation, SessionRecord};

/// The version of the lines.
const VERSION: u32 = 1;

/// Errors of reading a history.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// They cannot be read.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// An invalid line.
    #[error("line {line}: {error}")]
    Form {
        /// Counted from 1.
        line: usize,
        /// The problem.
        error: serde_json::Error,
    },
    /// An unsupported version.
    #[error("version {0} of the lines; this program reads version {VERSION}")]
    Version(u32),
    /// A line refers to an unknown session or operation.
    #[error("line {line}: it refers to an unknown session or operation")]
    Reference {
        /// Counted from 1.
        line: usize,
    },
}

/// One line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line<'h> {
    History { version: u32, asynchronous: bool, nodes: std::borrow::Cow<'h, [String]> },
    Session(SessionRecord),
    Operation(Operation),
    Life(Life),
    Division(Division),
    Agreement(Agreement),
    Holding(Holding),
}

/// Writes a history.
///
/// # Errors
/// Those of `out`.
pub fn write(history: &History, mut out: impl Write) -> std::io::Result<()> {
    let mut line = |line: &Line<'_>| {
        serde_json::to_writer(&mut out, line)?;
        out.write_all(b"\n")
    };
    let nodes = history.nodes.as_slice().into();
    line(&Line::History { version: VERSION, asynchronous: history.asynchronous, nodes })?;
    history.lives.iter().try_for_each(|life| line(&Line::Life(life.clone())))?;
    history.divisions.iter().try_for_each(|division| line(&Line::Division(division.clone())))?;
    history.agreements.iter().try_for_each(|agreement| line(&Line::Agreement(agreement.clone())))?;
    history.sessions.iter().try_for_each(|session| line(&Line::Session(session.clone())))?;
    history.operations.iter().try_for_each(|operation| line(&Line::Operation(operation.clone())))?;
    history.holdings.iter().try_for_each(|holding| line(&Line::Holding(holding.clone())))
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// The invalid line, with its number.
pub fn read(lines: impl BufRead) -> Result<History, LineError> {
    let mut history = History::default();
    for (text, line) in lines.lines().zip(1..) {
        match serde_json::from_str(&text?).map_err(|error| LineError::Form { line, error })? {
            Line::History { version: VERSION, asynchronous, nodes } => {
                (history.asynchronous, history.nodes) = (asynchronous, nodes.into_owned());
            }
            Line::History { version, .. } => return Err(LineError::Version(version)),
            Line::Session(session) => history.sessions.push(session),
            Line::Operation(operation) => history.operations.push(operation),
            Line::Life(life) => history.lives.push(life),
            Line::Division(division) => history.divisions.push(division),
            Line::Agreement(agreement) => history.agreements.push(agreement),
            Line::Holding(holding) => history.holdings.push(holding),
        }
        let known = history.sessions.len();
        let names_nothing = history.operations.last().is_some_and(|operation| operation.session >= known)
            || history.holdings.last().is_some_and(|held| held.sessions.keys().any(|id| *id >= known));
        if names_nothing {
            return Err(LineError::Reference { line });
        }
    }
    let made = |session: &SessionRecord| session.created_by < history.operations.len();
    match history.sessions.iter().all(made) {
        true => Ok(history),
        false => Err(LineError::Reference { line: 1 + history.lives.len() }),
    }
}
