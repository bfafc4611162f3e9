use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use mora_proto::v1;
use mora_proto::v1::forecast_service_client::ForecastServiceClient;
use mora_proto::v1::forecast_service_server::{ForecastService, ForecastServiceServer};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use super::*;
use crate::{GrpcServer, Readiness, Security, ServeError};

const CONNECT: Duration = Duration::from_secs(10);

/// A service that answers when it is let, and counts the calls it works on.
#[derive(Clone, Default)]
struct Slow(Arc<Calls>);

#[derive(Default)]
struct Calls {
    open: AtomicUsize,
    most: AtomicUsize,
    begun: Notify,
    ends: Notify,
}

#[tonic::async_trait]
impl ForecastService for Slow {
    /// Waits until it is let.
    async fn forecast_peak(
        &self,
        _: tonic::Request<v1::ForecastPeakRequest>,
    ) -> Result<tonic::Response<v1::ForecastPeakResponse>, Status> {
        self.0.begun.notify_one();
        self.0.ends.notified().await;
        Ok(tonic::Response::new(v1::ForecastPeakResponse::default()))
    }

    /// Counts how many are open at once.
    async fn get_model(
        &self,
        _: tonic::Request<v1::GetModelRequest>,
    ) -> Result<tonic::Response<v1::GetModelResponse>, Status> {
        let open = self.0.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.most.fetch_max(open, Ordering::SeqCst);
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        Ok(tonic::Response::new(v1::GetModelResponse::default()))
    }

    async fn list_models(
        &self,
        _: tonic::Request<v1::ListModelsRequest>,
    ) -> Result<tonic::Response<v1::ListModelsResponse>, Status> {
        Ok(tonic::Response::new(v1::ListModelsResponse::default()))
    }
}

struct Running {
    endpoint: String,
    slow: Slow,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    async fn start(limits: ServerLimits) -> Self {
        let server = GrpcServer::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let endpoint = format!("http://{}", server.address());
        let readiness = Readiness::unready(&["mora.v1.ForecastService"]).await;
        let (slow, stop) = (Slow::default(), CancellationToken::new());
        let routes = Routes::new(ForecastServiceServer::new(slow.clone()));
        let serving = server.limited(limits).serve(routes, readiness, stop.clone());
        Self { endpoint, slow, stop, serving: tokio::spawn(serving) }
    }

    fn channel(&self) -> Channel {
        Security::default().channel(&self.endpoint, CONNECT).unwrap()
    }

    fn client(&self) -> ForecastServiceClient<Channel> {
        ForecastServiceClient::new(self.channel())
    }

    async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_call_beyond_those_that_may_be_open_is_told_when_to_come_back() {
    let limits = ServerLimits { concurrent_requests: 1, ..ServerLimits::default() };
    let running = Running::start(limits).await;
    let mut client = running.client();
    let first = tokio::spawn({
        let mut client = client.clone();
        async move { client.forecast_peak(v1::ForecastPeakRequest::default()).await }
    });
    running.slow.0.begun.notified().await;
    let request = v1::ListModelsRequest::default();
    let status = running.client().list_models(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(status.get_details_retry_info().unwrap().retry_delay, Some(COME_BACK));
    assert!(status.message().contains("limits.concurrent_requests"), "{status:?}");
    // Who is probed must not look unwell because it has much to do.
    let probe = HealthCheckRequest { service: String::new() };
    HealthClient::new(running.channel()).check(probe).await.unwrap();
    running.slow.0.ends.notify_one();
    first.await.unwrap().unwrap();
    client.list_models(request).await.unwrap();
    drop(client);
    running.stop().await;
}

#[tokio::test]
async fn no_more_calls_are_worked_on_for_one_connection_than_it_may_have() {
    let limits = ServerLimits { streams_per_connection: 2, ..ServerLimits::default() };
    let running = Running::start(limits).await;
    let client = running.client();
    // With the first answer the client knows how many it may have.
    client.clone().list_models(v1::ListModelsRequest::default()).await.unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..40 {
        let mut client = client.clone();
        calls.spawn(async move { client.get_model(v1::GetModelRequest::default()).await });
    }
    for answered in calls.join_all().await {
        answered.unwrap();
    }
    assert_eq!(running.slow.0.most.load(Ordering::SeqCst), 2);
    drop(client);
    running.stop().await;
}

#[test]
fn limits_that_cannot_be_are_refused_with_what_to_write() {
    let read = |text: &str| serde_json::from_str::<ServerLimits>(text);
    assert_eq!(read("{}").unwrap(), ServerLimits::default());
    assert_eq!(read(r#"{"message_bytes": 8388608}"#).unwrap().message_bytes, 8 << 20);
    for (text, expected) in [
        (r#"{"message_bytes": 1000}"#, "write a number from 1048576"),
        (r#"{"streams_per_connection": 0}"#, "streams_per_connection is 0"),
        (r#"{"concurrent_requests": 0}"#, "concurrent_requests is 0"),
        (r#"{"streams": 1}"#, "unknown field"),
    ] {
        let message = read(text).unwrap_err().to_string();
        assert!(message.contains(expected), "{message}");
    }
}
