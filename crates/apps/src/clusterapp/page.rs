//! The HTML pages: the session with its forms, and an error. Everything is inline; nothing is loaded.

mod escape;

use std::fmt::Write;

use sessile::status::MemberView;
use sessile::{SessionKey, idempotency_key};

use super::ClusterappState;
use super::command_result::SessionDetails;
use super::error::ClusterappError;
use super::outcome::Outcome;
use escape::Escaped;

const STYLE: &str = include_str!("page.css");
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle \
                    cx='5' cy='8' r='4' fill='%232b7bd6'/%3E%3Ccircle cx='11' cy='8' r='4' fill='%2312a06e'/%3E\
                    %3C/svg%3E";
/// The size that the form suggests, in bytes.
const SUGGESTED_SIZE: usize = 1024;

/// The session, the serving node, the outcome of the last form, and the forms. `details` are those of a
/// session that is there.
pub(super) fn session(
    site: &ClusterappState,
    host: &str,
    sid: Option<SessionKey>,
    details: Option<&SessionDetails>,
    outcome: Option<&Outcome>,
) -> String {
    let is_new = outcome.is_some_and(|outcome| outcome.is_new);
    let content = [
        served(site, details, outcome),
        facts(site, sid.zip(details), is_new),
        forms(site, details),
        members(site, &site.cluster.members()),
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

fn served(site: &ClusterappState, details: Option<&SessionDetails>, outcome: Option<&Outcome>) -> String {
    let route = details.and_then(|details| details.moved_from.as_deref());
    let route = route.or_else(|| outcome.map(|outcome| outcome.moved_from.as_str()));
    let moved = match route.filter(|from| !from.is_empty()) {
        Some(from) => format!("<p class=\"quiet\">taken over from {}</p>", Escaped(from)),
        None => String::new(),
    };
    let version_of = |name: &str| details?.attributes.get(name)?.v;
    let words = outcome.map(|outcome| outcome.words(version_of)).unwrap_or_default();
    let receipt = outcome.map(|outcome| outcome.receipt.as_str()).unwrap_or_default();
    let (tone, receipt) = match receipt {
        "" => ("", "nothing changed, nothing sent"),
        "ended" | "superseded" => ("", receipt),
        _ if receipt.contains("degraded") || receipt.contains("not-stored") => ("poor", receipt),
        _ => ("good", receipt),
    };
    format!(
        "<section class=\"wide served\"><div><h1>clusterapp, served by</h1><p class=\"node\">{node}</p>{moved}</div>\
         <div><h1>Receipt</h1><span class=\"pill {tone}\">{receipt}</span><p class=\"quiet\">{words}</p></div></section>\n",
        node = Escaped(site.cluster.name()),
        receipt = Escaped(receipt),
    )
}

fn facts(site: &ClusterappState, session: Option<(SessionKey, &SessionDetails)>, is_new: bool) -> String {
    let Some((sid, details)) = session else {
        return "<section class=\"wide\"><h2>Session</h2><p>There is none yet. Add an attribute to begin one.</p>\
                </section>\n"
            .to_owned();
    };
    let state = if is_new { "with the last form" } else { "earlier" };
    let mut rows = String::new();
    for (name, reading) in &details.attributes {
        let version = reading.v.map_or_else(|| "–".to_owned(), |v| v.to_string());
        let _ = writeln!(
            rows,
            "<tr><td><code>{name}</code></td><td class=\"number\">{version}</td>\
             <td class=\"number\">{len} B</td><td class=\"number\">{remove}</td></tr>",
            name = Escaped(name),
            len = reading.len,
            remove = form(site, "plain", "remove", &remove(name)),
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
    let add = format!(
        "<label>Name <input name=\"name\" value=\"cart\" required></label><label>Bytes <input name=\"size\" \
         type=\"number\" min=\"1\" value=\"{SUGGESTED_SIZE}\" required></label><label>Version <input name=\"v\" \
         type=\"number\" min=\"0\" value=\"{next}\" required></label><button>Add</button>"
    );
    let mutate = format!(
        "<label>Name <input name=\"name\" value=\"cart\" required></label><label>Version <input name=\"v\" \
         type=\"number\" min=\"0\" value=\"{next}\" required></label><button>Change in place</button>"
    );
    let remove = "<label>Name <input name=\"name\" value=\"cart\" required></label><button>Remove</button>";
    format!(
        "<section><h2>Change it</h2>{}{}{}{}</section>\n",
        form(site, "fields", "add", &add),
        form(site, "fields", "mutate", &mutate),
        form(site, "fields", "remove", remove),
        form(site, "fields", "invalidate", "<button class=\"danger\">Invalidate the session</button>"),
    )
}

/// A form that takes effect once, however often it is sent.
fn form(site: &ClusterappState, class: &str, command: &str, fields: &str) -> String {
    format!(
        "<form class=\"{class}\" method=\"post\" action=\"{base}/session\"><input type=\"hidden\" name=\"cmd\" \
         value=\"{command}\"><input type=\"hidden\" name=\"idempotency_key\" value=\"{key}\">{fields}</form>",
        base = Escaped(&site.base_path),
        key = idempotency_key(),
    )
}

/// The fields that remove the attribute `name`.
fn remove(name: &str) -> String {
    format!(
        "<input type=\"hidden\" name=\"name\" value=\"{}\"><button class=\"plain\">Remove</button>",
        Escaped(name)
    )
}

fn members(site: &ClusterappState, members: &[MemberView]) -> String {
    let mut rows = String::new();
    for member in members {
        let name = Escaped(&member.name);
        let state = &member.state;
        let own = if member.is_self { " (this node)" } else { "" };
        let _ = write!(rows, "<li><strong>{name}{own}</strong><span class=\"quiet\">{state}</span></li>");
    }
    let cluster = &site.cluster.config().cluster;
    format!(
        "<section><h2>Members</h2><ul>{rows}</ul><dl><dt>Cluster</dt><dd>{cluster}</dd><dt>Sessions here</dt>\
         <dd>{sessions}</dd><dt>Commits sent</dt><dd>{sends}</dd></dl></section>\n",
        cluster = Escaped(&cluster.name),
        sessions = site.view.session_count(),
        sends = site.view.statistics().sends(),
    )
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
