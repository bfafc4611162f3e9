//! Asking a coordinator that serves plans.

use std::time::Duration;

use mora_core::{Plan, Recommendation, WorkloadRef};
use mora_proto::v1::recommendation_service_client::RecommendationServiceClient;
use mora_proto::{FieldError, required, v1};
use mora_runtime::{EndpointError, Security, Token, call_failure};
use thiserror::Error;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use super::CONNECT_TIMEOUT;

/// Longest wait for one answer; a plan of a thousand workers takes a fraction of it.
const DEADLINE: Duration = Duration::from_mins(1);

/// Why a coordinator gave no answer.
#[derive(Debug, Error)]
pub enum CoordinatorError {
    /// The endpoint is no address.
    #[error("the coordinator has no usable address")]
    Endpoint(#[from] EndpointError),
    /// The call failed.
    #[error("the coordinator at {endpoint} gave no answer: {}", call_failure(status))]
    Call {
        /// Its address.
        endpoint: String,
        /// Its answer.
        status: Box<Status>,
    },
    /// The answer cannot be understood.
    #[error("the coordinator's answer cannot be used; check that it is of the same version")]
    Answer(#[source] FieldError),
}

/// A coordinator that serves `RecommendationService`.
#[derive(Debug, Clone)]
pub struct CoordinatorClient {
    endpoint: String,
    client: RecommendationServiceClient<InterceptedService<Channel, Token>>,
}

impl CoordinatorClient {
    /// The coordinator at `endpoint` (`http://host:port`), spoken to as `security` says and with `token`; connects with the
    /// first call.
    ///
    /// Fails when that is no address.
    pub fn new(endpoint: &str, security: &Security, token: Token) -> Result<Self, EndpointError> {
        let channel = security.channel(endpoint, CONNECT_TIMEOUT)?;
        // The plan of some thousand workloads with their schedules takes tens of megabytes.
        let client = RecommendationServiceClient::with_interceptor(channel, token)
            .max_decoding_message_size(256 << 20);
        Ok(Self { endpoint: endpoint.to_owned(), client })
    }

    /// The newest plan; one is made where there is none yet.
    ///
    /// Fails when the coordinator does not answer or can make no plan.
    pub async fn newest_plan(&self) -> Result<Plan, CoordinatorError> {
        let mut client = self.client.clone();
        let known = client.get_plan(Self::request(v1::GetPlanRequest::default())).await;
        let plan = match known {
            Ok(answer) => answer.into_inner().plan,
            Err(status) if status.code() == tonic::Code::NotFound => {
                let request = Self::request(v1::RecommendRequest::default());
                let made = client.recommend(request).await;
                made.map_err(|status| self.failed(status))?.into_inner().plan
            }
            Err(status) => return Err(self.failed(status)),
        };
        required(plan, "plan").map_err(CoordinatorError::Answer)
    }

    /// The recommendations for `workload` in the newest plan, one per container.
    ///
    /// Fails as [`CoordinatorClient::newest_plan`] does, and when the workload is not in the plan.
    pub async fn explain(
        &self,
        workload: &WorkloadRef,
    ) -> Result<Vec<Recommendation>, CoordinatorError> {
        let request = v1::ExplainRequest { workload: Some(workload.into()) };
        let answer = self.client.clone().explain(Self::request(request)).await;
        let found = answer.map_err(|status| self.failed(status))?.into_inner().recommendations;
        let found: Result<_, FieldError> = found.into_iter().map(TryFrom::try_from).collect();
        found.map_err(CoordinatorError::Answer)
    }

    /// The newest plan as it would be with the load of entry workloads multiplied by `factors`.
    ///
    /// Fails as [`CoordinatorClient::newest_plan`] does, and on a factor or workload that cannot be supposed.
    pub async fn what_if(&self, factors: &[(WorkloadRef, f64)]) -> Result<Plan, CoordinatorError> {
        let entry = |(workload, factor): &(WorkloadRef, f64)| v1::EntryFactor {
            workload: Some(workload.into()),
            factor: *factor,
        };
        let request = v1::WhatIfRequest { entries: factors.iter().map(entry).collect() };
        let answer = self.client.clone().what_if(Self::request(request)).await;
        let plan = answer.map_err(|status| self.failed(status))?.into_inner().plan;
        required(plan, "plan").map_err(CoordinatorError::Answer)
    }

    fn request<M>(message: M) -> Request<M> {
        let mut request = Request::new(message);
        request.set_timeout(DEADLINE);
        request
    }

    fn failed(&self, status: Status) -> CoordinatorError {
        CoordinatorError::Call { endpoint: self.endpoint.clone(), status: Box::new(status) }
    }
}
