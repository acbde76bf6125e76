//! Graph's refusals, as whoever looks on reads them.

use crate::errors::chain;
use crate::graph::GraphError;

/// A pass goes on later where Graph has no time; whoever asks now has to wait by themselves.
pub(super) fn said(error: &GraphError) -> String {
    match error {
        GraphError::Throttled { what, retry_after } => format!(
            "Graph has no time for {what}: try again in {} s. Other programs of this application share its limit",
            retry_after.as_secs()
        ),
        GraphError::Unavailable { what, status } => format!(
            "Graph cannot give {what} now (HTTP {status}): try again in some minutes; nothing here is to be mended"
        ),
        GraphError::Network { what, source } => format!(
            "cannot read {what} from Graph: check that name service, firewall and proxy (HTTPS_PROXY) let this machine through to directory.graph.graph_url: {}",
            chain(source)
        ),
        error => chain(error),
    }
}
