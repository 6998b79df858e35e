//! What became of a form, told to the page that follows it: Post/Redirect/Get, so that reloading sends no
//! form again.
//!
//! It travels in the query string of the page, where a link can put anything; so it is words to show and
//! nothing else.

use form_urlencoded::Serializer;
use http::Uri;
use sessile::Receipt;

use super::parameters::Parameters;

/// Most bytes of a receipt's text, or of a node's name.
const MAX_TEXT_BYTES: usize = 64;

/// The outcome of the last form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// The command.
    pub(super) command: String,
    /// The attribute that was changed in place, and its new version; empty with other commands.
    pub(super) changed: (String, String),
    /// The receipt's text; empty if nothing was sent.
    pub(super) receipt: String,
    /// The node that the session was taken over from; empty if it stayed.
    pub(super) moved_from: String,
    /// The session began with it.
    pub(super) is_new: bool,
    /// The form had been sent before, and took effect then.
    pub(super) is_repeated: bool,
}

impl Outcome {
    /// The page that shows it, below the path `base`.
    pub(super) fn location(&self, base: &str) -> String {
        let start = base.len() + "/?".len();
        let mut query = Serializer::for_suffix(format!("{base}/?"), start);
        query.append_pair("done", &self.command);
        let flag = |is_set: bool| if is_set { "1" } else { "" };
        for (name, value) in [
            ("name", self.changed.0.as_str()),
            ("v", &self.changed.1),
            ("receipt", &self.receipt),
            ("from", &self.moved_from),
            ("new", flag(self.is_new)),
            ("again", flag(self.is_repeated)),
        ] {
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }

    /// The outcome in a page's query string.
    pub(super) fn of_query(uri: &Uri) -> Option<Self> {
        let parameters = Parameters::of_query(uri);
        let plain = |name: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=/ .".contains(&byte);
            let text = parameters.get(name).unwrap_or_default();
            if text.len() <= MAX_TEXT_BYTES && text.bytes().all(is_plain) {
                text.to_owned()
            } else {
                String::new()
            }
        };
        let command = plain("done");
        let is_set = |name: &str| parameters.get(name) == Some("1");
        (!command.is_empty()).then(|| Self {
            command,
            changed: (parameters.get("name").unwrap_or_default().to_owned(), plain("v")),
            receipt: plain("receipt"),
            moved_from: plain("from"),
            is_new: is_set("new"),
            is_repeated: is_set("again"),
        })
    }

    /// The same with the receipt of its commit.
    pub(super) fn with_receipt(self, receipt: Option<Receipt>) -> Self {
        Self { receipt: receipt.map(|receipt| receipt.to_string()).unwrap_or_default(), ..self }
    }

    /// What it says to the user; `version_of` an attribute is the one that the page shows.
    pub(super) fn words(&self, version_of: impl Fn(&str) -> Option<u64>) -> &'static str {
        let dropped = matches!(self.receipt.as_str(), "ended" | "superseded");
        match self.command.as_str() {
            _ if self.is_repeated => "This form had been sent before: it took effect once.",
            "invalidate" => "The session is ended everywhere.",
            _ if dropped => "Nothing was changed: the session ended, or somebody logged in, meanwhile.",
            "add" => "The attribute is set.",
            "remove" => "The attribute is removed.",
            "mutate" if self.holds(version_of) => "The attribute was changed in place, and sent.",
            "mutate" => {
                "Changed in place, never set: the change was dropped. Manager full without the dirty flag would send it."
            }
            _ => "",
        }
    }

    /// Whether the session has the version that a change in place gave it.
    fn holds(&self, version_of: impl Fn(&str) -> Option<u64>) -> bool {
        let (name, version) = &self.changed;
        version_of(name).is_some_and(|shown| shown.to_string() == *version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(location: &str) -> Option<Outcome> {
        Outcome::of_query(&location.parse().unwrap())
    }

    #[test]
    fn the_page_reads_what_the_form_says() {
        let outcome = Outcome {
            command: "add".to_owned(),
            changed: Default::default(),
            receipt: "copies=1/2 degraded".to_owned(),
            moved_from: "tc01".to_owned(),
            is_new: true,
            is_repeated: false,
        };
        let location = outcome.location("/clusterapp");
        assert_eq!(location, "/clusterapp/?done=add&receipt=copies%3D1%2F2+degraded&from=tc01&new=1");
        assert_eq!(read(&location), Some(outcome));
        assert_eq!(read("/clusterapp/"), None);
    }

    #[test]
    fn a_link_puts_no_text_of_its_own_there() {
        let long = format!("/?done=add&receipt={}", "x".repeat(MAX_TEXT_BYTES + 1));
        for link in ["/?done=add&receipt=%3Cb%3E", "/?done=add&receipt=a%0Ab", &long] {
            assert_eq!(read(link).unwrap().receipt, "", "{link}");
        }
        assert_eq!(read("/?done=call+0900").unwrap().words(|_| None), "");
    }
}
