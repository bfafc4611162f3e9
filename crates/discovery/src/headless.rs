//! Workers behind a name that stands for many addresses, such as that of a headless Service.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use futures::{StreamExt, stream};
use mora_core::WorkloadRef;
use mora_proto::v1::forecast_service_client::ForecastServiceClient;
use mora_proto::{required, v1};
use mora_runtime::{EndpointError, Security, call_failure, with_causes};
use thiserror::Error;
use tokio::time::timeout;
use tonic::{Code, Request, Status};

/// Longest wait for the addresses of one name.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(5);
/// Longest wait for one worker to say whose it is.
const ASK_DEADLINE: Duration = Duration::from_secs(3);
/// Workers asked at once.
const AT_ONCE: usize = 128;

/// Why a name gives no workers.
#[derive(Debug, Error)]
enum ResolveError {
    #[error(
        "`{name}` of `workers.discovery.headless` has no address; write NAME:PORT, and check that the Service exists and has ready pods"
    )]
    Unknown {
        name: String,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "the addresses of `{name}` of `workers.discovery.headless` were not found within {RESOLVE_DEADLINE:?}; check the DNS"
    )]
    TimedOut { name: String },
}

/// Why an address is no worker that can be used.
#[derive(Debug, Error)]
enum IdentifyError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error("it does not answer: {}", call_failure(.0))]
    Silent(Box<Status>),
    #[error(
        "it does not say which workload it serves; update it, or list it under `workers.endpoints`"
    )]
    Anonymous,
}

/// The workers at the addresses of `name` (`host:port`) by the workload they say they serve, the first address of each,
/// and what was found wrong. With TLS, their certificates must say the host of `name`: an address stands in none.
pub(crate) async fn workers(
    name: &str,
    security: &Security,
) -> (BTreeMap<WorkloadRef, String>, Vec<String>) {
    let addresses = match resolve(name).await {
        Ok(addresses) => addresses,
        Err(error) => return (BTreeMap::new(), vec![with_causes(&error)]),
    };
    let host = name.rsplit_once(':').map_or(name, |(host, _)| host);
    let asked = addresses.into_iter().map(|address| async move {
        let endpoint = security.endpoint(host, address);
        let workload = identify(&endpoint, security).await;
        (endpoint, workload)
    });
    // In the order of the addresses, so that the same answers give the same workers.
    let mut asked = stream::iter(asked).buffered(AT_ONCE);
    let (mut workers, mut warnings) = (BTreeMap::new(), Vec::new());
    while let Some((endpoint, workload)) = asked.next().await {
        match workload {
            Ok(workload) => {
                workers.entry(workload).or_insert(endpoint);
            }
            Err(error) => {
                let error = with_causes(&error);
                warnings.push(format!("the worker at {endpoint} of {name} is not used: {error}"));
            }
        }
    }
    (workers, warnings)
}

async fn resolve(name: &str) -> Result<BTreeSet<SocketAddr>, ResolveError> {
    let unknown = |source| ResolveError::Unknown { name: name.to_owned(), source };
    match timeout(RESOLVE_DEADLINE, tokio::net::lookup_host(name)).await {
        Ok(addresses) => Ok(addresses.map_err(unknown)?.collect()),
        Err(_) => Err(ResolveError::TimedOut { name: name.to_owned() }),
    }
}

/// Asks a worker which workload it serves.
async fn identify(endpoint: &str, security: &Security) -> Result<WorkloadRef, IdentifyError> {
    let channel = security.channel(endpoint, ASK_DEADLINE)?;
    let mut request = Request::new(v1::ListModelsRequest { workload: None });
    request.set_timeout(ASK_DEADLINE);
    let mut client = ForecastServiceClient::new(channel);
    let answer = match timeout(ASK_DEADLINE, client.list_models(request)).await {
        Ok(answer) => answer.map_err(|status| match status.code() {
            // A worker from before it could be asked refuses a request that names no workload.
            Code::InvalidArgument => IdentifyError::Anonymous,
            _ => IdentifyError::Silent(Box::new(status)),
        })?,
        Err(_) => {
            return Err(IdentifyError::Silent(Box::new(Status::deadline_exceeded("timeout"))));
        }
    };
    required(answer.into_inner().workload, "workload").map_err(|_| IdentifyError::Anonymous)
}

#[cfg(test)]
mod tests {
    use mora_proto::v1::forecast_service_server::{ForecastService, ForecastServiceServer};
    use tokio::net::TcpListener;
    use tokio_stream::wrappers::TcpListenerStream;
    use tonic::transport::Server;
    use tonic::{Response, Status};

    use super::*;

    /// A worker that only says whose it is, if it does.
    struct Named(Option<WorkloadRef>);

    #[tonic::async_trait]
    impl ForecastService for Named {
        async fn forecast_peak(
            &self,
            _: Request<v1::ForecastPeakRequest>,
        ) -> Result<Response<v1::ForecastPeakResponse>, Status> {
            Err(Status::unimplemented("it only says whose it is"))
        }

        async fn get_model(
            &self,
            _: Request<v1::GetModelRequest>,
        ) -> Result<Response<v1::GetModelResponse>, Status> {
            Err(Status::unimplemented("it only says whose it is"))
        }

        async fn list_models(
            &self,
            request: Request<v1::ListModelsRequest>,
        ) -> Result<Response<v1::ListModelsResponse>, Status> {
            let Some(own) = &self.0 else {
                return Err(Status::invalid_argument("workload: must be set"));
            };
            assert_eq!(request.into_inner().workload, None);
            let workload = Some(own.into());
            Ok(Response::new(v1::ListModelsResponse { models: Vec::new(), workload }))
        }
    }

    /// A name with the port of a running worker that answers with `workload`.
    async fn localhost(workload: Option<&str>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let service = ForecastServiceServer::new(Named(workload.map(|w| w.parse().unwrap())));
        let server = Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        format!("localhost:{port}")
    }

    #[tokio::test]
    async fn the_addresses_of_a_name_are_asked_which_workload_they_serve() {
        let name = localhost(Some("shop/StatefulSet/redis")).await;
        let (found, _) = workers(&name, &Security::default()).await;
        let address = &found[&"shop/StatefulSet/redis".parse().unwrap()];
        assert_eq!(*address, name.replace("localhost", "http://127.0.0.1"));
        assert_eq!(found.len(), 1);
    }

    #[tokio::test]
    async fn a_worker_that_does_not_say_whose_it_is_is_left_out_with_what_to_do() {
        let name = localhost(None).await;
        let (found, warnings) = workers(&name, &Security::default()).await;
        assert!(found.is_empty());
        assert!(warnings.iter().any(|w| w.contains("127.0.0.1") && w.contains("update it")));
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_named_with_its_key() {
        for name in ["no-port", "mora.invalid:50061"] {
            let (found, warnings) = workers(name, &Security::default()).await;
            assert!(found.is_empty() && warnings.len() == 1);
            assert!(warnings[0].contains(name), "{}", warnings[0]);
            assert!(warnings[0].contains("workers.discovery.headless"), "{}", warnings[0]);
        }
    }
}
