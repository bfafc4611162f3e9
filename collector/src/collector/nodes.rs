//! The nodes, read from the source when they are asked for.

use jiff::{SignedDuration, Timestamp};
use mora_core::NodeSeries;
use mora_proto::v1;
use mora_runtime::with_causes;
use tonic::Status;

use super::Collector;
use crate::{Lookback, SourceError};

impl Collector {
    /// The nodes over the lookback that ends at `now`, ordered by name; none where the source knows of none.
    ///
    /// Fails when the source cannot be read.
    pub async fn nodes(&self, now: Timestamp) -> Result<Vec<NodeSeries>, SourceError> {
        let step = self.config.step();
        let to = step.floor(self.source.newest(now));
        let from = to - SignedDuration::from_hours(i64::from(self.config.lookback_hours));
        self.source.nodes(&Lookback { from, to, step }).await
    }

    /// The answer of the service's `ListNodes`.
    pub(crate) async fn list_nodes(&self) -> Result<v1::ListNodesResponse, Status> {
        let nodes = self.nodes(Timestamp::now()).await;
        let nodes = nodes.map_err(|error| Status::unavailable(with_causes(&error)))?;
        Ok(v1::ListNodesResponse { nodes: nodes.iter().map(Into::into).collect() })
    }
}
