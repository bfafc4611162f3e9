//! The layer around every server: it works for a request, counts it, and leaves probes alone.

use std::task::{Context, Poll};
use std::time::Instant;

use axum::http::{HeaderValue, Request, Response};
use futures::future::BoxFuture;
use tower::{Layer, Service};

use super::{Begun, Meter, caller, outcome};

/// The path of the frontend's probe.
pub(crate) const HEALTH: &str = "/_healthz";

/// Counts what passes.
#[derive(Debug, Clone)]
pub(crate) struct MeterLayer(pub(crate) Meter);

impl<S> Layer<S> for MeterLayer {
    type Service = Metered<S>;

    fn layer(&self, inner: S) -> Metered<S> {
        Metered { meter: self.0.clone(), inner }
    }
}

/// A service whose requests are counted.
#[derive(Debug, Clone)]
pub(crate) struct Metered<S> {
    meter: Meter,
    inner: S,
}

impl<S, B, C> Service<Request<B>> for Metered<S>
where
    S: Service<Request<B>, Response = Response<C>>,
    S::Future: Send + 'static,
    S::Error: 'static,
    C: 'static,
{
    type Response = Response<C>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<C>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let begun = begin(&request);
        let answered = self.inner.call(request);
        let Some(begun) = begun else { return Box::pin(answered) };
        let meter = self.meter.clone();
        Box::pin(async move {
            let held = meter.effort.spend();
            let response = answered.await?;
            meter.record(&begun, outcome(&response, begun.is_grpc));
            held.release();
            Ok(response)
        })
    }
}

/// What is known when a request comes in; `None` for probes.
fn begin<B>(request: &Request<B>) -> Option<Begun> {
    let path = request.uri().path();
    if path == HEALTH || path.starts_with("/grpc.health.") {
        return None;
    }
    let content = request.headers().get("content-type").map(HeaderValue::as_bytes);
    let is_grpc = content.is_some_and(|content| content.starts_with(b"application/grpc"));
    let method = if is_grpc { rpc(path) } else { route(request) };
    Some(Begun { method, caller: caller(request.headers()), is_grpc, since: Instant::now() })
}

fn rpc(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// The pattern of the path: the path itself would make a label of every product and of every mistake.
fn route<B>(request: &Request<B>) -> String {
    let path = request.uri().path();
    let pattern = match path {
        "/" | "/cart" | "/cart/empty" | "/cart/checkout" | "/setCurrency" | "/logout" => path,
        _ if path.starts_with("/product/") => "/product/{id}",
        _ => "none",
    };
    format!("{} {pattern}", request.method())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, content: &str) -> Request<()> {
        Request::builder().uri(path).header("content-type", content).body(()).unwrap()
    }

    #[test]
    fn probes_are_not_counted() {
        assert!(begin(&request("/grpc.health.v1.Health/Check", "application/grpc")).is_none());
        assert!(begin(&request(HEALTH, "")).is_none());
    }

    #[test]
    fn a_call_is_named_by_its_method_and_a_page_by_its_pattern() {
        let call = request("/boutique.v1.CartService/GetCart", "application/grpc");
        let begun = begin(&call).unwrap();
        assert_eq!((begun.method.as_str(), begun.is_grpc), ("GetCart", true));
        let page = |path| begin(&request(path, "text/html")).unwrap().method;
        assert_eq!(page("/cart/empty?x=1"), "GET /cart/empty");
        assert_eq!(page("/product/6E92ZMYYFZ"), "GET /product/{id}");
        assert_eq!(page("/anything"), "GET none");
    }
}
