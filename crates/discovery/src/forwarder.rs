//! A door on this machine to a Prometheus behind a Service: what is asked of it is asked through the API server.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use http::header::{CONTENT_TYPE, HeaderName, TRANSFER_ENCODING};
use http::{HeaderMap, Method, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use mora_core::hexadecimal;
use mora_kubernetes::{Cluster, ClusterError, ServiceAddress};
use mora_runtime::with_causes;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

/// Below which everything lies that is asked for.
const API: &str = "/api/v1/";
/// Longest address with a query, in bytes: addresses in HTTP end at 64 KiB, and the API server's is longer than ours.
const LONGEST_QUERY: usize = 60 * 1024;
/// Connections that are open at once; one more waits.
const MOST_CONNECTIONS: usize = 64;
/// Pause after a connection could not be accepted, as when there are too many open files.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers on a port of this machine, only below a path that nobody can guess, until it is dropped.
#[derive(Debug)]
pub(crate) struct Forwarder {
    address: SocketAddr,
    secret: String,
    task: AbortOnDropHandle<()>,
}

/// Who is asked.
struct Behind {
    cluster: Cluster,
    service: ServiceAddress,
    /// The beginning of every path that is answered: the secret, then what follows up to the API.
    secret: String,
    path: &'static str,
}

impl Forwarder {
    /// Opens a port that leads to `service`, whose API is below `path`.
    ///
    /// Fails when no port can be opened or there are no random numbers to make a secret of.
    pub(crate) async fn open(
        cluster: Cluster,
        service: ServiceAddress,
        path: &'static str,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let secret = secret()?;
        let behind = Arc::new(Behind { cluster, service, secret: secret.clone(), path });
        let router = Router::new().fallback(answer).with_state(behind);
        let task = AbortOnDropHandle::new(tokio::spawn(accept(listener, router)));
        Ok(Self { address, secret, task })
    }

    /// Where it is found.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/{}", self.address, self.secret)
    }

    /// Closes the port and every connection, and waits until they are.
    pub(crate) async fn close(self) {
        self.task.abort();
        // It ends in no other way than by this.
        let _aborted = self.task.await;
    }
}

/// 32 random hexadecimal digits.
fn secret() -> io::Result<String> {
    let mut bytes = [0; 16];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| io::Error::other("there are no random numbers"))?;
    Ok(hexadecimal(&bytes))
}

/// Serves connections, which end when this future is dropped.
async fn accept(listener: TcpListener, router: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, router.clone()));
                }
                Err(error) => {
                    tracing::debug!("a connection was not accepted: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

async fn serve(stream: TcpStream, router: Router) {
    let service = TowerToHyperService::new(router);
    let builder = Builder::new(TokioExecutor::new()).http1_only();
    if let Err(error) = builder.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!("a connection ended early: {error}");
    }
}

async fn answer(State(behind): State<Arc<Behind>>, request: Request) -> Response<Body> {
    match behind.ask(request).await {
        Ok(answer) => answer,
        Err(refusal) => refusal.response(),
    }
}

/// Why a request is not passed on, or came to nothing.
enum Refusal {
    /// Not below the secret, or not of the API.
    Absent,
    Method,
    TooLong,
    Cluster(ClusterError),
}

impl Behind {
    async fn ask(&self, request: Request) -> Result<Response<Body>, Refusal> {
        let path = self.path_within(request.uri().path()).ok_or(Refusal::Absent)?.to_owned();
        let (head, body) = request.into_parts();
        let of_address = head.uri.query().unwrap_or_default().to_owned();
        let query = match head.method {
            Method::GET => of_address,
            Method::POST => joined(of_address, body).await?,
            _ => return Err(Refusal::Method),
        };
        if query.len() > LONGEST_QUERY {
            return Err(Refusal::TooLong);
        }
        let separator = if query.is_empty() { "" } else { "?" };
        let asked = format!("{path}{separator}{query}");
        let answer = self.cluster.get_through(&self.service, &asked, &head.headers).await;
        answer.map(handed_back).map_err(Refusal::Cluster)
    }

    /// The path behind the Service that `path` stands for, if it is one of the API.
    fn path_within<'a>(&self, path: &'a str) -> Option<&'a str> {
        let (secret, _) = path.strip_prefix('/')?.split_once('/')?;
        let path = path.get(1 + secret.len()..)?;
        let of_api = path.strip_prefix(self.path)?.strip_prefix(API)?;
        // What could climb out of the API, also written in another way.
        let climbs =
            of_api.split('/').any(|part| matches!(part, "." | "..")) || of_api.contains('%');
        (is_same(secret, &self.secret) && !climbs).then_some(path)
    }
}

/// Whether two texts are the same, found in a time that does not tell how much of them is.
fn is_same(a: &str, b: &str) -> bool {
    let differences = a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && differences == 0
}

/// The query of an address with the form of a body behind it.
async fn joined(query: String, body: Body) -> Result<String, Refusal> {
    let form = to_bytes(body, LONGEST_QUERY).await.map_err(|_| Refusal::TooLong)?;
    let form = String::from_utf8_lossy(&form);
    Ok(match (query.as_str(), form.trim()) {
        ("", form) => form.to_owned(),
        (_, "") => query,
        (query, form) => format!("{query}&{form}"),
    })
}

/// The answer without what was about the connection to the API server.
fn handed_back(answer: Response<Body>) -> Response<Body> {
    const KEPT: [HeaderName; 3] =
        [CONTENT_TYPE, http::header::CONTENT_ENCODING, http::header::CONTENT_LENGTH];
    let (mut head, body) = answer.into_parts();
    let is_in_pieces = head.headers.contains_key(TRANSFER_ENCODING);
    let kept = head.headers.iter().filter(|(name, _)| KEPT.contains(name));
    let kept: HeaderMap = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
    head.headers = kept;
    if is_in_pieces {
        head.headers.remove(http::header::CONTENT_LENGTH);
    }
    Response::from_parts(head, body)
}

impl Refusal {
    /// As Prometheus writes a failure, so that whoever asked shows the reason.
    fn response(self) -> Response<Body> {
        let (status, reason) = match self {
            Self::Absent => (StatusCode::NOT_FOUND, "there is nothing here".to_owned()),
            Self::Method => {
                (StatusCode::METHOD_NOT_ALLOWED, "only GET and POST are passed on".to_owned())
            }
            Self::TooLong => (
                StatusCode::URI_TOO_LONG,
                format!("a query through the API server has at most {LONGEST_QUERY} bytes"),
            ),
            Self::Cluster(error @ ClusterError::TimedOut { .. }) => {
                (StatusCode::GATEWAY_TIMEOUT, with_causes(&error))
            }
            Self::Cluster(error) => (StatusCode::BAD_GATEWAY, with_causes(&error)),
        };
        let body = json!({"status": "error", "errorType": "forwarding", "error": reason});
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        let json = http::HeaderValue::from_static("application/json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        response
    }
}

#[cfg(test)]
mod tests;
