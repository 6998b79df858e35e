//! What a balancer that runs goes by: the values of `[balance]` with what they name opened and read. A reload puts new
//! ones in their place; each request goes by those that it found.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use crate::access_log::{AccessLog, LogCounts};
use crate::config::BalanceConfig;
use crate::error_response::{ErrorPageError, ErrorPages};

/// The values in force.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) balance: BalanceConfig,
    pub(crate) pages: ErrorPages,
    pub(crate) log: Option<Arc<AccessLog>>,
}

/// What the values name cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A page of the site.
    #[error(transparent)]
    Page(#[from] ErrorPageError),
    /// The access log.
    #[error("[balance.access_log] file = {file:?}: {cause}; give a file that can be written, or `-`")]
    AccessLog {
        /// The file as configured.
        file: String,
        /// What the system says.
        cause: std::io::Error,
    },
}

impl Settings {
    /// Reads and opens what valid values name. A log that `before` had open at the same place goes on.
    pub(crate) fn open(
        balance: BalanceConfig,
        counts: &Arc<LogCounts>,
        before: Option<&Self>,
    ) -> Result<Self, SettingsError> {
        let pages = ErrorPages::read(&balance.error_pages)?;
        let log = match (&balance.access_log, before) {
            (None, _) => None,
            (now, Some(before)) if *now == before.balance.access_log => {
                before.log.iter().for_each(|log| log.reopen());
                before.log.clone()
            }
            (Some(wanted), _) => {
                let failed =
                    |cause| SettingsError::AccessLog { file: wanted.file.display().to_string(), cause };
                let opened = AccessLog::open(Path::new(&wanted.file), wanted.format, Arc::clone(counts));
                Some(Arc::new(opened.map_err(failed)?))
            }
        };
        Ok(Self { balance, pages, log })
    }

    /// Whether a client at this address may read what was tried, and why not.
    pub(crate) fn is_operator(&self, client: IpAddr) -> bool {
        let client = client.to_canonical();
        self.balance.operators.iter().any(|network| network.contains(&client))
    }
}
