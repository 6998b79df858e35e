//! Tomcat's `server.xml` (versions 5 to 11) and `web.xml` as the configuration of a Sessile node.
//!
//! [`import`] takes texts and gives a text: the file `tc01.toml`, in which every line of the XML that has no
//! equal is a comment with the reason, and the list of what could not be carried over. Nothing is read or
//! written here, and no class of Tomcat is looked for: elements are known by their tag and the last part of
//! their `className`.
//!
//! Next: `elements/` says what becomes of each element and attribute, one table a file; `translate.rs` walks
//! over the document; `draft.rs` gathers; `render.rs` writes.
//!
//! This crate knows the keys of the configuration by name only: the tests of `sessile import-server-xml`
//! check that each result is one. It knows no file, no network and no other crate of the workspace.

mod applications;
mod document;
mod draft;
mod elements;
mod finish;
mod listen;
mod place;
mod render;
mod rule;
mod translate;
mod value;
mod web_xml;

pub use document::{MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, Wrong};
pub use draft::{Imported, Left};

use draft::Draft;

/// A text with the name that messages and comments call it by.
#[derive(Debug, Clone, Copy)]
pub struct Source<'t> {
    /// The name of its file.
    pub name: &'t str,
    /// The content.
    pub text: &'t str,
}

/// Translates the configuration of a Tomcat instance, with the `web.xml` of an application if there is one.
///
/// # Errors
/// What is wrong with the texts, each with its place: no XML, a document type with entities, another root
/// element, a value that is none of its attribute, or more than [`MAX_BYTES`], [`MAX_ELEMENTS`] or
/// [`MAX_DEPTH`].
///
/// ```
/// let server = sessile_server_xml::Source {
///     name: "server.xml",
///     text: r#"<Server port="9005"><Service><Connector port="9080"/><Engine jvmRoute="tc01"/></Service></Server>"#,
/// };
/// let imported = sessile_server_xml::import(server, None).expect("it is one");
/// assert!(imported.toml.contains("listen = \"0.0.0.0:9080\""));
/// ```
pub fn import(server: Source<'_>, web: Option<Source<'_>>) -> Result<Imported, Vec<Wrong>> {
    let document = document::parse(server.text, "Server").map_err(|wrong| vec![wrong])?;
    let mut draft = Draft::new(server.name);
    translate::server(document.root_element(), &mut draft);
    finish::node(&mut draft);
    if let Some(web) = web {
        let in_web = |wrong: Wrong| vec![Wrong { is_in_web_xml: true, ..wrong }];
        let document = document::parse(web.text, "web-app").map_err(in_web)?;
        draft.source = web.name.to_owned();
        draft.is_in_web_xml = true;
        web_xml::web_app(document.root_element(), &mut draft);
    }
    finish::session(&mut draft);
    if draft.wrong.is_empty() { Ok(render::imported(&draft, server.name)) } else { Err(draft.wrong) }
}
