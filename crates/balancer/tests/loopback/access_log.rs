//! The access log of a balancer that runs.

use std::path::Path;

use sessile_balancer::{AccessLogConfig, AccessLogFormat};

use crate::setup::{Setup, get, sticky, until};

async fn logging(file: &Path, format: AccessLogFormat) -> Setup {
    let log = AccessLogConfig { file: file.to_owned(), format };
    Setup::start(&[1, 1], |config| config.balance.access_log = Some(log)).await
}

fn lines(file: &Path) -> Vec<String> {
    std::fs::read_to_string(file).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_line_tells_who_asked_what_and_which_node_answered() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("access.log");
    let setup = logging(&file, AccessLogFormat::Json).await;
    setup.send(sticky("/who?a=b", "tc02").header("user-agent", "test/1"), "").await;
    setup.send(sticky("/cut", "tc01"), "").await;
    until(|| lines(&file).len() == 2).await;
    let told: Vec<serde_json::Value> =
        lines(&file).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&told[0]["target"], &told[0]["status"]), (&"/who?a=b".into(), &200.into()));
    assert_eq!((&told[0]["node"], &told[0]["bytes"]), (&"tc02".into(), &4.into()));
    assert_eq!((&told[0]["complete"], &told[0]["user_agent"]), (&true.into(), &"test/1".into()));
    assert_eq!((&told[1]["status"], &told[1]["node"]), (&502.into(), &serde_json::Value::Null));
    assert!(told[1]["reference"].is_string());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_log_that_cannot_be_written_costs_lines_and_no_answer() {
    let setup = logging(Path::new("/dev/full"), AccessLogFormat::Combined).await;
    for _ in 0..20 {
        assert!(setup.send(get("/who"), "").await.status.is_success());
    }
    until(|| setup.monitor.balancer().log_lines_lost == 20).await;
    assert_eq!(setup.monitor.balancer().log_lines, 0);
}
