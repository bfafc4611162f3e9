//! What the frontend asks the other services.

use futures::future::try_join_all;
use tonic::Status;

use crate::peer::{Peer, PeerError};
use crate::service_name::ServiceName;
use crate::wire::ad_service_client::AdServiceClient;
use crate::wire::cart_service_client::CartServiceClient;
use crate::wire::checkout_service_client::CheckoutServiceClient;
use crate::wire::currency_service_client::CurrencyServiceClient;
use crate::wire::product_catalog_service_client::ProductCatalogServiceClient;
use crate::wire::recommendation_service_client::RecommendationServiceClient;
use crate::wire::shipping_service_client::ShippingServiceClient;
use crate::wire::{
    Ad, AddItemRequest, CartItem, ConvertRequest, EmptyCartRequest, GetAdsRequest, GetCartRequest,
    GetProductRequest, GetQuoteRequest, GetSupportedCurrenciesRequest, ListProductsRequest,
    ListRecommendationsRequest, Money, Order, PlaceOrderRequest, Product,
};

/// The services that the frontend calls. Every method fails with the status of the service it asks.
#[derive(Debug)]
pub(super) struct Backend {
    ads: Peer,
    carts: Peer,
    checkout: Peer,
    currencies: Peer,
    catalog: Peer,
    recommendations: Peer,
    shipping: Peer,
}

impl Backend {
    /// Fails when the environment lacks the address of a callee.
    pub(super) fn from_environment() -> Result<Self, PeerError> {
        let peer = |callee| Peer::from_environment(ServiceName::Frontend, callee);
        Ok(Self {
            ads: peer(ServiceName::Ad)?,
            carts: peer(ServiceName::Cart)?,
            checkout: peer(ServiceName::Checkout)?,
            currencies: peer(ServiceName::Currency)?,
            catalog: peer(ServiceName::ProductCatalog)?,
            recommendations: peer(ServiceName::Recommendation)?,
            shipping: peer(ServiceName::Shipping)?,
        })
    }

    /// Those of the supported currencies that are offered.
    pub(super) async fn currencies(&self) -> Result<Vec<String>, Status> {
        let send = |link, request| async move {
            CurrencyServiceClient::new(link).get_supported_currencies(request).await
        };
        let answer = self.currencies.call(GetSupportedCurrenciesRequest {}, send).await?;
        let mut codes = answer.currency_codes;
        codes.retain(|code| crate::exchange::is_offered(code));
        Ok(codes)
    }

    pub(super) async fn convert(&self, from: Money, currency: &str) -> Result<Money, Status> {
        let request = ConvertRequest { from: Some(from), to_code: currency.to_owned() };
        let send =
            |link, request| async move { CurrencyServiceClient::new(link).convert(request).await };
        let amount = self.currencies.call(request, send).await?.amount;
        amount.ok_or_else(|| Status::internal("an amount is missing"))
    }

    /// All products, each with its price in `currency`.
    pub(super) async fn products(&self, currency: &str) -> Result<Vec<(Product, Money)>, Status> {
        let send = |link, request| async move {
            ProductCatalogServiceClient::new(link).list_products(request).await
        };
        let products = self.catalog.call(ListProductsRequest {}, send).await?.products;
        try_join_all(products.into_iter().map(|product| self.priced(product, currency))).await
    }

    pub(super) async fn product(&self, id: &str) -> Result<Product, Status> {
        let request = GetProductRequest { id: id.to_owned() };
        let send = |link, request| async move {
            ProductCatalogServiceClient::new(link).get_product(request).await
        };
        let product = self.catalog.call(request, send).await?.product;
        product.ok_or_else(|| Status::internal("a product is missing"))
    }

    pub(super) async fn priced(
        &self,
        product: Product,
        currency: &str,
    ) -> Result<(Product, Money), Status> {
        let price = product.price.clone().ok_or_else(|| Status::internal("a price is missing"))?;
        let price = self.convert(price, currency).await?;
        Ok((product, price))
    }

    pub(super) async fn cart(&self, session: &str) -> Result<Vec<CartItem>, Status> {
        let request = GetCartRequest { user_id: session.to_owned() };
        let send =
            |link, request| async move { CartServiceClient::new(link).get_cart(request).await };
        Ok(self.carts.call(request, send).await?.items)
    }

    pub(super) async fn add_to_cart(&self, session: &str, item: CartItem) -> Result<(), Status> {
        let request = AddItemRequest { user_id: session.to_owned(), item: Some(item) };
        let send =
            |link, request| async move { CartServiceClient::new(link).add_item(request).await };
        self.carts.call(request, send).await.map(|_| ())
    }

    pub(super) async fn empty_cart(&self, session: &str) -> Result<(), Status> {
        let request = EmptyCartRequest { user_id: session.to_owned() };
        let send =
            |link, request| async move { CartServiceClient::new(link).empty_cart(request).await };
        self.carts.call(request, send).await.map(|_| ())
    }

    /// Products that are not among the given ones, in full.
    pub(super) async fn recommended(
        &self,
        session: &str,
        product_ids: Vec<String>,
    ) -> Result<Vec<Product>, Status> {
        let request = ListRecommendationsRequest { user_id: session.to_owned(), product_ids };
        let send = |link, request| async move {
            RecommendationServiceClient::new(link).list_recommendations(request).await
        };
        let ids = self.recommendations.call(request, send).await?.product_ids;
        try_join_all(ids.iter().map(|id| self.product(id))).await
    }

    /// One of the advertisements there are. A page without one is a page all the same: what fails is in the log.
    pub(super) async fn ad(&self, context_keys: Vec<String>) -> Option<Ad> {
        let send = |link, request| async move { AdServiceClient::new(link).get_ads(request).await };
        match self.ads.call(GetAdsRequest { context_keys }, send).await {
            Ok(answer) => answer.ads.into_iter().next(),
            Err(status) => {
                tracing::warn!(%status, "a page has no advertisement");
                None
            }
        }
    }

    pub(super) async fn shipping_cost(
        &self,
        items: &[CartItem],
        currency: &str,
    ) -> Result<Money, Status> {
        let request = GetQuoteRequest { items: items.to_vec() };
        let send = |link, request| async move {
            ShippingServiceClient::new(link).get_quote(request).await
        };
        let cost = self.shipping.call(request, send).await?.cost;
        self.convert(cost.ok_or_else(|| Status::internal("a cost is missing"))?, currency).await
    }

    pub(super) async fn place_order(&self, request: PlaceOrderRequest) -> Result<Order, Status> {
        let send = |link, request| async move {
            CheckoutServiceClient::new(link).place_order(request).await
        };
        let order = self.checkout.call(request, send).await?.order;
        order.ok_or_else(|| Status::internal("an order is missing"))
    }
}
