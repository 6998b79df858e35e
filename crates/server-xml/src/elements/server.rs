//! `Server`, `Service`, `Engine`, `Host`, `Connector`, and what is no part of a cluster.

use roxmltree::Node;

use super::{Element, Fate, lost, needless};
use crate::draft::Draft;
use crate::listen::Listen;
use crate::place::Place;
use crate::rule::{Given, Rule};
use crate::value::time;

const THREADS: &str = "connections do not occupy threads; there is one thread for each core";
const TLS: &str = "name its certificates in [http.tls], in PEM, or end TLS at the balancer, see docs/edge.md";
const PROXY: &str = "a node takes host and scheme from the request, and from `trusted_proxies` in [http]";
const JAVA: &str = "it concerns Java applications";

pub(super) const ELEMENTS: &[Element] = &[
    Element {
        tag: "Server",
        classes: &[],
        fate: Fate::Read,
        attributes: &[
            ("port", Rule::By(shutdown_port)),
            ("address", Rule::Needless("the admin port listens on loopback")),
            ("shutdown", Rule::Needless("`sessile stop` proves that it may, with a key from the secret")),
        ],
    },
    Element {
        tag: "Service",
        classes: &[],
        fate: Fate::ReadBy(service),
        attributes: &[("name", Rule::Silent)],
    },
    Element {
        tag: "Engine",
        classes: &[],
        fate: Fate::Read,
        attributes: &[
            ("name", Rule::Silent),
            ("defaultHost", Rule::Silent),
            ("jvmRoute", Rule::Name("node", "name")),
            ("backgroundProcessorDelay", Rule::Needless("expired sessions are looked for all the time")),
            ("*", Rule::Needless(JAVA)),
        ],
    },
    Element {
        tag: "Host",
        classes: &[],
        fate: Fate::ReadBy(host),
        attributes: &[
            ("name", Rule::Silent),
            (
                "appBase",
                Rule::Lost("WARs do not run here: write the applications anew, see docs/applications.md"),
            ),
            ("autoDeploy", Rule::Needless("archives in `watch_dir` of [farm] are deployed while nodes run")),
            ("unpackWARs", Rule::Needless("archives are unpacked within bounds, see [farm]")),
            ("*", Rule::Needless(JAVA)),
        ],
    },
    Element {
        tag: "Connector",
        classes: &["HTTP"],
        fate: Fate::ReadBy(http),
        attributes: &[
            ("port", Rule::By(|draft, given| port(draft, given, |draft| draft.listens.http.as_mut()))),
            ("address", Rule::By(|draft, given| address(draft, given, |draft| draft.listens.http.as_mut()))),
            ("protocol", Rule::Silent),
            (
                "redirectPort",
                Rule::Lost("`redirect` in [http.tls] sends every client to HTTPS, see docs/edge.md"),
            ),
            ("SSLEnabled", Rule::Silent),
            ("scheme", Rule::Silent),
            ("secure", Rule::By(secure)),
            ("proxyName", Rule::Needless(PROXY)),
            ("proxyPort", Rule::Needless(PROXY)),
            ("connectionTimeout", Rule::By(|draft, given| limit(draft, given, HEAD_TIMEOUT))),
            ("keepAliveTimeout", Rule::By(|draft, given| limit(draft, given, KEEP_ALIVE))),
            ("maxHttpHeaderSize", Rule::By(|draft, given| limit(draft, given, HEAD_SIZE))),
            ("maxHttpRequestHeaderSize", Rule::By(|draft, given| limit(draft, given, HEAD_SIZE))),
            ("maxHeaderCount", Rule::By(|draft, given| limit(draft, given, HEADERS))),
            ("maxThreads", Rule::Needless(THREADS)),
            ("minSpareThreads", Rule::Needless(THREADS)),
            ("maxSpareThreads", Rule::Needless(THREADS)),
            ("acceptCount", Rule::Needless("1024 connections wait in the system's queue")),
            ("maxConnections", Rule::By(|draft, given| limit(draft, given, CONNECTIONS))),
            ("executor", Rule::Needless(THREADS)),
            ("enableLookups", Rule::Needless("clients' names are not looked up")),
            ("URIEncoding", Rule::Needless("paths are UTF-8")),
            ("useBodyEncodingForURI", Rule::Needless("paths are UTF-8")),
            ("disableUploadTimeout", Rule::Needless(THREADS)),
            ("compression", Rule::Lost("responses are not compressed: let the balancer do that")),
            ("server", Rule::Needless("responses do not tell what server made them")),
            ("*", Rule::Lost("a setting of the Java connector")),
        ],
    },
    Element {
        tag: "Connector",
        classes: &["AJP"],
        fate: Fate::ReadBy(ajp),
        attributes: &[
            ("port", Rule::By(|draft, given| port(draft, given, |draft| draft.listens.ajp.as_mut()))),
            ("address", Rule::By(|draft, given| address(draft, given, |draft| draft.listens.ajp.as_mut()))),
            ("protocol", Rule::Silent),
            ("protocolHandlerClassName", Rule::Silent),
            ("redirectPort", Rule::Needless("the web server says whether a client came by TLS")),
            ("secret", Rule::By(secret)),
            ("requiredSecret", Rule::By(secret)),
            ("secretRequired", Rule::By(secret_required)),
            ("packetSize", Rule::By(packet_size)),
            (
                "allowedRequestAttributesPattern",
                Rule::Lost("only the attributes of web servers are accepted"),
            ),
            (
                "tomcatAuthentication",
                Rule::Needless("the web server's user is told, and nothing believes it"),
            ),
            ("maxThreads", Rule::Needless(THREADS)),
            ("executor", Rule::Needless(THREADS)),
            ("enableLookups", Rule::Needless("clients' names are not looked up")),
            ("URIEncoding", Rule::Needless("paths are UTF-8")),
            ("connectionTimeout", Rule::Needless("idle connections are closed after an hour")),
            ("keepAliveTimeout", Rule::Needless("idle connections are closed after an hour")),
            ("scheme", Rule::Needless("the web server says whether a client came by TLS")),
            ("secure", Rule::Needless("the web server says whether a client came by TLS")),
            ("proxyName", Rule::Needless("the web server tells the host")),
            ("proxyPort", Rule::Needless("the web server tells the host")),
            ("*", Rule::Lost("a setting of the Java connector")),
        ],
    },
    lost("Connector", &["HTTPS"], TLS),
    lost("Alias", &[], "every host name is served alike: let the balancer tell them apart"),
    needless("Executor", &[], THREADS),
    needless("Listener", &[], JAVA),
    needless("GlobalNamingResources", &[], "resources of Java applications"),
    needless("Resource", &[], "resources of Java applications"),
    needless("ResourceParams", &[], "resources of Java applications"),
    needless("ResourceLink", &[], "resources of Java applications"),
    needless("Resources", &[], "resources of Java applications"),
    needless("Environment", &[], "resources of Java applications"),
    needless("Parameter", &[], "resources of Java applications"),
    needless("Loader", &[], JAVA),
    needless("JarScanner", &[], JAVA),
    needless("Logger", &[], "the log goes to standard error: `--log`, `--log-format`"),
    lost("Realm", &[], "who may use an application is its own matter; a session knows its `principal`"),
    Element {
        tag: "Valve",
        classes: &["ReplicationValve"],
        fate: Fate::Read,
        attributes: &[
            ("filter", Rule::Text("replication", "filter")),
            ("primaryIndicator", Rule::Lost("an application asks `session.is_owner()`")),
            ("primaryIndicatorName", Rule::Lost("an application asks `session.is_owner()`")),
            ("statistics", Rule::Needless("`/metrics` of the admin port always counts")),
        ],
    },
    Element {
        tag: "Valve",
        classes: &["JvmRouteBinderValve"],
        fate: Fate::Read,
        attributes: &[
            ("enabled", Rule::Flag("node", "rewrite_route")),
            ("sessionIdAttribute", Rule::Needless("a session keeps its key when its node changes")),
            ("sessionIdAttributeName", Rule::Needless("a session keeps its key when its node changes")),
        ],
    },
    lost(
        "Valve",
        &["AccessLogValve", "FastCommonAccessLogValve", "ExtendedAccessLogValve", "JsonAccessLogValve"],
        "a node writes no access log: let the balancer write it",
    ),
    lost("Valve", &["RemoteIpValve"], "write the proxies' networks into `trusted_proxies` in [http]"),
    lost(
        "Valve",
        &["SingleSignOn", "ClusterSingleSignOn"],
        "applications with one `session_path` share their sessions, see docs/sessions.md",
    ),
    lost(
        "Valve",
        &["RemoteAddrValve", "RemoteHostValve", "RemoteCIDRValve"],
        "who may connect is the balancer's or the firewall's matter",
    ),
    needless("Valve", &["ErrorReportValve"], "errors tell nothing of the inside"),
    needless("Valve", &["PersistentValve"], "every request sees the newest session, see docs/persistence.md"),
    needless("Valve", &["HealthCheckValve"], "`health_path` in [http] is always there"),
    needless("Valve", &["LoadBalancerDrainingValve"], "`sessile drain`, see docs/operations.md"),
    lost("Valve", &[], "a valve is Java code"),
];

/// A key of `[http.limits]`: its bounds, and how its values are written.
struct Limit {
    key: &'static str,
    least: u64,
    most: u64,
    write: fn(u64) -> String,
}

const HEAD_TIMEOUT: Limit = Limit { key: "head_timeout", least: 10, most: 86_400_000, write: time };
const KEEP_ALIVE: Limit = Limit { key: "keep_alive", ..HEAD_TIMEOUT };
const HEAD_SIZE: Limit = Limit { key: "head_size", least: 8 << 10, most: 1 << 20, write: size };
const HEADERS: Limit = Limit { key: "headers", least: 10, most: 10_000, write: number };
const CONNECTIONS: Limit = Limit { key: "connections", least: 1, most: 1_000_000, write: number };

fn size(bytes: u64) -> String {
    format!("\"{bytes}B\"")
}

fn number(number: u64) -> String {
    number.to_string()
}

/// The protocol of a connector.
pub(super) fn kind_of_connector(node: Node<'_, '_>) -> &'static str {
    let has = |name, word: &str| node.attribute(name).is_some_and(|value| value.contains(word));
    if has("protocol", "AJP") || has("protocol", "ajp") || has("protocolHandlerClassName", "jk.server") {
        return "AJP";
    }
    let has_certificate = ["keystoreFile", "certificateKeystoreFile", "SSLCertificateFile", "sslProtocol"]
        .iter()
        .any(|name| node.has_attribute(*name));
    let has_hosts = node.children().any(|child| child.has_tag_name("SSLHostConfig"));
    if node.attribute("SSLEnabled") == Some("true") || has_certificate || has_hosts {
        "HTTPS"
    } else {
        "HTTP"
    }
}

/// The port that stops a Tomcat becomes the admin port.
fn shutdown_port(draft: &mut Draft, given: &Given<'_>) {
    match given.number::<i64>(draft) {
        Some(port @ 1..=65_535) => {
            draft.set("admin", "listen", format!("\"127.0.0.1:{port}\""), &given.place, "Server port");
        }
        Some(_) => {
            let why = "no admin port: `sessile stop`, `status` and others need one, such as `listen = 9005`";
            draft.note("admin", &given.place, &given.what(), why, true);
        }
        None => {}
    }
}

/// The first service is the node.
fn service(draft: &mut Draft, node: Node<'_, '_>, place: &Place) -> bool {
    let is_first = node.prev_siblings().skip(1).all(|before| !before.has_tag_name("Service"));
    if !is_first {
        draft.note(
            "",
            place,
            "Service",
            "a second service is a second node: give it a file of its own",
            true,
        );
    }
    is_first
}

fn host(draft: &mut Draft, node: Node<'_, '_>, place: &Place) -> bool {
    let is_first = node.prev_siblings().skip(1).all(|before| !before.has_tag_name("Host"));
    if !is_first {
        let what = format!("Host name=\"{}\"", node.attribute("name").unwrap_or_default());
        let why = "every host name is served alike: its applications are read, its name is not";
        draft.note("app", place, &what, why, true);
    }
    true
}

fn http(draft: &mut Draft, node: Node<'_, '_>, place: &Place) -> bool {
    let is_first = draft.listens.http.is_none();
    if is_first {
        draft.listens.http = Some(Listen::default());
    } else {
        let what = format!("Connector port=\"{}\"", node.attribute("port").unwrap_or_default());
        draft.note("http", place, &what, "a node has one HTTP port", true);
    }
    is_first
}

fn ajp(draft: &mut Draft, node: Node<'_, '_>, place: &Place) -> bool {
    let is_first = draft.listens.ajp.is_none();
    if is_first {
        draft.listens.ajp = Some(Listen { place: Some(place.clone()), ..Listen::default() });
    } else {
        let what = format!("Connector port=\"{}\" (AJP)", node.attribute("port").unwrap_or_default());
        draft.note("ajp", place, &what, "a node has one AJP port", true);
    }
    is_first
}

fn port(draft: &mut Draft, given: &Given<'_>, of: fn(&mut Draft) -> Option<&mut Listen>) {
    let Some(number) = given.number::<u16>(draft) else { return };
    if let Some(listen) = of(draft) {
        listen.port = Some(number);
        listen.place = Some(given.place.clone());
        listen.from = "Connector port".to_owned();
    }
}

fn address(draft: &mut Draft, given: &Given<'_>, of: fn(&mut Draft) -> Option<&mut Listen>) {
    if let Some(listen) = of(draft) {
        listen.address = Some(given.value.to_owned());
    }
}

/// A limit of the connector. For Tomcat a number below 0 is no limit: here that is the largest one.
fn limit(draft: &mut Draft, given: &Given<'_>, limit: Limit) {
    let Some(wanted) = given.number::<i64>(draft) else { return };
    let Limit { key, least, most, write } = limit;
    let value = u64::try_from(wanted).unwrap_or(most).clamp(least, most);
    if i64::try_from(value) != Ok(wanted) {
        let why = format!("{} to {} are possible here", write(least), write(most)).replace('"', "");
        draft.note("http.limits", &given.place, &given.what(), &why, true);
    }
    draft.set("http.limits", key, write(value), &given.place, &format!("Connector {}", given.name));
}

/// A plain connector that is called secure has a TLS proxy in front.
fn secure(draft: &mut Draft, given: &Given<'_>) {
    if given.value == "true" {
        draft.set("session", "secure", "true".to_owned(), &given.place, "Connector secure");
    }
}

fn secret(draft: &mut Draft, given: &Given<'_>) {
    let why = "write the secret into the file ajp.secret (mode 0600); it has at least 16 characters";
    draft.note("ajp", &given.place, &given.what(), why, true);
}

fn secret_required(draft: &mut Draft, given: &Given<'_>) {
    if given.value == "false" {
        let why = "the AJP port is never open without a secret: give it to the web server as well";
        draft.note("ajp", &given.place, &given.what(), why, true);
    }
}

fn packet_size(draft: &mut Draft, given: &Given<'_>) {
    let Some(bytes) = given.number::<u64>(draft) else { return };
    let within = bytes.clamp(8_192, 65_536);
    if within != bytes {
        let why = "8192 to 65536 bytes are possible: change max_packet_size of the web server as well";
        draft.note("ajp", &given.place, &given.what(), why, true);
    }
    draft.set("ajp", "packet_size", size(within), &given.place, "Connector packetSize");
}
