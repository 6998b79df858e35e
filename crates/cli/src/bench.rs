//! `sessile bench`: what replication costs, measured on real nodes.
//!
//! `visitor` is one client and `crowd` all of them; `verdict` knows what a right answer is. `client` measures a server
//! that runs, `article` starts nodes and repeats the article's scenarios. `exposed` reads what nodes count, `samples`
//! holds times, `report` writes all of it down and `compare` reads it again. Must not know how sessions travel.

mod answer;
mod article;
mod client;
mod compare;
mod crowd;
mod exposed;
mod progress;
mod report;
mod samples;
mod verdict;
mod visitor;
mod workload;

use clap::Subcommand;

use crate::failure::Failure;
use crate::runtime;

/// What to measure.
#[derive(Debug, Subcommand)]
pub(crate) enum Bench {
    /// Measure a server that keeps clusterapp's contract, with the article's arguments
    Client(client::Client),
    /// Repeat the article's seven scenarios on two nodes that are started for it
    Article(article::Article),
    /// Put two reports side by side
    Compare(compare::Compare),
}

impl Bench {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Client(client) => runtime::run(client.run()),
            Self::Article(article) => runtime::run(article.run()),
            Self::Compare(compare) => compare.run(),
        }
    }
}
