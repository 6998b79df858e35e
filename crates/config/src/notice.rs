//! The settings that must be equal on all members, as one node tells them to another: a line each, bounded.

mod digest;

use std::collections::BTreeMap;

use super::Config;
use super::catalog::{self, TableEntry};
use super::host_port::HostPort;
use super::table::{App, Membership, MembershipKind};

/// The keys that decide together what the cluster does. Of `[session]`, every key does.
const EQUAL: &[(&str, &str)] = &[
    ("cluster", "manager"),
    ("cluster", "copies"),
    ("cluster", "strict"),
    ("membership", "frequency"),
    ("membership", "drop_time"),
    ("replication", "filter"),
    ("replication", "dirty_flag"),
    ("replication", "names"),
];
/// Between a key and its value.
const BETWEEN: &str = ": ";
/// Lines that do not fit are replaced by this key, with a hash of all of them.
const REST: &str = "further settings";
/// The list of members, which may differ between nodes.
const MEMBERS: &str = "[membership] members";

impl Config {
    /// The settings sent to other members, in at most `max_bytes`, of which there are hundreds.
    #[must_use]
    pub fn notice(&self, max_bytes: usize) -> String {
        let mut lines = Vec::new();
        for table in catalog::tables_of(self) {
            let tells = |key: &str| table.name == "session" || EQUAL.contains(&(table.name, key));
            let values = values(&table).into_iter().filter(|(key, _)| tells(key));
            lines.extend(values.map(|(key, value)| format!("[{}] {key}{BETWEEN}{value}", table.name)));
        }
        // That there is one, and nothing that follows from it.
        let keyed = self.farm.deploy_key_file.as_ref();
        lines.extend(keyed.map(|_| format!("[farm] deploy_key_file{BETWEEN}is set")));
        lines.extend(self.apps.iter().map(|app| announced_of(app, self)));
        let mut notice = fitting(&lines, max_bytes);
        notice.push_str(&members_line(&self.membership, max_bytes - notice.len()));
        notice
    }
}

/// The static list of members, if there is one and it fits.
fn members_line(membership: &Membership, room: usize) -> String {
    let members: Vec<String> = membership.members.iter().map(ToString::to_string).collect();
    let line = format!("{MEMBERS}{BETWEEN}{}\n", members.join(" "));
    if membership.kind == MembershipKind::Static && line.len() <= room { line } else { String::new() }
}

/// The static list of members that a notice tells of.
#[must_use]
pub fn listed_members(notice: &str) -> Option<Vec<HostPort>> {
    let members = notice.lines().find_map(|line| line.strip_prefix(MEMBERS)?.strip_prefix(BETWEEN))?;
    Some(members.split(' ').filter_map(|member| member.parse().ok()).collect())
}

/// Keys of an application that may differ between nodes.
const OWN_OF_NODE: [&str; 4] = ["path", "file", "directory", "diagnostics"];

/// One line for an application: all keys that differ from `[session]`.
fn announced_of(app: &App, config: &Config) -> String {
    let shared = App { path: String::new(), ..App::with_session(config.session.clone()) };
    let shared = values(&catalog::app_of(&shared));
    let own = values(&catalog::app_of(app)).into_iter().filter(|value| {
        value.0 == "distributable" || (!OWN_OF_NODE.contains(&value.0) && !shared.contains(value))
    });
    let own: Vec<String> = own.map(|(key, value)| format!("{key} = {value}")).collect();
    let digest = digest::of_app(app).map(|digest| format!(", content {digest}")).unwrap_or_default();
    format!("[[app]] {}{BETWEEN}{}{digest}", app.path, own.join(", "))
}

fn values(table: &TableEntry) -> Vec<(&'static str, String)> {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "not set".to_owned());
    table.keys.iter().map(|key| (key.name, value(&key.default))).collect()
}

/// The lines that fit, and a hash of the others.
fn fitting(lines: &[String], max_bytes: usize) -> String {
    let mut text = String::new();
    let room = max_bytes.saturating_sub(REST.len() + BETWEEN.len() + 20);
    for (index, line) in lines.iter().enumerate() {
        if text.len() + line.len() + 1 > room {
            let rest = blake3::hash(lines[index..].join("\n").as_bytes()).to_hex();
            text.push_str(&format!("{REST}{BETWEEN}{}\n", &rest[..8]));
            break;
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// The content of a notice, by key.
#[must_use]
pub fn notice_lines(notice: &str) -> BTreeMap<&str, &str> {
    let lines = notice.lines().filter_map(|line| line.split_once(BETWEEN));
    lines.filter(|(key, _)| *key != MEMBERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_BYTES: usize = 1400;

    #[test]
    fn of_the_deploy_key_it_tells_that_there_is_one() {
        let mut config = Config::default();
        let without = config.notice(MAX_BYTES);
        config.farm.deploy_key_file = Some("secret/deploy.key".into());
        let with = config.notice(MAX_BYTES);
        assert_eq!(with.replace("[farm] deploy_key_file: is set\n", ""), without);
        assert_eq!(notice_lines(&with)["[farm] deploy_key_file"], "is set");
    }

    #[test]
    fn a_large_notice_fits_and_no_difference_is_lost() {
        let mut config = Config::default();
        for number in 0..256 {
            let path = format!("/{}{number}", "a".repeat(300));
            config.apps.push(App { path, ..App::with_session(config.session.clone()) });
        }
        let mut other = config.clone();
        other.apps[255].distributable = false;
        assert!(config.notice(MAX_BYTES).len() <= MAX_BYTES);
        assert_ne!(config.notice(MAX_BYTES), other.notice(MAX_BYTES));
        assert!(notice_lines(&config.notice(MAX_BYTES)).contains_key(REST));
    }
}
