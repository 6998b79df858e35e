//! Commands typed while the demo runs.

use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::sync::mpsc;

/// Most queued commands.
const MAX_COMMANDS: usize = 16;

/// One line of input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Command {
    Kill(String),
    Restart(String),
    Status,
    Help,
    Quit,
    /// An unknown line.
    Unknown(String),
}

/// Reads standard input until it ends. Afterwards the channel stays open and silent, and the demo runs on.
pub(super) fn commands() -> mpsc::Receiver<Command> {
    let (sender, commands) = mpsc::channel(MAX_COMMANDS);
    tokio::spawn(async move {
        let mut lines = BufReader::new(stdin()).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(command) = parse(&line)
                && sender.send(command).await.is_err()
            {
                return;
            }
        }
        sender.closed().await;
    });
    commands
}

/// `None` for an empty line.
fn parse(line: &str) -> Option<Command> {
    let words: Vec<_> = line.split_whitespace().collect();
    Some(match words[..] {
        [] => return None,
        ["kill", name] => Command::Kill(name.to_owned()),
        ["restart", name] => Command::Restart(name.to_owned()),
        ["status"] => Command::Status,
        ["help" | "?"] => Command::Help,
        ["quit" | "exit"] => Command::Quit,
        _ => Command::Unknown(line.trim().to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_reads_commands() {
        assert_eq!(parse(" kill tc01 "), Some(Command::Kill("tc01".into())));
        assert_eq!(parse("restart tc02"), Some(Command::Restart("tc02".into())));
        assert_eq!(parse("quit"), Some(Command::Quit));
        assert_eq!(parse("help"), Some(Command::Help));
        assert_eq!(parse("status"), Some(Command::Status));
        assert_eq!(parse("  "), None);
        assert_eq!(parse("kill"), Some(Command::Unknown("kill".into())));
    }
}
