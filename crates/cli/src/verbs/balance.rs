//! `sessile balance`: the balancer in front of the nodes, from a file or, as with Pen, from the command line.
//!
//! `balance/command_line.rs` reads Pen's command line, `balance/daemon.rs` goes to the background,
//! `balance/admin_port.rs` opens the admin port, `balance/reload.rs` follows a changed file, and
//! `balance/admin_command.rs` changes a balancer that runs.

mod admin_command;
mod admin_port;
mod command_line;
mod daemon;
mod reload;

use std::sync::Arc;

use clap::Args;
use sessile_balancer::{Balancer, BalancerConfig, BindError, Protocol, SettingsError, Stopped};

use crate::cores::Cores;
use crate::failure::Failure;
use crate::stop::StopRequest;
use crate::{https, output, runtime};
use admin_command::AdminCommand;
use command_line::CommandLine;

/// Which balancer to run, or what to do with one that runs.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Balance {
    #[command(subcommand)]
    command: Option<AdminCommand>,
    #[command(flatten)]
    line: CommandLine,
}

impl Balance {
    /// What is logged when nobody says.
    pub(crate) fn usual_log(&self) -> &'static str {
        if self.line.debug { "debug" } else { "info" }
    }

    pub(crate) fn run(self) -> Result<(), Failure> {
        if let Some(command) = self.command {
            return command.run();
        }
        let config = self.line.configuration()?;
        if self.line.detaches() && !daemon::is_meant() {
            return daemon::start(self.line.ascii);
        }
        runtime::run_with_cores(|cores| balance(config, self.line, cores))
    }
}

/// Runs until a stop is asked for and the running requests have ended.
async fn balance(config: BalancerConfig, line: CommandLine, cores: Cores) -> Result<(), Failure> {
    if daemon::is_meant() {
        daemon::leave_session()?;
    }
    let signals = |error| Failure::Failed(format!("signals: {error}"));
    let stop = StopRequest::listen().map_err(signals)?;
    let balancer = Balancer::bind(config.clone()).await.map_err(|error| explain(&line, &error))?;
    let port = balancer.local_addr().port();
    let _redirect = https::redirect(&config.balance.tls, "balance.tls", port)?;
    let balancer = balancer.showing_traffic(line.ascii).on(cores.handles());
    let line = Arc::new(line);
    let reload = reload::of(Arc::clone(&line), balancer.control());
    let _admin = admin_port::open(&config.balance, &balancer, reload.clone()).await?;
    let reloads = reload::follow(reload).map_err(signals)?;
    tell_unknown_hosts(&config).await;
    if line.ascii {
        tracing::warn!("-a writes all traffic to this log, cookies and passwords included");
    }
    output::announce(&ready(&config, &balancer));
    if daemon::is_meant() {
        daemon::leave_terminal()?;
    }
    let asked = async {
        stop.requested().await;
        tracing::info!("stopping: no new clients, what runs ends");
    };
    tokio::select! {
        stopped = balancer.run(asked) => judge(stopped),
        () = stop.forced() => Err(Failure::Unfinished("stopped at once: running requests were cut".to_owned())),
        () = reloads => Ok(()),
    }
}

/// The error, with its place in the file where that is known.
fn explain(line: &CommandLine, error: &BindError) -> Failure {
    match error {
        BindError::Settings(SettingsError::Tls { table, error }) => {
            https::explain(line.config.as_deref(), table, error)
        }
        other => Failure::Failed(other.to_string()),
    }
}

/// Says which nodes cannot be reached under their names. They may be known later, so that is no error.
async fn tell_unknown_hosts(config: &BalancerConfig) {
    for node in &config.nodes {
        if let Err(error) = tokio::net::lookup_host(&node.address).await {
            output::tell(&format!(
                "warning: node {}: the host of {} is unknown: {error}",
                node.name, node.address
            ));
        }
    }
}

/// Where clients connect, and in front of whom.
fn ready(config: &BalancerConfig, balancer: &Balancer) -> String {
    let scheme = match (config.balance.protocol, config.balance.tls.is_on()) {
        (Protocol::Http, false) => "http",
        (Protocol::Http, true) => "https",
        (Protocol::Tcp, false) => "tcp",
        (Protocol::Tcp, true) => "tls",
        (Protocol::Udp, _) => "udp",
    };
    let nodes: Vec<_> = config.nodes.iter().map(|node| format!("{} {}", node.name, node.address)).collect();
    format!("{scheme}://{} in front of {}", balancer.local_addr(), nodes.join(", "))
}

fn judge(stopped: Stopped) -> Result<(), Failure> {
    match stopped.unfinished {
        0 => Ok(()),
        cut => Err(Failure::Unfinished(format!(
            "{cut} requests or connections did not end in time and were cut"
        ))),
    }
}
