//! The services behind the frontend.

use tonic::Status;
use tonic::service::Routes;

use crate::peer::{Peer, PeerError};
use crate::service_name::ServiceName;
use crate::wire;

mod ads;
mod carts;
mod catalog;
mod checkout;
mod currencies;
mod letters;
mod payments;
mod recommendations;
mod shipping;
mod store;

/// The gRPC service of `service`; the frontend has none, and so no routes.
///
/// Fails when the environment lacks the address of a callee.
pub(crate) fn routes(service: ServiceName) -> Result<Routes, PeerError> {
    let peer = |callee| Peer::from_environment(service, callee);
    Ok(match service {
        ServiceName::Frontend => Routes::default(),
        ServiceName::Ad => Routes::new(wire::ad_service_server::AdServiceServer::new(ads::Ads)),
        ServiceName::Cart => {
            Routes::new(wire::cart_service_server::CartServiceServer::new(carts::Carts {
                store: peer(ServiceName::RedisCart)?,
            }))
        }
        ServiceName::Checkout => {
            Routes::new(wire::checkout_service_server::CheckoutServiceServer::new(
                checkout::Checkout::from_environment()?,
            ))
        }
        ServiceName::Currency => Routes::new(
            wire::currency_service_server::CurrencyServiceServer::new(currencies::Currencies),
        ),
        ServiceName::Email => {
            Routes::new(wire::email_service_server::EmailServiceServer::new(letters::Letters))
        }
        ServiceName::Payment => {
            Routes::new(wire::payment_service_server::PaymentServiceServer::new(payments::Payments))
        }
        ServiceName::ProductCatalog => {
            Routes::new(wire::product_catalog_service_server::ProductCatalogServiceServer::new(
                catalog::Catalog,
            ))
        }
        ServiceName::Recommendation => {
            Routes::new(wire::recommendation_service_server::RecommendationServiceServer::new(
                recommendations::Recommendations { catalog: peer(ServiceName::ProductCatalog)? },
            ))
        }
        ServiceName::Shipping => Routes::new(
            wire::shipping_service_server::ShippingServiceServer::new(shipping::Shipping),
        ),
        ServiceName::RedisCart => Routes::new(wire::store_service_server::StoreServiceServer::new(
            store::Store::default(),
        )),
    })
}

/// What a message cannot be without.
fn required<T>(value: Option<T>, field: &str) -> Result<T, Status> {
    value.ok_or_else(|| Status::invalid_argument(format!("{field} is missing")))
}
