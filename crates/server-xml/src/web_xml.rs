//! `web.xml`: what it says about sessions. All else is the application itself.

use roxmltree::Node;

use crate::draft::Draft;
use crate::rule::{Given, Rule, apply};
use crate::translate::place_of;
use crate::value::time;

/// The longest time of a session: ten years.
const NEVER: u64 = 3_650 * 86_400_000;

/// Reads the element `web-app`.
pub(crate) fn web_app(root: Node<'_, '_>, draft: &mut Draft) {
    let elements = || root.children().filter(Node::is_element);
    draft.distributable = Some(elements().any(|child| is(child, "distributable")));
    elements().filter(|child| is(*child, "session-config")).for_each(|child| session_config(child, draft));
    let own = ["servlet", "filter", "listener", "ejb-ref", "resource-ref", "env-entry"];
    if let Some(first) = elements().find(|child| own.contains(&child.tag_name().name())) {
        let why = "Java code does not run here: write the application anew, see docs/applications.md";
        draft.note("app", &place_of(first), "servlets, filters and listeners", why, true);
    }
    let guards = ["security-constraint", "login-config", "security-role"];
    if let Some(first) = elements().find(|child| guards.contains(&child.tag_name().name())) {
        let why = "who may use an application is its own matter; a session knows its `principal`";
        draft.note("app", &place_of(first), first.tag_name().name(), why, true);
    }
}

/// Whether an element has this name, in whatever namespace: it differs in every version.
fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.tag_name().name() == name
}

fn session_config(config: Node<'_, '_>, draft: &mut Draft) {
    for child in config.children().filter(Node::is_element) {
        match child.tag_name().name() {
            "session-timeout" => given(child, Rule::By(session_timeout), draft),
            "cookie-config" => {
                child.children().filter(Node::is_element).for_each(|child| cookie(child, draft));
            }
            "tracking-mode" if text(child) != "COOKIE" => {
                given(child, Rule::Lost("ids are in cookies only, never in a URL"), draft);
            }
            _ => {}
        }
    }
}

fn cookie(child: Node<'_, '_>, draft: &mut Draft) {
    let rule = match child.tag_name().name() {
        "name" => Rule::Text("session", "cookie"),
        "secure" if text(child) == "true" => Rule::Flag("session", "secure"),
        "http-only" if text(child) == "false" => Rule::Lost("no script can read the cookie, always"),
        "path" => Rule::Lost("the cookie has its application's path, or `session_path` in [[app]]"),
        "domain" => Rule::Lost("the cookie belongs to the host that set it"),
        "max-age" => Rule::Lost("the cookie ends with the browser"),
        "comment" | "attribute" => Rule::Lost("the cookie has no such attribute"),
        _ => Rule::Silent,
    };
    given(child, rule, draft);
}

/// Minutes; 0 and less are for ever.
fn session_timeout(draft: &mut Draft, given: &Given<'_>) {
    let Some(minutes) = given.number::<i64>(draft) else { return };
    let milliseconds = u64::try_from(minutes).unwrap_or(0).saturating_mul(60_000);
    if milliseconds == 0 {
        let why = "sessions end at some time: after ten years without a use";
        draft.note("session", &given.place, &given.what(), why, true);
    }
    let value = time(if milliseconds == 0 { NEVER } else { milliseconds.min(NEVER) });
    draft.set("session", "timeout", value, &given.place, "session-timeout");
}

fn text<'d>(node: Node<'d, '_>) -> &'d str {
    node.text().unwrap_or_default().trim()
}

/// Applies a rule to an element's text, as to the value of an attribute.
fn given(node: Node<'_, '_>, rule: Rule, draft: &mut Draft) {
    let value = text(node);
    let parent = node.parent_element().map_or("web-app", |parent| parent.tag_name().name());
    let mut place = place_of(node);
    if let Some(text) = node.first_child().filter(Node::is_text) {
        place.span = text.range();
    }
    apply(rule, &Given { element: parent, name: node.tag_name().name(), value, place }, draft);
}
