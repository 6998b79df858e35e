//! `sessile secret` as a process.

mod program;

use program::{run, scratch};

#[test]
fn a_new_secret_is_private_and_never_overwritten() {
    let place = scratch([]);
    let file = place.path().join("cluster.secret");
    let made = run(&place, ["secret", "new", "cluster.secret"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let secret = std::fs::read_to_string(&file).expect("it was created");
    assert!(!made.out.contains(secret.trim()), "a secret is shown only where it was asked for");

    let again = run(&place, ["secret", "new", "cluster.secret"]);
    assert_eq!((again.code, again.out.as_str()), (1, ""));
    assert!(again.err.contains("cluster.secret") && again.err.contains("never overwritten"), "{}", again.err);
    assert_eq!(std::fs::read_to_string(&file).expect("still there"), secret);

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).expect("still there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn without_a_path_the_secret_goes_to_standard_output() {
    let place = scratch([]);
    let made = run(&place, ["secret", "new"]);
    assert_eq!((made.code, made.err.as_str()), (0, ""));
    assert_eq!(made.out.trim().len(), 44, "32 bytes in base64");
    assert_ne!(made.out, run(&place, ["secret", "new"]).out);
}

#[test]
fn the_token_follows_from_the_secret_and_the_name_of_the_cluster() {
    let one = "[cluster]\nname = \"one\"\n";
    let place = scratch([("one.toml", one), ("also.toml", one), ("two.toml", "[cluster]\nname = \"two\"\n")]);
    let token = |file: &str| run(&place, ["secret", "token", "--config", file]);

    let missing = token("one.toml");
    assert_eq!((missing.code, missing.out.as_str()), (1, ""));
    assert!(missing.err.contains("sessile secret new cluster.secret"), "{}", missing.err);

    assert_eq!(run(&place, ["secret", "new", "cluster.secret"]).code, 0);
    let shown = token("one.toml");
    assert_eq!((shown.code, shown.out.trim().len()), (0, 43), "{}", shown.err);
    assert_eq!(shown.out, token("also.toml").out);
    assert_ne!(shown.out, token("two.toml").out);
}

#[cfg(unix)]
#[test]
fn a_secret_readable_by_others_is_refused_with_the_fixing_command() {
    use std::os::unix::fs::PermissionsExt;
    let place = scratch([("tc01.toml", "")]);
    assert_eq!(run(&place, ["secret", "new", "cluster.secret"]).code, 0);
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(place.path().join("cluster.secret"), open).expect("our own file");
    let refused = run(&place, ["secret", "token", "--config", "tc01.toml"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(refused.err.contains("chmod 600 cluster.secret"), "{}", refused.err);
}
