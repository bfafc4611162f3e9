//! The workers, as they are known from one run to the next.

use std::collections::BTreeMap;

use mora_core::WorkloadRef;
use mora_planning::ForecastRequest;

use crate::client::GrpcWorkers;
use crate::fan_out::{Answers, Endpoint, FanOut};
use crate::{FanOutConfig, FanOutLimits};

/// Asks workers over gRPC. Open connections and what is known of workers that fail last as long as this.
#[derive(Debug)]
pub struct Workers(FanOut<GrpcWorkers>);

impl Workers {
    /// For one run: a connection ends with its last call.
    #[must_use]
    pub fn once(config: FanOutConfig) -> Self {
        Self::keeping(config, 0)
    }

    /// For many runs: connections are kept, as many as configured.
    #[must_use]
    pub fn kept(config: FanOutConfig) -> Self {
        Self::keeping(config, config.kept_connections)
    }

    fn keeping(config: FanOutConfig, connections: usize) -> Self {
        let limits = FanOutLimits::from(config);
        Self(FanOut::new(GrpcWorkers::new(limits.per_call, connections), limits))
    }

    /// Asks `workers`; see [`FanOut::ask`].
    pub async fn ask(
        &self,
        workers: BTreeMap<WorkloadRef, Endpoint>,
        request: &ForecastRequest,
    ) -> Answers {
        tracing::info!("asking {} workers", workers.len());
        self.0.ask(workers, request).await
    }
}
