//! The program `sessile` with a planted bug of the core, or with the planted next version of the protocol.
//!
//! `planted-node --next serve --config tc01.toml` otherwise equals the node of `sessile serve tc01.toml`;
//! without a plant this program equals `sessile`. `next_version` wraps a node as the next version. For tests
//! and test hosts; not published.

mod next_version;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use sessile::{Cluster, ClusterBuilder, Config, Planted};
use sessile_cli::{ExtraPages, NodeFactory};
use sessile_core::Plant;
use sessile_planted::bugs;

use crate::next_version::NextVersion;

/// Default time in the next version's additional member state, in milliseconds.
const WATCHES: &str = "500";

/// Runs the program sessile with a plant.
#[derive(Debug, Parser)]
#[command(name = "planted-node")]
struct Arguments {
    /// Speak the next version of the protocol
    #[arg(long)]
    next: bool,
    /// Time for which a node of the next version has the complete state before it serves
    #[arg(long, value_name = "MILLISECONDS", default_value = WATCHES, requires = "next")]
    watches: u64,
    /// Plant this bug; `sessile-sim --plants` lists all bugs
    #[arg(long, value_name = "NAME", value_parser = bug, default_value = "none")]
    plant: Plant,
    /// The arguments of `sessile`
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "WORDS")]
    sessile: Vec<OsString>,
}

/// A node with a plant.
struct PlantedNode {
    bug: Plant,
    next_version: Option<NextVersion>,
}

impl NodeFactory for PlantedNode {
    fn builder(&self, config: Config) -> ClusterBuilder {
        let mut planted = Planted::default().with_bug(self.bug);
        if let Some(next_version) = &self.next_version {
            planted = planted.with_version(next_version.around(), next_version::commit);
        }
        Cluster::builder(config).planted(planted)
    }

    fn pages(&self, cluster: Cluster) -> ExtraPages<'_> {
        Box::pin(async move {
            match &self.next_version {
                Some(next_version) => {
                    next_version.watch().await;
                    next_version::pages(cluster)
                }
                None => axum::Router::new(),
            }
        })
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let next_version = arguments.next.then(|| NextVersion::new(Duration::from_millis(arguments.watches)));
    let words = std::iter::once(OsString::from("sessile")).chain(arguments.sessile);
    sessile_cli::run(words, &PlantedNode { bug: arguments.plant, next_version })
}

fn bug(name: &str) -> Result<Plant, String> {
    bugs::by_name(name).ok_or_else(|| format!("there is no planted bug {name}"))
}
