//! `sessile balance`: the balancer in front of the nodes.

use std::path::PathBuf;

use clap::Args;
use sessile_balancer::{Balancer, BalancerConfig, Stopped};

use crate::failure::Failure;
use crate::stop::StopWish;
use crate::{balancer_file, output, runtime};

/// Which balancer to run.
#[derive(Debug, Args)]
pub(crate) struct Balance {
    /// The balancer's file: `[balance]` and one `[[node]]` for every node
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Balance {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let config = balancer_file::load(&self.config)?;
        runtime::run(balance(config))
    }
}

/// Runs until a stop is asked for and the running requests have ended.
async fn balance(config: BalancerConfig) -> Result<(), Failure> {
    let stop = StopWish::listen().map_err(|error| Failure::Failed(format!("signals: {error}")))?;
    let nodes: Vec<_> = config.nodes.iter().map(|node| format!("{} {}", node.name, node.address)).collect();
    let balancer = Balancer::bind(config).await.map_err(|error| Failure::Failed(error.to_string()))?;
    output::print(&format!("http://{} in front of {}", balancer.local_addr(), nodes.join(", ")))?;
    let asked = async {
        stop.asked().await;
        tracing::info!("stopping: no new clients, running requests end");
    };
    tokio::select! {
        stopped = balancer.run(asked) => judge(stopped),
        () = stop.insisted() => Err(Failure::Unfinished("stopped at once: running requests were cut".to_owned())),
    }
}

fn judge(stopped: Stopped) -> Result<(), Failure> {
    match stopped.unfinished {
        0 => Ok(()),
        cut => Err(Failure::Unfinished(format!("{cut} requests did not end in time and were cut"))),
    }
}
