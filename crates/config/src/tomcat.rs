//! The attributes of Tomcat's `server.xml` that people know by heart, and what stands for each of them here.

/// Attributes in lower case, and what stands in their place. `compress`, `filter` and others that are keys
/// here as well are left out: where they are wrong, the table that has them is named.
const ATTRIBUTES: &[(&str, &str)] = &[
    ("mcastaddr", "`address` in [membership]"),
    ("mcastport", "`port` in [membership]"),
    ("mcastbindaddress", "`bind` in [membership]"),
    ("mcastbindaddr", "`bind` in [membership]"),
    ("mcastttl", "`ttl` in [membership]"),
    ("mcastfrequency", "`frequency` in [membership], with a unit: \"500ms\""),
    ("mcastdroptime", "`drop_time` in [membership], with a unit: \"3s\""),
    ("mcastsotimeout", NOTHING),
    ("mcastclusterdomain", "`name` in [cluster]: nodes of another name are strangers"),
    ("domain", "`name` in [cluster]: nodes of another name are strangers"),
    ("sotimeout", NOTHING),
    ("recoverycounter", "nothing; multicast that fails is opened anew by itself"),
    ("recoverysleeptime", "nothing; multicast that fails is opened anew by itself"),
    ("recoveryenabled", "nothing; multicast that fails is opened anew by itself"),
    ("localloopbackdisabled", "nothing; a node knows its own announcements"),
    ("tcplistenaddress", "`listen` in [receiver], as \"IP:PORT\""),
    ("tcplistenport", "`listen` in [receiver], as \"IP:PORT\""),
    ("autobind", "`next_free_port` in [receiver]"),
    ("tcpselectortimeout", "nothing; connections are woken, not polled"),
    ("selectortimeout", "nothing; connections are woken, not polled"),
    ("tcpthreadcount", "`workers` in [receiver], where this version has it"),
    ("maxthreads", "`workers` in [receiver], where this version has it"),
    ("minthreads", "`workers` in [receiver], where this version has it"),
    ("rxbufsize", NOTHING),
    ("txbufsize", NOTHING),
    ("sendackenabled", "`mode` in [sender]: every mode but async waits for what members confirm"),
    ("waitforack", "`mode` in [sender]: every mode but async waits for what members confirm"),
    ("replicationmode", "`mode` in [sender]"),
    ("acktimeout", "`ack_timeout` in [sender], with a unit: \"1s\""),
    ("keepalivetimeout", "nothing; a link stays open while its member is there"),
    ("keepalivemaxrequestcount", "nothing; a link stays open while its member is there"),
    ("poolsize", "`pool_size` in [sender]"),
    ("maxpoolsocketlimit", "`pool_size` in [sender]"),
    ("maxqueuelength", "`queue_bytes` in [sender]"),
    ("managerclassname", "`manager` in [cluster]"),
    (
        "classname",
        "`manager` in [cluster], `kind` in [membership] or `mode` in [sender], by what the class was for",
    ),
    ("channelsendoptions", "`mode` in [sender]"),
    ("channelstartoptions", NOTHING),
    ("clustername", "`name` in [cluster]"),
    ("protocolstack", NOTHING),
    ("servicename", "`name` in [node]"),
    ("jvmroute", "`name` in [node]: it is the route in the cookie"),
    ("usedirtyflag", "`dirty_flag` in [replication]"),
    ("primaryindicator", "nothing; an application asks the library"),
    ("primaryindicatorname", "nothing; an application asks the library"),
    ("sessionidattribute", "nothing; the session keeps its key when the node changes"),
    ("enabled", "`rewrite_route` in [node]"),
    ("sessionattributenamefilter", "`names` in [replication], where this version has it"),
    ("sessionattributevalueclassnamefilter", NOTHING),
    ("expiresessionsonshutdown", "`expire_on_stop` in [session]"),
    (
        "notifylistenersonreplication",
        "nothing; `Cluster::events` tells what happens on every node, marked as remote",
    ),
    (
        "notifysessionlistenersonreplication",
        "nothing; `Cluster::events` tells what happens on every node, marked as remote",
    ),
    (
        "notifycontainerlistenersonreplication",
        "nothing; `Cluster::events` tells what happens on every node, marked as remote",
    ),
    ("notifylifecyclelistenerofreplication", NOTHING),
    ("statetransfertimeout", "`state_transfer_timeout` in [cluster]: \"60s\", or \"never\" for -1"),
    ("sendallsessions", "nothing; sessions are always sent in blocks"),
    ("sendallsessionssize", "nothing; sessions are always sent in blocks"),
    ("sendallsessionswaittime", "nothing; sessions are always sent in blocks"),
    ("statetimestampdrop", "nothing; what a transfer meets is merged by its stamps"),
    ("maxactivesessions", "`max_active` in [session]"),
    ("maxinactiveinterval", "`timeout` in [session], with a unit: \"30m\""),
    ("sessiontimeout", "`timeout` in [session], with a unit: \"30m\""),
    ("sessioncookiepath", "`session_path` in [[app]]"),
    ("sessioncookiename", "`cookie` in [session]"),
    ("processexpiresfrequency", "nothing; idle sessions end within one scan"),
    ("saveonrestart", "`kind` in [store]: a graceful stop saves every session, and a start brings them back"),
    ("maxidlebackup", "`backup_idle` in [session] with `save = \"idle\"`, with a unit: \"30s\""),
    (
        "maxidleswap",
        "`swap_idle` in [session] and, to swap out above a number of sessions, `swap_above` in [store]",
    ),
    (
        "minidleswap",
        "nothing; above `swap_above` in [store] the least recently used leave memory, and none that a request has open",
    ),
    (
        "maxactive",
        "`max_active` in [session], which counts what is in memory; swapping out begins at `swap_above`",
    ),
    ("checkinterval", "nothing; the store is cleaned once an hour"),
    ("sessiontable", "`table` in [store]"),
    ("connectionurl", "`url` in [store], or `url_file` if there is a password in it"),
    ("connectionname", "`url_file` in [store]: user and password are a part of the URL"),
    ("connectionpassword", "`url_file` in [store]: user and password are a part of the URL"),
    ("sessionidcol", "`columns` in [store], as \"key = NAME\""),
    ("sessiondatacol", "`columns` in [store], as \"content = NAME\""),
    ("sessionappcol", "`columns` in [store], as \"app = NAME\""),
    ("sessionlastaccessedcol", "`columns` in [store], as \"saved_at = NAME\""),
    ("sessionmaxinactivecol", "`columns` in [store], as \"idle_left = NAME\""),
    ("sessionvalidcol", "`columns` in [store], as \"ended = NAME\""),
    ("watchdir", "`watch_dir` in [farm]"),
    ("deploydir", "`deploy_dir` in [farm]"),
    ("tempdir", "`temp_dir` in [farm]"),
    ("watchenabled", "`watch` in [farm]"),
    ("maxvalidtime", "`deploy_time` in [farm], with a unit: \"5m\""),
    ("processdeployfrequency", "`interval` in [farm], with a unit: \"2s\""),
    ("printtoscreen", "the option `--log debug` of `sessile serve`"),
    ("debug", "the option `--log debug` of `sessile serve`"),
    ("doclusterlog", "the option `--log debug` of `sessile serve`"),
    ("dotransmitterprocessingstats", "nothing; `/metrics` of the admin port always counts"),
    ("doreceivedprocessingstats", "nothing; `/metrics` of the admin port always counts"),
    ("doprocessingstats", "nothing; `/metrics` of the admin port always counts"),
    ("statistics", "nothing; `/metrics` of the admin port always counts"),
    ("docbase", "`file` in [[app]]"),
    ("requiredsecret", "`secret_file` in [ajp]"),
    ("secret", "`secret_file` in [ajp]"),
    ("packetsize", "`packet_size` in [ajp]"),
    ("secretrequired", "`secret_file` in [ajp]: the AJP port is never open without one"),
    ("tomcatauthentication", "nothing; the user that the web server names is not believed"),
];

const NOTHING: &str = "nothing; what it set needs no setting here";

/// The replacement of Tomcat's attribute `name`; `None` for other words.
pub(super) fn remedy(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    ATTRIBUTES.iter().find(|(attribute, _)| *attribute == name).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::ATTRIBUTES;
    use crate::catalog;

    #[test]
    fn attributes_are_in_lower_case_and_each_is_there_once() {
        for (index, (attribute, _)) in ATTRIBUTES.iter().enumerate() {
            assert_eq!(*attribute, attribute.to_ascii_lowercase());
            assert!(ATTRIBUTES[..index].iter().all(|(before, _)| before != attribute), "{attribute} twice");
        }
    }

    #[test]
    fn every_key_that_a_remedy_names_is_one() {
        let tables: Vec<_> = catalog::tables().into_iter().chain([catalog::app()]).collect();
        for (attribute, remedy) in
            ATTRIBUTES.iter().filter(|(_, remedy)| !remedy.contains("where this version"))
        {
            for (key, rest) in remedy.match_indices("` in [").map(|(at, _)| remedy.split_at(at)) {
                let key = key.rsplit('`').next().unwrap();
                let table =
                    rest.trim_start_matches("` in [").trim_start_matches('[').split(']').next().unwrap();
                let is_one = |entry: &catalog::TableEntry| {
                    entry.name == table && entry.keys.iter().any(|known| known.name == key)
                };
                assert!(tables.iter().any(is_one), "{attribute}: there is no `{key}` in [{table}]");
            }
        }
    }
}
