//! The pages of the shop.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONNECTION;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{get, post};

use crate::meter::layer::HEALTH;
use crate::peer::PeerError;

mod backend;
mod forms;
mod handlers;
mod page;
mod refusal;
mod visitor;

use backend::Backend;
use visitor::{Visitor, Visits};

/// After so many answers of a process one closes its connection, so that new replicas get their share.
const ANSWERS_PER_CLOSE: u64 = 64;

/// What every page needs.
#[derive(Debug, Clone)]
struct Shop {
    backend: Arc<Backend>,
    visits: Arc<Visits>,
}

/// All pages.
///
/// Fails when the environment lacks the address of a callee.
pub(crate) fn router() -> Result<Router, PeerError> {
    let shop = Shop { backend: Arc::new(Backend::from_environment()?), visits: Arc::default() };
    let visits = shop.visits.clone();
    Ok(Router::new()
        .route("/", get(handlers::home))
        .route("/product/{id}", get(handlers::product))
        .route("/cart", get(handlers::cart).post(handlers::add_to_cart))
        .route("/cart/empty", post(handlers::empty_cart))
        .route("/cart/checkout", post(handlers::place_order))
        .route(
            "/setCurrency",
            post(async |who: Visitor, headers: HeaderMap, form| {
                handlers::set_currency(&who, &headers, form)
            }),
        )
        .route("/logout", get(async || handlers::logout()))
        .route(HEALTH, get(async || "ok"))
        .fallback(async |uri: Uri| handlers::nowhere(&uri))
        .with_state(shop)
        .layer(from_fn_with_state(visits, close_now_and_then)))
}

async fn close_now_and_then(
    State(visits): State<Arc<Visits>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = next.run(request).await;
    if visits.count_answer().is_multiple_of(ANSWERS_PER_CLOSE) {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}
