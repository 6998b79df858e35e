//! `Context`, `Store`, `CookieProcessor`: applications and their sessions.

use roxmltree::Node;

use super::{Element, Fate, lost, needless};
use crate::draft::{Application, Draft};
use crate::elements::class;
use crate::place::Place;
use crate::rule::{Given, Rule};
use crate::value::quoted;

const JAVA: &str = "it concerns Java applications";
const URL_FILE: &str = "user and password are a part of the URL in the file store.url";

pub(super) const ELEMENTS: &[Element] = &[
    Element {
        tag: "Context",
        classes: &[],
        fate: Fate::ReadBy(context),
        attributes: &[
            ("path", Rule::Silent),
            ("docBase", Rule::Silent),
            ("sessionCookieName", Rule::Text("session", "cookie")),
            ("sessionCookiePath", Rule::Silent),
            ("sessionCookieDomain", Rule::Lost("the cookie belongs to the host that set it")),
            ("sessionCookiePathUsesTrailingSlash", Rule::Needless("cookie paths have no slash at their end")),
            ("useHttpOnly", Rule::By(http_only)),
            ("usePartitioned", Rule::Lost("the cookie is not partitioned")),
            ("cookies", Rule::By(cookies)),
            ("crossContext", Rule::Lost("applications with one `session_path` share their sessions")),
            ("distributable", Rule::Needless("`distributable` in [[app]] is true if nothing is said")),
            ("reloadable", Rule::Needless("an archive that is replaced is deployed anew, see docs/farm.md")),
            ("*", Rule::Needless(JAVA)),
        ],
    },
    Element {
        tag: "CookieProcessor",
        classes: &[],
        fate: Fate::Read,
        attributes: &[
            ("sameSiteCookies", Rule::By(same_site)),
            ("partitioned", Rule::Lost("the cookie is not partitioned")),
            ("*", Rule::Needless(JAVA)),
        ],
    },
    needless("WatchedResource", &[], "an archive that is replaced is deployed anew, see docs/farm.md"),
    needless("SessionIdGenerator", &[], "ids are 256 bits from the system's random numbers"),
    needless("CredentialHandler", &[], JAVA),
    needless("Encoder", &[], JAVA),
    Element {
        tag: "Store",
        classes: &["FileStore", "JDBCStore", "DataSourceStore"],
        fate: Fate::ReadBy(store),
        attributes: &[
            ("directory", Rule::Text("store", "path")),
            ("connectionURL", Rule::By(url)),
            ("driverName", Rule::Needless("the `kind` of [store] says which database it is")),
            ("connectionName", Rule::Lost(URL_FILE)),
            ("connectionPassword", Rule::Lost(URL_FILE)),
            ("dataSourceName", Rule::Lost(URL_FILE)),
            ("localDataSource", Rule::Needless(JAVA)),
            ("sessionTable", Rule::Text("store", "table")),
            ("sessionIdCol", Rule::By(|draft, given| column(draft, given, "key"))),
            ("sessionDataCol", Rule::By(|draft, given| column(draft, given, "content"))),
            ("sessionAppCol", Rule::By(|draft, given| column(draft, given, "app"))),
            ("sessionLastAccessedCol", Rule::By(|draft, given| column(draft, given, "saved_at"))),
            ("sessionMaxInactiveCol", Rule::By(|draft, given| column(draft, given, "idle_left"))),
            ("sessionValidCol", Rule::By(|draft, given| column(draft, given, "ended"))),
            ("checkInterval", Rule::Needless("the store is cleaned once an hour")),
            ("*", Rule::Needless(JAVA)),
        ],
    },
    lost("Store", &[], "a store of one's own is Java code: see docs/extending.md"),
];

fn context(draft: &mut Draft, node: Node<'_, '_>, place: &Place) -> bool {
    let own = |name| node.attribute(name).map(str::to_owned);
    draft.applications.push(Application {
        place: draft.at(place),
        path: own("path"),
        doc_base: own("docBase"),
        cookie_path: own("sessionCookiePath"),
    });
    true
}

fn http_only(draft: &mut Draft, given: &Given<'_>) {
    if given.value == "false" {
        draft.note("session", &given.place, &given.what(), "no script can read the cookie, always", true);
    }
}

fn cookies(draft: &mut Draft, given: &Given<'_>) {
    if given.value == "false" {
        draft.note("session", &given.place, &given.what(), "ids are in cookies only, never in a URL", true);
    }
}

fn same_site(draft: &mut Draft, given: &Given<'_>) {
    let word = match given.value.to_ascii_lowercase().as_str() {
        "strict" => "Strict",
        "lax" => "Lax",
        "none" => "None",
        _ => {
            let why = "the cookie always says it: `same_site` is \"Lax\" where nothing is said";
            draft.note("session", &given.place, &given.what(), why, false);
            return;
        }
    };
    draft.set("session", "same_site", quoted(word), &given.place, "CookieProcessor sameSiteCookies");
}

fn store(draft: &mut Draft, node: Node<'_, '_>, place: &Place) -> bool {
    if class(node) == "FileStore" {
        draft.set("store", "kind", quoted("file"), place, "FileStore");
    } else {
        draft.set("store", "kind", quoted("postgres"), place, class(node));
        let why = "write postgres://USER:PASSWORD@HOST/DATABASE into the file store.url (mode 0600), and give it another \
                   `table`: the rows of this one are Java objects";
        draft.note("store", place, class(node), why, true);
        draft.assume("store", "url_file", quoted("store.url"), "the URL of the database, with its password");
    }
    true
}

/// The URL may hold a password, and is not repeated.
fn url(draft: &mut Draft, given: &Given<'_>) {
    if !given.value.starts_with("jdbc:postgresql:") {
        let database = given.value.split(':').nth(1).unwrap_or_default();
        let what = format!("Store connectionURL=\"jdbc:{database}:…\"");
        let why =
            "sessions are stored in files, redb, PostgreSQL or Valkey and Redis: see docs/persistence.md";
        draft.note("store", &given.place, &what, why, true);
    }
}

fn column(draft: &mut Draft, given: &Given<'_>, usual: &str) {
    let written = quoted(&format!("{usual} = {}", given.value));
    match draft.value_mut("store", "columns") {
        Some(columns) => columns.value = format!("{}, {written}]", columns.value.trim_end_matches(']')),
        None => draft.set("store", "columns", format!("[{written}]"), &given.place, "Store columns"),
    }
}
