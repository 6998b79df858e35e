//! A scenario: a fault with a name and a bar.

use anyhow::Result;

use crate::figures::Figures;
use crate::rig::ScenarioContext;

/// One fault of the catalogue, or several that belong together.
pub(crate) struct Scenario {
    /// Begins with the numbers of the catalogue.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// Besides this, the verdict of the clients must be clean and all nodes must find together.
    pub(crate) bar: &'static str,
    pub(crate) quick: bool,
    pub(crate) play: fn(&ScenarioContext) -> Result<Figures>,
}

impl Scenario {
    /// Whether its name is this, or begins with this and a dash.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
    }
}
