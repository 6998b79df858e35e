//! Escapes untrusted text for HTML.

use std::fmt::{self, Display, Write};

/// Escapes text for HTML content and quoted attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => out.write_str("&amp;")?,
                '<' => out.write_str("&lt;")?,
                '>' => out.write_str("&gt;")?,
                '"' => out.write_str("&quot;")?,
                '\'' => out.write_str("&#39;")?,
                _ => out.write_char(character)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_becomes_text() {
        let text = "a & <b> \"c\" 'd' é";
        assert_eq!(Escaped(text).to_string(), "a &amp; &lt;b&gt; &quot;c&quot; &#39;d&#39; é");
    }
}
