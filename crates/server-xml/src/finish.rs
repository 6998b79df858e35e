//! Rules over several lines: values that follow from them together, and values that must agree.

use crate::draft::{Application, Draft};
use crate::place::Place;
use crate::value::{milliseconds, quoted, time};

/// Names the cookie as Tomcat does where nothing is said.
const COOKIE: &str = "JSESSIONID";

/// Completes what the server.xml says.
pub(crate) fn node(draft: &mut Draft) {
    listens(draft);
    if draft.has_cluster {
        cluster(draft);
    } else {
        let why = "there is no Cluster: sessions stay on this node";
        draft.assume("cluster", "manager", quoted("local"), why);
    }
    draft.assume("node", "name", quoted("tc01"), "no jvmRoute: give each node a name of its own");
    times(draft);
    store(draft);
    farm(draft);
}

/// Completes what both files say.
pub(crate) fn session(draft: &mut Draft) {
    let why = "Tomcat's name: mod_jk and others that look for it stay as they are";
    draft.assume("session", "cookie", quoted(COOKIE), why);
    // An application that only its web.xml tells of.
    if draft.applications.is_empty() && draft.distributable.is_some() {
        draft.applications.push(Application { place: draft.source.clone(), ..Application::default() });
    }
}

fn listens(draft: &mut Draft) {
    if let Some(http) = draft.listens.http.take() {
        let (value, problem) = http.written("0.0.0.0", 8080);
        write(draft, "http", value, problem, http.place, &http.from);
    }
    if let Some(ajp) = draft.listens.ajp.take() {
        // Since 8.5.51 Tomcat takes loopback as well.
        let (value, problem) = ajp.written("127.0.0.1", 8009);
        write(draft, "ajp", value, problem, ajp.place, &ajp.from);
        let how = "make it with: sessile secret new ajp.secret; the web server needs the same";
        draft.assume("ajp", "secret_file", quoted("ajp.secret"), how);
    }
    if draft.has_cluster {
        let receiver = std::mem::take(&mut draft.listens.receiver);
        let (value, problem) = receiver.written("0.0.0.0", 4000);
        let is_every = value.starts_with("\"0.0.0.0");
        if draft.has_receiver {
            write(draft, "receiver", value, problem, receiver.place.clone(), &receiver.from);
        } else {
            draft.assume("receiver", "listen", value, "no Receiver: the port that Tomcat takes first");
        }
        if let Some(place) = receiver.place.filter(|_| is_every) {
            let why =
                "where the others do not see the address that this node has, add `advertise = \"HOST:PORT\"`";
            draft.note("receiver", &place, "Receiver address", why, false);
        }
    }
}

fn write(
    draft: &mut Draft,
    table: &'static str,
    value: String,
    problem: Option<String>,
    place: Option<Place>,
    from: &str,
) {
    let Some(place) = place else {
        return draft.assume(table, "listen", value, "the port that Tomcat has where nothing is said");
    };
    if let Some(problem) = problem {
        draft.note(table, &place, from, &problem, true);
    }
    let from = if from.is_empty() { "without a port" } else { from };
    draft.set(table, "listen", value, &place, from);
}

fn cluster(draft: &mut Draft) {
    let manager = if draft.is_tomcat_5 { "full" } else { "delta" };
    let why = if draft.is_tomcat_5 {
        "what Tomcat 5 has where nothing is said"
    } else {
        "DeltaManager is the default"
    };
    draft.assume("cluster", "manager", quoted(manager), why);
    if !draft.is_tomcat_5 {
        let why = "Tomcat's default; without this line responses wait for the copies";
        draft.assume("sender", "mode", quoted("async"), why);
    }
    let is_static = draft.value_mut("membership", "kind").is_some_and(|kind| kind.value == "\"static\"");
    let members: Vec<String> = draft.members.iter().map(|member| quoted(member)).collect();
    if is_static {
        let list = format!("[{}]", members.join(", "));
        draft.assume("membership", "members", list, "Member; one list for all nodes may name this one, too");
    } else {
        // Tomcat takes the interface of the system's choice.
        let why = "no bind address: better the address of the interface";
        draft.assume("membership", "bind", quoted("0.0.0.0"), why);
    }
}

/// A member is suspected before it is removed, and removed after four heartbeats at least.
fn times(draft: &mut Draft) {
    let of = |draft: &mut Draft, table, key, usual| {
        draft.value_mut(table, key).and_then(|value| milliseconds(&value.value)).unwrap_or(usual)
    };
    let frequency = of(draft, "membership", "frequency", 500);
    let drop_time = of(draft, "membership", "drop_time", 3_000);
    let least = 4 * frequency;
    if drop_time < least {
        draft.assume("membership", "drop_time", time(least), "four heartbeats at least");
        if let Some(value) = draft.value_mut("membership", "drop_time") {
            value.value = time(least);
            value.comment.push_str("; here at least four heartbeats");
        }
    }
    let drop_time = drop_time.max(least);
    if of(draft, "sender", "ack_timeout", 1_000) > drop_time {
        draft.assume("sender", "ack_timeout", time(drop_time), "at most `drop_time`");
        if let Some(value) = draft.value_mut("sender", "ack_timeout") {
            value.value = time(drop_time);
            value.comment.push_str("; here at most `drop_time`");
        }
    }
}

/// Saving when idle needs somewhere to save to.
fn store(draft: &mut Draft) {
    if !draft.has("store", "kind") {
        draft.values.retain(|value| value.table != "store");
        let idle = ["save", "backup_idle", "swap_idle"];
        draft.values.retain(|value| value.table != "session" || !idle.contains(&value.key));
    }
}

/// Keeps the folder of deployed applications apart from the watched folder.
fn farm(draft: &mut Draft) {
    let watched = draft.value_mut("farm", "watch_dir").map(|value| value.value.clone());
    let Some(watched) = watched else { return };
    let is_same = |value: &crate::draft::Value| {
        value.table == "farm" && value.key != "watch_dir" && value.value == watched
    };
    draft.values.retain(|value| !is_same(value));
}
