//! The coordinator as a server: plans on request, and the last ones remembered.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use mora_core::{Quantile, WorkloadRef};
use mora_proto::v1::recommendation_service_server::{
    RecommendationService, RecommendationServiceServer,
};
use mora_proto::{FieldError, required, v1};
use mora_runtime::{GrpcServer, Readiness, ServeError, with_causes};
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic::{Request, Response, Status};

use mora_planning::{CpuPath, WhatIfError, what_if};

use crate::follow::Follower;
use crate::memory::Memory;
use crate::{
    CoordinatorConfig, Metrics, Outcome, Record, Workers, put_in_force, run_asking, run_gated,
};

const SERVICES: [&str; 1] = ["mora.v1.RecommendationService"];
/// Longest horizon a worker answers.
const MAX_HORIZON_HOURS: i64 = 168;

/// Serves plans on `server` until `stop` is cancelled; every run is recorded in `metrics`. Where `state` is configured, the newest
/// plan in it is served and shown, whoever made it.
///
/// Fails when the transport does.
pub async fn serve(
    config: CoordinatorConfig,
    server: GrpcServer,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let readiness = Readiness::unready(&SERVICES).await;
    let memory = Arc::new(Memory::default());
    let followed = config.state.clone();
    let mut follower =
        followed.map(|state| Follower::new(state, Arc::clone(&memory), Arc::clone(&metrics)));
    if let Some(follower) = &mut follower {
        follower.look().await;
    }
    readiness.ready().await;
    let workers = Workers::kept(config.fan_out);
    let applying = TaskTracker::new();
    let service = Service {
        config,
        metrics,
        workers,
        memory,
        stop: stop.clone(),
        applying: applying.clone(),
    };
    let routes = Routes::new(RecommendationServiceServer::new(service));
    let served = stop.child_token();
    let serving = async {
        let ended = server.serve(routes, readiness, stop).await;
        applying.close();
        applying.wait().await;
        served.cancel();
        ended
    };
    let following = async {
        if let Some(follower) = follower {
            follower.follow(served.clone()).await;
        }
    };
    tokio::join!(serving, following).0
}

struct Service {
    config: CoordinatorConfig,
    metrics: Arc<Metrics>,
    workers: Workers,
    memory: Arc<Memory>,
    stop: CancellationToken,
    /// Plans that are being put in force.
    applying: TaskTracker,
}

type Plans = Pin<Box<dyn Stream<Item = Result<v1::WatchPlansResponse, Status>> + Send>>;

#[tonic::async_trait]
impl RecommendationService for Service {
    type WatchPlansStream = Plans;

    async fn recommend(
        &self,
        request: Request<v1::RecommendRequest>,
    ) -> Result<Response<v1::RecommendResponse>, Status> {
        let request = request.into_inner();
        let config = self.config_for(&request)?;
        let (now, begin) = (Timestamp::now(), Instant::now());
        // A plan by other rules than the configured ones agrees with none of the runs before it.
        let gated = request == v1::RecommendRequest::default();
        let outcome = if gated {
            run_gated(&self.workers, &config, now).await
        } else {
            run_asking(&self.workers, &config, now).await
        };
        self.metrics.record(outcome.as_ref().ok().map(|o| &o.plan), begin.elapsed());
        let mut outcome = outcome.map_err(|error| run_status(&error))?;
        if gated {
            outcome = self.applied(outcome).await?;
        }
        let record = Arc::new(Record::from(outcome));
        self.memory.remember(Arc::clone(&record));
        Ok(Response::new(v1::RecommendResponse { plan: Some((&record.plan).into()) }))
    }

    async fn watch_plans(
        &self,
        _: Request<v1::WatchPlansRequest>,
    ) -> Result<Response<Plans>, Status> {
        let plans = WatchStream::new(self.memory.watch()).filter_map(|record| {
            let plan = record.map(|record| v1::Plan::from(&record.plan))?;
            Some(Ok(v1::WatchPlansResponse { plan: Some(plan) }))
        });
        // A watcher would otherwise hold the server up until its grace period is over.
        let stop = self.stop.clone().cancelled_owned();
        Ok(Response::new(Box::pin(futures::StreamExt::take_until(plans, stop))))
    }

    async fn get_plan(
        &self,
        request: Request<v1::GetPlanRequest>,
    ) -> Result<Response<v1::GetPlanResponse>, Status> {
        let id = request.into_inner().plan_id;
        let found = if id.is_empty() { self.memory.newest() } else { self.memory.find(&id) };
        let record = found.ok_or_else(|| {
            Status::not_found("no such plan is remembered; ask for one with Recommend")
        })?;
        Ok(Response::new(v1::GetPlanResponse { plan: Some((&record.plan).into()) }))
    }

    async fn explain(
        &self,
        request: Request<v1::ExplainRequest>,
    ) -> Result<Response<v1::ExplainResponse>, Status> {
        let workload: WorkloadRef = required(request.into_inner().workload, "workload")?;
        let recommendations: Vec<v1::Recommendation> = {
            let plan = &self.newest()?.plan;
            plan.recommendations.iter().filter(|r| r.workload == workload).map(Into::into).collect()
        };
        if recommendations.is_empty() {
            return Err(Status::not_found(format!("{workload} is not in the newest plan")));
        }
        Ok(Response::new(v1::ExplainResponse { recommendations }))
    }

    async fn what_if(
        &self,
        request: Request<v1::WhatIfRequest>,
    ) -> Result<Response<v1::WhatIfResponse>, Status> {
        let mut factors = Vec::new();
        for (index, entry) in request.into_inner().entries.into_iter().enumerate() {
            let workload = required::<_, WorkloadRef>(entry.workload, "workload")
                .map_err(|error| error.within(&format!("entries[{index}]")))?;
            factors.push((workload, entry.factor));
        }
        let record = self.newest()?;
        let plan = what_if(&record.evidence, &record.policy, &factors);
        let plan = plan.map_err(|error| what_if_status(&error))?;
        Ok(Response::new(v1::WhatIfResponse { plan: Some((&plan).into()) }))
    }
}

impl Service {
    /// Puts the plan of `outcome` in force where that is permitted. A caller that goes away does not leave a change half made.
    async fn applied(&self, mut outcome: Outcome) -> Result<Outcome, Status> {
        let (config, metrics) = (self.config.clone(), Arc::clone(&self.metrics));
        let stop = self.stop.clone();
        let applying = self.applying.spawn(async move {
            let applied = put_in_force(&config, &mut outcome, &stop).await;
            metrics.record_applied(applied.as_ref());
            outcome
        });
        let ended = applying.await;
        ended.map_err(|_| Status::internal("putting the plan in force ended early; see the log"))
    }

    fn config_for(&self, request: &v1::RecommendRequest) -> Result<CoordinatorConfig, FieldError> {
        let mut config = self.config.clone();
        if request.quantile != 0.0 {
            config.policy.quantile =
                Quantile::new(request.quantile).map_err(|e| FieldError::new("quantile", e))?;
            config.policy.cpu_path = CpuPath::Quantile;
        }
        if let Some(horizon) = request.horizon {
            let hours = horizon.seconds / 3600;
            let whole = horizon.seconds % 3600 == 0 && horizon.nanos == 0;
            if !whole || !(1..=MAX_HORIZON_HOURS).contains(&hours) {
                return Err(FieldError::new("horizon", "must be 1 to 168 whole hours"));
            }
            config.horizon_hours = hours as u32;
        }
        Ok(config)
    }

    fn newest(&self) -> Result<Arc<Record>, Status> {
        self.memory.newest().ok_or_else(|| {
            Status::not_found("no plan has been made yet; ask for one with Recommend")
        })
    }
}

fn run_status(error: &crate::RunError) -> Status {
    Status::unavailable(with_causes(error))
}

fn what_if_status(error: &WhatIfError) -> Status {
    FieldError::new("entries", error).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FanOutConfig;

    fn config_for(quantile: f64) -> Result<CoordinatorConfig, FieldError> {
        let service = Service {
            config: CoordinatorConfig::default(),
            workers: Workers::once(FanOutConfig::default()),
            metrics: Arc::default(),
            memory: Arc::default(),
            applying: TaskTracker::new(),
            stop: CancellationToken::new(),
        };
        service.config_for(&v1::RecommendRequest { quantile, horizon: None })
    }

    #[test]
    fn a_quantile_that_is_asked_for_takes_the_place_of_the_configured_rule() {
        let asked = config_for(0.9).unwrap().policy;
        assert_eq!(
            (asked.quantile, asked.cpu_path),
            (Quantile::new(0.9).unwrap(), CpuPath::Quantile)
        );
        assert_eq!(config_for(0.0).unwrap().policy, CoordinatorConfig::default().policy);
        assert_eq!(config_for(1.0).unwrap_err().path(), "quantile");
    }
}
