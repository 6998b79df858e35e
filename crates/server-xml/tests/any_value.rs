//! Whatever stands in the attributes: no panic, and what is written is TOML in which nothing but the keys of
//! the tables is set.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use proptest::prelude::*;
use sessile_server_xml::{Source, import};

/// One of each kind of element, with `{}` where a value is tried.
const TEMPLATE: &str = r#"<Server port="{}"><Service name="{}"><Connector port="{}" address="{}" scheme="{}"/>
<Connector port="{}" protocol="AJP/1.3" secret="{}" packetSize="{}" address="{}"/><Engine jvmRoute="{}">
<Cluster className="a.catalina.ha.SimpleTcpCluster" channelSendOptions="{}" clusterName="{}" useDirtyFlag="{}">
<Manager className="{}" stateTransferTimeout="{}" sessionAttributeNameFilter="{}" maxActiveSessions="{}"/>
<Channel><Membership className="McastService" address="{}" bind="{}" dropTime="{}" frequency="{}" domain="{}"/>
<Receiver address="{}" port="{}" autoBind="{}" maxThreads="{}"/><Sender replicationMode="{}" ackTimeout="{}"/>
<Interceptor className="StaticMembershipInterceptor"><Member host="{}" port="{}"/></Interceptor></Channel>
<Valve className="ReplicationValve" filter="{}"/><Valve className="{}" x="{}"/>
<Deployer watchDir="{}" deployDir="{}" tempDir="{}"/></Cluster>
<Host name="{}" appBase="{}"><Context path="{}" docBase="{}" sessionCookieName="{}" sessionCookiePath="{}">
<Manager className="PersistentManager" maxIdleSwap="{}"><Store className="JDBCStore" connectionURL="{}"
sessionTable="{}" sessionIdCol="{}"/></Manager></Context></Host></Engine></Service></Server>"#;

fn escaped(value: &str) -> String {
    value
        .chars()
        .filter(|character| !character.is_control() || "\n\t\r".contains(*character))
        .filter(|character| !('\u{FFFE}'..='\u{FFFF}').contains(character))
        .map(|character| match character {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\n' | '\r' | '\t' => format!("&#{};", u32::from(character)),
            other => other.to_string(),
        })
        .collect()
}

fn values() -> impl Strategy<Value = Vec<String>> {
    let value = prop_oneof![
        any::<String>(),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u16>().prop_map(|port| port.to_string()),
        Just("true".to_owned()),
        Just("10.0.0.5".to_owned()),
        Just("a\n[node]\nname = \"evil\"\n".to_owned()),
        Just("\"'\n# \\".to_owned()),
        Just("6".to_owned()),
    ];
    proptest::collection::vec(value, TEMPLATE.matches("{}").count())
}

proptest! {
    #[test]
    fn what_is_written_is_toml_with_one_of_each_table(values in values()) {
        let mut text = TEMPLATE.to_owned();
        for value in &values {
            // A value that holds the mark itself is not filled a second time.
            text = text.replacen("{}", &escaped(value).replace("{}", "()"), 1);
        }
        let source = Source { name: "server.xml", text: &text };
        match import(source, None) {
            Ok(imported) => {
                let table: Result<toml::Table, _> = imported.toml.parse();
                prop_assert!(table.is_ok(), "{:?}\n{}", table, imported.toml);
            }
            Err(wrong) => prop_assert!(wrong.iter().all(|wrong| text.get(wrong.span.clone()).is_some())),
        }
    }

    #[test]
    fn any_text_is_read_or_refused_with_a_place(text in any::<String>()) {
        let source = Source { name: "server.xml", text: &text };
        let wrapped = format!("<Server>{text}</Server>");
        for text in [source, Source { name: "server.xml", text: &wrapped }] {
            if let Err(wrong) = import(text, Some(text)) {
                prop_assert!(wrong.iter().all(|wrong| text.text.get(wrong.span.clone()).is_some()));
            }
        }
    }
}

/// With every value good, so that the way to the writing is tried as well.
#[test]
fn texts_that_try_to_be_lines_of_their_own_stay_values() {
    let evil = escaped("x\n[node]\nname = \"evil\"");
    let text = format!(
        r#"<Server><Service><Connector port="1"/><Engine jvmRoute="{evil}"><Valve className="ReplicationValve"
        filter="{evil}" other="{evil}"/><Valve className="{evil}"/><Host appBase="{evil}"><Context path="{evil}"
        docBase="clusterapp" sessionCookiePath="{evil}"/><Context path="{evil}" docBase="{evil}"/></Host></Engine></Service></Server>"#
    );
    let imported = import(Source { name: "server.xml", text: &text }, None).unwrap();
    let table: toml::Table = imported.toml.parse().unwrap();
    assert_eq!(table["node"]["name"].as_str(), Some("x--node--name----evil-"));
    assert_eq!(table["replication"]["filter"].as_str(), Some("x\n[node]\nname = \"evil\""));
}
