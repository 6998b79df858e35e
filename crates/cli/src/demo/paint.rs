//! Terminal colours, unless NO_COLOR is set.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal};

/// Tone of a text, which selects its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Strong,
    Good,
    Bad,
}

/// Whether output is coloured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    colours: bool,
}

/// A text in its colour.
pub(super) struct Painted<T> {
    text: T,
    tone: Tone,
    colours: bool,
}

impl Paint {
    /// For standard output.
    pub(super) fn of_output() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colours: !refused && io::stdout().is_terminal() }
    }

    pub(super) fn with<T: Display>(self, tone: Tone, text: T) -> Painted<T> {
        Painted { text, tone, colours: self.colours }
    }
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = match self.tone {
            Tone::Strong => "1",
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Plain => return self.text.fmt(out),
        };
        if !self.colours {
            return self.text.fmt(out);
        }
        write!(out, "\x1b[{code}m")?;
        self.text.fmt(out)?;
        out.write_str("\x1b[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_codes_do_not_count_for_the_width() {
        let paint = Paint { colours: true };
        assert_eq!(format!("{:6}|", paint.with(Tone::Good, "tc01")), "\x1b[32mtc01  \x1b[0m|");
        let plain = Paint { colours: false };
        assert_eq!(format!("{:6}|", plain.with(Tone::Good, "tc01")), "tc01  |");
    }
}
