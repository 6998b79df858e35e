//! What the applications' sessions cost, by attribute and by route.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::AdminPort;
use super::refusal::Refusal;
use crate::{Costs, Statistics};

/// One element of `/top`: an application.
#[derive(Serialize)]
pub(super) struct App {
    app: String,
    attributes: Vec<Row>,
    routes: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    name: String,
    bytes: u64,
    uncertain: u64,
    commits: u64,
    largest: u64,
}

pub(super) async fn top(State(port): State<AdminPort>) -> Result<Json<Vec<App>>, Refusal> {
    let apps = port.cluster()?.statistics();
    Ok(Json(apps.into_iter().map(|(path, counted)| App::of(path, &counted)).collect()))
}

impl App {
    fn of(app: String, counted: &Statistics) -> Self {
        let (attributes, routes) = (counted.heaviest_attributes(), counted.heaviest_routes());
        Self { app, attributes: rows(attributes), routes: rows(routes) }
    }
}

fn rows(costs: Costs) -> Vec<Row> {
    let row = |(name, cost): (String, crate::Cost)| Row {
        name,
        bytes: cost.bytes,
        uncertain: cost.uncertain,
        commits: cost.commits,
        largest: cost.largest,
    };
    costs.into_iter().map(row).collect()
}
