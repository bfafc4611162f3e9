//! The workers, as they are known from one run to the next.

use std::collections::BTreeMap;

use mora_core::WorkloadRef;
use mora_planning::ForecastRequest;
use mora_runtime::{Security, TlsError};

use crate::client::GrpcWorkers;
use crate::fan_out::{Answers, Endpoint, FanOut};
use crate::{CoordinatorConfig, FanOutLimits};

/// Asks workers over gRPC. Open connections and what is known of workers that fail last as long as this.
#[derive(Debug)]
pub struct Workers {
    fan_out: FanOut<GrpcWorkers>,
    security: Security,
}

impl Workers {
    /// For one run: a connection ends with its last call.
    ///
    /// Fails when the certificates that `config` names cannot be used.
    pub fn once(config: &CoordinatorConfig) -> Result<Self, TlsError> {
        Self::keeping(config, 0)
    }

    /// For many runs: connections are kept, as many as configured.
    ///
    /// Fails as [`Workers::once`] does.
    pub fn kept(config: &CoordinatorConfig) -> Result<Self, TlsError> {
        Self::keeping(config, config.fan_out.kept_connections)
    }

    fn keeping(config: &CoordinatorConfig, connections: usize) -> Result<Self, TlsError> {
        let security = Security::open(config.tls.as_ref())?;
        let limits = FanOutLimits::from(config.fan_out);
        let workers = GrpcWorkers::new(security.clone(), limits.per_call, connections);
        Ok(Self { fan_out: FanOut::new(workers, limits), security })
    }

    /// How they, the collector and who calls the coordinator are spoken to.
    pub(crate) const fn security(&self) -> &Security {
        &self.security
    }

    /// Asks `workers`; see [`FanOut::ask`].
    pub async fn ask(
        &self,
        workers: BTreeMap<WorkloadRef, Endpoint>,
        request: &ForecastRequest,
    ) -> Answers {
        tracing::info!("asking {} workers", workers.len());
        self.fan_out.ask(workers, request).await
    }
}
