//! `sessile balance`: the balancer in front of the nodes, from a file or, as with Pen, from the command line.
//!
//! `balance/line.rs` reads Pen's command line, `balance/detached.rs` goes to the background, `balance/admin.rs` opens
//! the admin port, `balance/reload.rs` follows a changed file, and `balance/order.rs` changes a balancer that runs.

mod admin;
mod detached;
mod line;
mod order;
mod reload;

use clap::Args;
use sessile_balancer::{Balancer, BalancerConfig, Protocol, Stopped};

use crate::failure::Failure;
use crate::stop::StopRequest;
use crate::{output, runtime};
use line::Line;
use order::Order;

/// Which balancer to run, or what to do with one that runs.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Balance {
    #[command(subcommand)]
    order: Option<Order>,
    #[command(flatten)]
    line: Line,
}

impl Balance {
    /// What is logged when nobody says.
    pub(crate) fn usual_log(&self) -> &'static str {
        if self.line.debug { "debug" } else { "info" }
    }

    pub(crate) fn run(self) -> Result<(), Failure> {
        if let Some(order) = self.order {
            return order.run();
        }
        let config = self.line.configuration()?;
        if self.line.detaches() && !detached::is_meant() {
            return detached::start(self.line.ascii);
        }
        runtime::run(balance(config, self.line))
    }
}

/// Runs until a stop is asked for and the running requests have ended.
async fn balance(config: BalancerConfig, line: Line) -> Result<(), Failure> {
    if detached::is_meant() {
        detached::leave_session()?;
    }
    let signals = |error| Failure::Failed(format!("signals: {error}"));
    let stop = StopRequest::listen().map_err(signals)?;
    let balancer =
        Balancer::bind(config.clone()).await.map_err(|error| Failure::Failed(error.to_string()))?;
    let balancer = balancer.showing_traffic(line.ascii);
    let _admin = admin::open(&config.balance, &balancer).await?;
    let reloads = reload::follow(line.config, balancer.roster()).map_err(signals)?;
    if line.ascii {
        tracing::warn!("-a writes all traffic to this log, cookies and passwords included");
    }
    output::announce(&ready(&config, &balancer));
    if detached::is_meant() {
        detached::leave_terminal()?;
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

/// Where clients connect, and in front of whom.
fn ready(config: &BalancerConfig, balancer: &Balancer) -> String {
    let scheme = match config.balance.protocol {
        Protocol::Http => "http",
        Protocol::Tcp => "tcp",
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
