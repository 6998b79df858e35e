//! The HTML pages: the session with its forms, and an error. Everything is inline; nothing is loaded.

mod escape;

use std::fmt::Write;

use sessile::Receipt;
use sessile::status::MemberView;

use super::ClusterappState;
use super::command_result::{CommandResult, SessionDetails};
use super::error::ClusterappError;
use escape::Escaped;

const STYLE: &str = include_str!("page.css");
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle \
                    cx='5' cy='8' r='4' fill='%232b7bd6'/%3E%3Ccircle cx='11' cy='8' r='4' fill='%2312a06e'/%3E\
                    %3C/svg%3E";
/// The size that the form suggests, in bytes.
const SUGGESTED_SIZE: usize = 1024;

/// The session after this request, the serving node, the outcome of the change, and the forms.
pub(super) fn session(
    site: &ClusterappState,
    host: &str,
    answer: &CommandResult,
    receipt: Option<Receipt>,
) -> String {
    let details = answer.details.as_ref().filter(|_| answer.sid.is_some());
    let content = [
        served(site, details, receipt),
        facts(site, answer, details),
        forms(site, details),
        members(&site.cluster.members()),
        hints(site, host),
    ];
    document(site, "clusterapp", &content.concat())
}

/// The page of an error.
pub(super) fn problem(site: &ClusterappState, problem: &ClusterappError) -> String {
    let ClusterappError { status, message, passing } = problem;
    let again = if *passing { "<p class=\"quiet\">Try again in a second: reload this page.</p>" } else { "" };
    let content = format!(
        "<section class=\"wide served\"><div><h1>clusterapp on {node}</h1><p class=\"node\">{status}</p>\
         <p>{message}</p>{again}</div></section>\
         <section class=\"wide\"><a href=\"{base}/\">Back to the session</a></section>",
        node = Escaped(site.cluster.name()),
        message = Escaped(message),
        base = Escaped(&site.base_path),
    );
    document(site, &status.to_string(), &content)
}

fn document(site: &ClusterappState, title: &str, content: &str) -> String {
    let node = site.cluster.name();
    format!(
        "<!doctype html>\n<html lang=\"en\" style=\"--hue: {hue}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} · {node}</title>\n<link rel=\"icon\" href=\"{ICON}\">\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n{content}</main>\n</body>\n</html>\n",
        hue = hue(node),
        title = Escaped(title),
        node = Escaped(node),
    )
}

fn served(site: &ClusterappState, details: Option<&SessionDetails>, receipt: Option<Receipt>) -> String {
    let moved = match details.and_then(|details| details.moved_from.as_deref()) {
        Some(from) => format!("<p class=\"quiet\">taken over from {}</p>", Escaped(from)),
        None => String::new(),
    };
    let (tone, receipt) = match receipt {
        None => ("", "nothing changed, nothing sent".to_owned()),
        Some(receipt) if receipt.ended => ("", "the session is ended everywhere".to_owned()),
        Some(receipt) if receipt.is_degraded() => ("poor", receipt.to_string()),
        Some(receipt) => ("good", receipt.to_string()),
    };
    format!(
        "<section class=\"wide served\"><div><h1>clusterapp, served by</h1><p class=\"node\">{node}</p>{moved}</div>\
         <div><h1>Receipt</h1><span class=\"pill {tone}\">{receipt}</span></div></section>\n",
        node = Escaped(site.cluster.name()),
    )
}

fn facts(site: &ClusterappState, answer: &CommandResult, details: Option<&SessionDetails>) -> String {
    let (Some(details), Some(sid)) = (details, answer.sid) else {
        return "<section class=\"wide\"><h2>Session</h2><p>There is none yet. Add an attribute to begin one.</p>\
                </section>\n"
            .to_owned();
    };
    let state = if details.is_new { "with this request" } else { "earlier" };
    let mut rows = String::new();
    for (name, reading) in &details.attributes {
        let version = reading.v.map_or_else(|| "–".to_owned(), |v| v.to_string());
        let _ = writeln!(
            rows,
            "<tr><td><code>{name}</code></td><td class=\"number\">{version}</td>\
             <td class=\"number\">{len} B</td><td class=\"number\"><form method=\"post\" action=\"{base}/session\">\
             <input type=\"hidden\" name=\"cmd\" value=\"remove\"><input type=\"hidden\" name=\"name\" \
             value=\"{name}\"><button class=\"plain\">Remove</button></form></td></tr>",
            name = Escaped(name),
            len = reading.len,
            base = Escaped(&site.base_path),
        );
    }
    if rows.is_empty() {
        rows.push_str("<tr><td colspan=\"4\" class=\"quiet\">No attributes</td></tr>");
    }
    format!(
        "<section class=\"wide\"><h2>Session</h2><dl><dt>Key</dt><dd><code>{sid}</code></dd><dt>Began</dt>\
         <dd>{state}</dd><dt>Ends after</dt><dd>{idle} s without use</dd></dl><div class=\"scroll\"><table><thead>\
         <tr><th>Attribute</th><th class=\"number\">Version</th><th class=\"number\">Length</th><th></th></tr>\
         </thead><tbody>\n{rows}</tbody></table></div></section>\n",
        idle = details.max_inactive.as_secs(),
    )
}

fn forms(site: &ClusterappState, details: Option<&SessionDetails>) -> String {
    let versions = details.into_iter().flat_map(|details| details.attributes.values());
    let next = versions.filter_map(|reading| reading.v).max().map_or(1, |v| v.saturating_add(1));
    let form = |command: &str, fields: &str| {
        format!(
            "<form class=\"fields\" method=\"post\" action=\"{base}/session\"><input type=\"hidden\" name=\"cmd\" \
             value=\"{command}\">{fields}</form>",
            base = Escaped(&site.base_path),
        )
    };
    let add = format!(
        "<label>Name <input name=\"name\" value=\"cart\" required></label><label>Bytes <input name=\"size\" \
         type=\"number\" min=\"0\" value=\"{SUGGESTED_SIZE}\" required></label><label>Version <input name=\"v\" \
         type=\"number\" min=\"0\" value=\"{next}\" required></label><button>Add</button>"
    );
    let mutate = format!(
        "<label>Name <input name=\"name\" value=\"cart\" required></label><label>Version <input name=\"v\" \
         type=\"number\" min=\"0\" value=\"{next}\" required></label><button>Change in place</button>"
    );
    let remove = "<label>Name <input name=\"name\" value=\"cart\" required></label><button>Remove</button>";
    format!(
        "<section><h2>Change it</h2>{}{}{}{}</section>\n",
        form("add", &add),
        form("mutate", &mutate),
        form("remove", remove),
        form("invalidate", "<button class=\"danger\">Invalidate the session</button>"),
    )
}

fn members(members: &[MemberView]) -> String {
    let mut rows = String::new();
    for member in members {
        let name = Escaped(&member.name);
        let state = &member.state;
        let own = if member.is_self { " (this node)" } else { "" };
        let _ = write!(rows, "<li><strong>{name}{own}</strong><span class=\"quiet\">{state}</span></li>");
    }
    format!("<section><h2>Members</h2><ul>{rows}</ul></section>\n")
}

fn hints(site: &ClusterappState, host: &str) -> String {
    format!(
        "<section class=\"wide\"><h2>Try</h2><p>Kill the node that served this page and reload: another one goes \
         on with the same session.</p><pre><code>curl -b jar -c jar -X POST \
         'http://{host}{base}/session?cmd=add&amp;name=cart&amp;size=1024&amp;v=7'\n\
         curl -b jar 'http://{host}{base}/session?cmd=show'</code></pre></section>\n",
        host = Escaped(host),
        base = Escaped(&site.base_path),
    )
}

/// A hue in degrees for each node name, so that a change of node is visible at a glance.
fn hue(node: &str) -> u32 {
    node.bytes().fold(0_u32, |angle, byte| (angle * 31 + u32::from(byte) * 137) % 360)
}
