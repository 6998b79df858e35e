//! The walk over the document: each element and each of its attributes meets its rule.

use roxmltree::Node;

use crate::document::tag;
use crate::draft::Draft;
use crate::elements::{self, EVERYWHERE, Element, Fate};
use crate::place::Place;
use crate::rule::{Given, Rule, apply};

/// The prefix with which a cluster of Tomcat 5.5 gives attributes to its manager.
const OF_THE_MANAGER: &str = "manager.";

/// Reads the element `Server` and everything in it. The depth of the document is bounded.
pub(crate) fn server(node: Node<'_, '_>, draft: &mut Draft) {
    let (name, place) = (node.tag_name().name(), place_of(node));
    let Some(element) = elements::of(node) else {
        draft.note("", &place, name, "this element is not known", true);
        return;
    };
    let goes_on = match element.fate {
        Fate::Read => true,
        Fate::ReadBy(work) => work(draft, node, &place),
        Fate::Needless(why) | Fate::Lost(why) => {
            let is_loss = matches!(element.fate, Fate::Lost(_));
            draft.note("", &place, &what(node), why, is_loss);
            false
        }
    };
    if goes_on {
        attributes(node, element, draft);
        node.children().filter(Node::is_element).for_each(|child| server(child, draft));
    }
}

fn attributes(node: Node<'_, '_>, element: &Element, draft: &mut Draft) {
    for attribute in node.attributes() {
        let name = attribute.name();
        let (rules, bare) = match name.strip_prefix(OF_THE_MANAGER) {
            Some(bare) => (elements::MANAGER, bare),
            None => (element.attributes, name),
        };
        let find = |wanted: &str| {
            rules.iter().chain(EVERYWHERE).find(|(name, _)| *name == wanted).map(|(_, rule)| *rule)
        };
        let rule = find(bare).or_else(|| find("*")).unwrap_or(Rule::Lost("this attribute is not known"));
        let place = Place { line: line(node, attribute.range().start), span: attribute.range_value() };
        let given = Given { element: element.tag, name, value: attribute.value(), place };
        apply(rule, &given, draft);
    }
}

/// Where an element begins.
pub(crate) fn place_of(node: Node<'_, '_>) -> Place {
    let start = node.range().start;
    Place { line: line(node, start), span: tag(start, node.tag_name().name()) }
}

fn line(node: Node<'_, '_>, at: usize) -> u32 {
    node.document().text_pos_at(at).row
}

/// An element with its class or its name.
fn what(node: Node<'_, '_>) -> String {
    let (name, class) = (node.tag_name().name(), elements::class(node));
    match (class, node.attribute("name")) {
        ("", None) => name.to_owned(),
        ("", Some(own)) => format!("{name} {own}"),
        (class, _) => format!("{name} {class}"),
    }
}
