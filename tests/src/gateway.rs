//! What stands before a Prometheus of several tenants: it lets through who says which tenant it is and who it is.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Bytes of a question at most.
const MOST: usize = 1 << 20;

/// A running gateway; it ends when dropped.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

#[derive(Debug)]
struct Wanted {
    upstream: String,
    tenant: &'static str,
    token: &'static str,
    http: reqwest::Client,
}

impl Gateway {
    /// Starts one before the Prometheus at `upstream` for those who send `tenant` as `X-Scope-OrgID` and `token` as bearer
    /// token.
    ///
    /// Fails when no port can be bound or no client can be made.
    pub async fn start(
        upstream: String,
        tenant: &'static str,
        token: &'static str,
    ) -> io::Result<Self> {
        // An error means that a provider is installed already.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().map_err(io::Error::other)?;
        let wanted = Arc::new(Wanted { upstream, tenant, token, http });
        let router = Router::new().fallback(pass).with_state(wanted);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            // It ends with the test, which sees what does not answer.
            let _ended = axum::serve(listener, router).await;
        });
        Ok(Self { address, serving })
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(State(wanted): State<Arc<Wanted>>, request: Request) -> Response {
    if let Some(refusal) = wanted.refusal(request.headers()) {
        return refusal.into_response();
    }
    match wanted.forwarded(request).await {
        Ok(response) => response,
        Err(problem) => (StatusCode::BAD_GATEWAY, problem).into_response(),
    }
}

impl Wanted {
    fn refusal(&self, headers: &HeaderMap) -> Option<(StatusCode, &'static str)> {
        let is = |name: &str, value: &str| headers.get(name).is_some_and(|found| found == value);
        if !is("authorization", &format!("Bearer {}", self.token)) {
            return Some((StatusCode::UNAUTHORIZED, "who are you"));
        }
        (!is("x-scope-orgid", self.tenant)).then_some((StatusCode::FORBIDDEN, "no org id"))
    }

    async fn forwarded(&self, request: Request) -> Result<Response, String> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let body = to_bytes(body, MOST).await.map_err(|error| error.to_string())?;
        let mut asked = self.http.request(parts.method, format!("{}{path}", self.upstream));
        if let Some(kind) = parts.headers.get(header::CONTENT_TYPE) {
            asked = asked.header(header::CONTENT_TYPE, kind);
        }
        let answer = asked.body(body).send().await.map_err(|error| error.to_string())?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| error.to_string())?;
        let kind = [(header::CONTENT_TYPE, "application/json")];
        Ok((status, kind, Body::from(body)).into_response())
    }
}
