//! XML within bounds, without entities.

use std::ops::Range;

use roxmltree::{Document, Error, ParsingOptions};

/// Most bytes of a file.
pub const MAX_BYTES: usize = 1 << 20;
/// Most elements, texts and comments in a file.
pub const MAX_ELEMENTS: u32 = 20_000;
/// Most elements within each other.
pub const MAX_DEPTH: usize = 32;

/// A problem of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// It is in the `web.xml`, not in the `server.xml`.
    pub is_in_web_xml: bool,
    /// The bytes that it is about.
    pub span: Range<usize>,
    /// The problem as a sentence.
    pub message: String,
    /// How to mend it.
    pub help: String,
}

impl Wrong {
    pub(crate) fn new(span: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { is_in_web_xml: false, span, message: message.into(), help: help.into() }
    }
}

/// Reads a document whose root is an element of that name.
pub(crate) fn parse<'t>(text: &'t str, root: &str) -> Result<Document<'t>, Wrong> {
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        return Err(Wrong::new(0..0, message, "is it the right file?"));
    }
    let subset = internal_subset(text);
    if let Some(span) = subset {
        let help = "write the file with its entities in place: `xmllint --noent server.xml`";
        return Err(Wrong::new(span, "a document type that declares entities is not read", help));
    }
    // A document type that names a DTD alone, as that of a web.xml of Servlet 2.3, is not looked at.
    let options = ParsingOptions { allow_dtd: true, nodes_limit: MAX_ELEMENTS, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| malformed(text, &error))?;
    let element = document.root_element();
    if element.tag_name().name() != root {
        let found = element.tag_name().name();
        let help = match found {
            "web-app" => "give a web.xml with `--web-xml`, beside the server.xml".to_owned(),
            "Context" => "put the Context into the Host of the server.xml".to_owned(),
            _ => format!("give a file that begins with `<{root}`"),
        };
        let message = format!("the root element is <{found}>, not <{root}>");
        return Err(Wrong::new(tag(element.range().start, found), message, help));
    }
    match document.descendants().find(|node| node.ancestors().nth(MAX_DEPTH + 1).is_some()) {
        None => Ok(document),
        Some(deep) => {
            let message = format!("more than {MAX_DEPTH} elements within each other");
            let span = tag(deep.range().start, deep.tag_name().name());
            Err(Wrong::new(span, message, "no configuration of Tomcat is that deep"))
        }
    }
}

/// The place of an opening tag's name.
pub(crate) fn tag(start: usize, name: &str) -> Range<usize> {
    start..start + 1 + name.len()
}

/// Where a document type begins that declares something itself.
fn internal_subset(text: &str) -> Option<Range<usize>> {
    let start = text.find("<!DOCTYPE")?;
    let rest = &text[start..];
    let end = rest.find(['>', '['])?;
    rest[end..].starts_with('[').then(|| start..start + "<!DOCTYPE".len())
}

fn malformed(text: &str, error: &Error) -> Wrong {
    let place = error.pos();
    let line_start: usize =
        text.split_inclusive('\n').take(place.row.saturating_sub(1) as usize).map(str::len).sum();
    let column = place.col.saturating_sub(1) as usize;
    let line = text[line_start..].lines().next().unwrap_or_default();
    let at = line_start + line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    // A file that ends too early has no place: its end is shown.
    let has_place =
        !matches!(error, Error::UnclosedRootNode | Error::UnexpectedEndOfStream | Error::NoRootNode);
    let at = if has_place { at } else { text.trim_end().len().saturating_sub(1) };
    let at = text.floor_char_boundary(at);
    let next = text[at..].chars().next().map_or(0, char::len_utf8);
    // Their words end with the place, which is shown anyhow.
    let words = error.to_string();
    let words = words.replace(&format!(" at {place}"), "");
    let help = match error {
        Error::NodesLimitReached => "no configuration of Tomcat is that long: is it the right file?",
        _ => "Tomcat would not read it either; `xmllint server.xml` says more",
    };
    Wrong::new(at..at + next, format!("this is no well-formed XML: {words}"), help)
}
