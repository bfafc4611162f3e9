//! The public API as a client sees it: tokens and limits.

use std::net::SocketAddr;
use std::time::Duration;

use mora_proto::v1::recommendation_service_client::RecommendationServiceClient;
use mora_runtime::{ApiConfig, Security, ServerLimits, Token};
use tokio::task::JoinHandle;
use tonic::Code;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use super::*;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

type Client = RecommendationServiceClient<InterceptedService<Channel, Token>>;

struct Running {
    endpoint: String,
    token_file: tempfile::NamedTempFile,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    /// A coordinator that asks for [`TOKEN`] and has nothing to plan for.
    async fn start(requests_per_minute: u32, concurrent_requests: usize) -> Self {
        let token_file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(token_file.path(), TOKEN).unwrap();
        let config = CoordinatorConfig {
            api: ApiConfig { token_file: Some(token_file.path().to_owned()), requests_per_minute },
            limits: ServerLimits { concurrent_requests, ..ServerLimits::default() },
            ..CoordinatorConfig::default()
        };
        let server = GrpcServer::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let endpoint = format!("http://{}", server.address());
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve(config, server, Arc::default(), stop.clone()));
        Self { endpoint, token_file, stop, serving }
    }

    fn client(&self, token: Token) -> Client {
        let channel = Security::default().channel(&self.endpoint, Duration::from_secs(10)).unwrap();
        RecommendationServiceClient::with_interceptor(channel, token)
    }

    fn known_client(&self) -> Client {
        self.client(Token::open(Some(&self.token_file.path().to_owned())).unwrap())
    }

    async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }
}

/// How the server answers whoever may ask: it has no plan yet.
async fn code(client: &mut Client) -> Code {
    client.get_plan(v1::GetPlanRequest::default()).await.unwrap_err().code()
}

#[tokio::test]
async fn only_who_sends_a_token_is_answered_and_no_one_else_takes_calls_away() {
    let running = Running::start(2, 8).await;
    let mut stranger = running.client(Token::default());
    for _ in 0..5 {
        let status = stranger.get_plan(v1::GetPlanRequest::default()).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(status.message().contains("authorization: Bearer TOKEN"), "{status:?}");
    }
    let mut known = running.known_client();
    assert_eq!(code(&mut known).await, Code::NotFound);
    assert_eq!(code(&mut known).await, Code::NotFound);
    assert_eq!(code(&mut known).await, Code::ResourceExhausted);
    drop((stranger, known));
    running.stop().await;
}

#[tokio::test]
async fn who_watches_plans_has_a_call_open_until_it_goes() {
    let running = Running::start(0, 1).await;
    let (mut watcher, mut client) = (running.known_client(), running.known_client());
    let watching = watcher.watch_plans(v1::WatchPlansRequest::default()).await.unwrap();
    assert_eq!(code(&mut client).await, Code::ResourceExhausted);
    drop((watching, watcher));
    let answered = async {
        while code(&mut client).await == Code::ResourceExhausted {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), answered).await.unwrap();
    assert_eq!(code(&mut client).await, Code::NotFound);
    drop(client);
    running.stop().await;
}

#[tokio::test]
async fn where_plans_are_put_in_force_a_server_that_others_reach_must_be_guarded() {
    let mut config = CoordinatorConfig::default();
    config.apply.permitted = true;
    let everywhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let server = GrpcServer::bind(everywhere).await.unwrap();
    let error = serve(config, server, Arc::default(), CancellationToken::new()).await.unwrap_err();
    assert!(matches!(error, ServeError::Unguarded(_)), "{error}");
    assert!(error.to_string().contains("api.token_file"), "{error}");
}

#[tokio::test]
async fn a_token_file_without_a_token_keeps_the_server_from_starting() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let api = ApiConfig { token_file: Some(file.path().to_owned()), ..ApiConfig::default() };
    let config = CoordinatorConfig { api, ..CoordinatorConfig::default() };
    let server = GrpcServer::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let error = serve(config, server, Arc::default(), CancellationToken::new()).await.unwrap_err();
    let message = with_causes(&error);
    assert!(message.contains("api.token_file") && message.contains("one a line"), "{message}");
}
