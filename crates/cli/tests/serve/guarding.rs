//! A farm with a deploy key: neither the admin token alone nor a member without the key can change
//! applications.

use crate::deploying::{archive, farmer, pair, says, setup, shop, write};
use crate::harness::{Setup, until};
use crate::operating::{succeeds, verb};
use crate::patient;

/// A node whose farm has a key in a file of this name, which is made.
fn keyed(name: &str, config: String, file: &str) -> String {
    farmer(name, patient(name, config)).replace("[farm]", &format!("[farm]\ndeploy_key_file = \"{file}\""))
}

fn make_key(setup: &Setup, file: &str) {
    succeeds(setup, &["secret", "new", file]);
    let key = std::fs::read_to_string(setup.place().join(file)).expect("it was made");
    setup.secrets().learn(&key);
}

fn token(setup: &Setup) -> String {
    let token = succeeds(setup, &["secret", "token", "--deploy", "--config", "tc01.toml"]).trim().to_owned();
    setup.secrets().learn(&token);
    token
}

/// The status of a POST with the admin token, and with the deploy key where that is given.
fn post(setup: &Setup, path: &str, key: Option<&str>) -> (u16, String) {
    let authorization = format!("Bearer {}", setup.token());
    let mut headers = vec![("authorization", authorization.as_str())];
    headers.extend(key.map(|key| ("sessile-deploy-key", key)));
    let answer = setup.client().send(setup.ports("tc01").admin, "POST", path, &headers);
    let answer = answer.expect("the admin port answers");
    (answer.status, answer.text)
}

#[test]
fn the_admin_token_alone_changes_nothing() {
    let mut setup = setup(["tc01", "tc02"], |name, config| keyed(name, config, "deploy.key"));
    write(setup.place(), "shop.zip", &archive("first", 0));
    let (code, _, err) = verb(&setup, &["serve", "--config", "tc01.toml"]);
    assert!(
        code == 1 && err.contains("[farm] deploy_key_file: ") && err.contains("sessile secret new"),
        "{err}"
    );
    make_key(&setup, "deploy.key");
    make_key(&setup, "wrong.key");
    setup.serve("tc01");
    setup.serve("tc02");
    until("both see each other", || (setup.members("tc01").len() == 2).then_some(()));

    succeeds(&setup, &["deploy", "shop.zip", "--config", "tc01.toml"]);
    says(&setup, &["tc01", "tc02"], Some("first"));
    let token = token(&setup);
    for path in ["/apps/undeploy?path=/shop", "/apps/rollback?path=/shop", "/apps/deploy?name=shop.zip"] {
        for key in [None, Some(""), Some(setup.token()), Some(&token[1..])] {
            let (status, words) = post(&setup, path, key);
            assert!(status == 403 && words.contains("--deploy-key-file"), "{status} {words}");
        }
    }
    for arguments in [
        ["deploy", "shop.zip", "--config", "tc01.toml", "--deploy-key-file", "wrong.key"],
        ["undeploy", "/shop", "--config", "tc02.toml", "--deploy-key-file", "wrong.key"],
        ["rollback", "/shop", "--config", "tc01.toml", "--deploy-key-file", "wrong.key"],
    ] {
        let (code, _, err) = verb(&setup, &arguments);
        assert!(code == 1 && err.contains("wants the deploy key"), "{code} {err}");
    }
    says(&setup, &["tc01", "tc02"], Some("first"));
    assert!(succeeds(&setup, &["apps", "tc01"]).contains("/shop"), "looking needs the admin token alone");
    write(setup.place(), "large.zip", &archive("large", 8 << 20));
    let wrong = ["deploy", "large.zip", "--config", "tc01.toml", "--deploy-key-file", "wrong.key"];
    let (code, _, err) = verb(&setup, &wrong);
    assert!(code == 1 && err.contains("wants the deploy key"), "also for a client that sends much: {err}");

    // A file that others can read is no secret.
    std::fs::copy(setup.place().join("deploy.key"), setup.place().join("open.key")).expect("copied");
    open(&setup, "open.key");
    let open = ["undeploy", "/shop", "--config", "tc01.toml", "--deploy-key-file", "open.key"];
    let (code, _, err) = verb(&setup, &open);
    assert!(code == 1 && err.contains("chmod 600"), "{err}");
    let (status, words) = post(&setup, "/apps/undeploy?path=/shop", Some(&token));
    assert_eq!(status, 200, "{words}");
    assert_eq!([shop(&setup, "tc01"), shop(&setup, "tc02")], [None, None]);
}

fn open(setup: &Setup, file: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    let everybody = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(setup.place().join(file), everybody).expect("it is ours");
}

#[test]
fn a_member_without_the_deploy_key_is_ignored_and_named() {
    let mut setup = setup(["tc01", "tc02", "tc03"], |name, config| match name {
        "tc03" => farmer(name, patient(name, config)),
        _ => keyed(name, config, "deploy.key"),
    });
    make_key(&setup, "deploy.key");
    for name in ["tc01", "tc02", "tc03"] {
        setup.serve(name);
    }
    until("all see each other", || (setup.members("tc03").len() == 3).then_some(()));
    write(setup.place(), "shop.zip", &archive("good", 0));
    succeeds(&setup, &["deploy", "shop.zip", "--config", "tc01.toml"]);
    says(&setup, &["tc01", "tc02", "tc03"], Some("good"));
    write(setup.place(), "shop.zip", &archive("bad", 0));
    let (code, _, err) = verb(&setup, &["deploy", "shop.zip", "--config", "tc03.toml"]);
    assert!(code == 1 && err.contains("without [farm] deploy_key_file"), "{code} {err}");
    let (code, _, _) = verb(&setup, &["undeploy", "/shop", "--config", "tc03.toml"]);
    assert_eq!(code, 1);
    says(&setup, &["tc01", "tc02", "tc03"], Some("good"));
    let shown = succeeds(&setup, &["status", "tc01"]);
    assert!(
        shown.contains("members disagree about [farm] deploy_key_file: tc01 is set, tc03 has none"),
        "{shown}"
    );

    // A node that returns has it from its disk, and one without its files from whoever is there.
    setup.node("tc01").kill();
    setup.node("tc02").kill();
    std::fs::remove_dir_all(setup.place().join("tc01.apps")).expect("nobody uses it");
    setup.serve("tc01");
    says(&setup, &["tc01"], Some("good"));
}

#[test]
fn without_a_key_the_admin_token_is_enough() {
    let setup = pair(farmer);
    write(setup.place(), "shop.zip", &archive("first", 0));
    succeeds(&setup, &["deploy", "shop.zip", "--config", "tc01.toml"]);
    let (code, _, err) = verb(&setup, &["secret", "token", "--deploy", "--config", "tc01.toml"]);
    assert!(code == 1 && err.contains("names no [farm] deploy_key_file"), "{err}");
    let (status, words) = post(&setup, "/apps/undeploy?path=/shop", None);
    assert_eq!(status, 200, "{words}");
}
