//! Replication cost of applications, by attribute and by route.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::AdminPort;
use super::error::AdminPageError;
use crate::status::{Costs, Statistics};

/// One element of `/top`: an application.
#[derive(Serialize)]
pub(super) struct AppCosts {
    app: String,
    attributes: Vec<CostRow>,
    routes: Vec<CostRow>,
}

#[derive(Serialize)]
struct CostRow {
    name: String,
    bytes: u64,
    uncertain: u64,
    commits: u64,
    largest: u64,
}

pub(super) async fn top(State(port): State<AdminPort>) -> Result<Json<Vec<AppCosts>>, AdminPageError> {
    let apps = port.cluster()?.statistics();
    Ok(Json(apps.into_iter().map(|(path, counted)| AppCosts::of(path, &counted)).collect()))
}

impl AppCosts {
    fn of(app: String, counted: &Statistics) -> Self {
        let (attributes, routes) = (counted.heaviest_attributes(), counted.heaviest_routes());
        Self { app, attributes: rows(attributes), routes: rows(routes) }
    }
}

fn rows(costs: Costs) -> Vec<CostRow> {
    let row = |(name, cost): (String, crate::status::Cost)| CostRow {
        name,
        bytes: cost.bytes,
        uncertain: cost.uncertain,
        commits: cost.commits,
        largest: cost.largest,
    };
    costs.into_iter().map(row).collect()
}
