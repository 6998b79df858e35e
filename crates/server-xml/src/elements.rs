//! The rule of each element, by its tag and the last part of its `className`.

mod channel;
mod cluster;
mod server;
mod session;

pub(crate) use cluster::MANAGER;

use roxmltree::Node;

use crate::draft::Draft;
use crate::place::Place;
use crate::rule::Rule;

/// An element that Tomcat 5 to 11 may have.
pub(crate) struct Element {
    pub(crate) tag: &'static str,
    /// The last parts of the class names that it is for; empty: any.
    pub(crate) classes: &'static [&'static str],
    pub(crate) fate: Fate,
    /// The rules of its attributes; `*` stands for all others. An attribute that is not listed is lost.
    pub(crate) attributes: &'static [(&'static str, Rule)],
}

/// The rule of an element as a whole.
#[derive(Clone, Copy)]
pub(crate) enum Fate {
    /// Its attributes and what is in it are looked at.
    Read,
    /// The same, once this has looked at the element; unless it says that nothing more is to be read.
    ReadBy(fn(&mut Draft, Node<'_, '_>, &Place) -> bool),
    /// It has no equal because nothing needs it.
    Needless(&'static str),
    /// It has no equal, and something is lost.
    Lost(&'static str),
}

/// Attributes that every element has.
pub(crate) const EVERYWHERE: &[(&str, Rule)] = &[
    ("className", Rule::Silent),
    ("id", Rule::Silent),
    ("debug", Rule::Needless("the option `--log debug` of `sessile serve`")),
];

/// The rule of this element; `None`: unknown.
pub(crate) fn of(node: Node<'_, '_>) -> Option<&'static Element> {
    let (tag, class) = (node.tag_name().name(), class(node));
    let tables = [server::ELEMENTS, cluster::ELEMENTS, channel::ELEMENTS, session::ELEMENTS];
    let fits = |element: &&Element| {
        element.tag == tag && (element.classes.is_empty() || element.classes.contains(&class))
    };
    tables.into_iter().flatten().find(fits)
}

/// The last part of the class name. Connectors tell what they are by their protocol.
pub(crate) fn class<'d>(node: Node<'d, '_>) -> &'d str {
    if node.tag_name().name() == "Connector" {
        return server::kind_of_connector(node);
    }
    let class = node.attribute("className").unwrap_or_default();
    class.rsplit('.').next().unwrap_or_default()
}

/// An element that is lost as a whole.
const fn lost(tag: &'static str, classes: &'static [&'static str], why: &'static str) -> Element {
    Element { tag, classes, fate: Fate::Lost(why), attributes: &[] }
}

/// An element that nothing needs.
const fn needless(tag: &'static str, classes: &'static [&'static str], why: &'static str) -> Element {
    Element { tag, classes, fate: Fate::Needless(why), attributes: &[] }
}
