//! A scenario: a fault with a name and a requirement.

use anyhow::Result;

use crate::figures::Figures;
use crate::rig::ScenarioContext;

/// One fault of the catalogue, or several related ones.
pub(crate) struct Scenario {
    /// Begins with the numbers of the catalogue.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    /// The requirement. In addition, the clients' verdict must be clean and all nodes must agree in the end.
    pub(crate) bar: &'static str,
    pub(crate) quick: bool,
    pub(crate) play: fn(&ScenarioContext) -> Result<Figures>,
}

impl Scenario {
    /// Whether its name equals `name`, or begins with it and a dash.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name == name || self.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'))
    }
}
