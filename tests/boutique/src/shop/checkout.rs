//! Orders.

use std::sync::Arc;

use futures::future::try_join_all;
use tonic::{Code, Request, Response, Status};

use crate::generated_names::identifier;
use crate::money::{nothing, sum, times};
use crate::peer::{Peer, PeerError};
use crate::service_name::ServiceName;
use crate::wire::cart_service_client::CartServiceClient;
use crate::wire::checkout_service_server::CheckoutService;
use crate::wire::currency_service_client::CurrencyServiceClient;
use crate::wire::email_service_client::EmailServiceClient;
use crate::wire::payment_service_client::PaymentServiceClient;
use crate::wire::product_catalog_service_client::ProductCatalogServiceClient;
use crate::wire::shipping_service_client::ShippingServiceClient;
use crate::wire::{
    Address, CartItem, ChargeRequest, ConvertRequest, CreditCard, EmptyCartRequest, GetCartRequest,
    GetProductRequest, GetQuoteRequest, Money, Order, OrderItem, PlaceOrderRequest,
    PlaceOrderResponse, SendOrderConfirmationRequest, ShipOrderRequest,
};

use super::required;

/// The service.
#[derive(Debug)]
pub(super) struct Checkout {
    carts: Peer,
    currencies: Peer,
    letters: Peer,
    payments: Peer,
    catalog: Peer,
    shipping: Peer,
}

#[tonic::async_trait]
impl CheckoutService for Checkout {
    async fn place_order(
        &self,
        request: Request<PlaceOrderRequest>,
    ) -> Result<Response<PlaceOrderResponse>, Status> {
        let request = request.into_inner();
        let address = required(request.address.clone(), "address")?;
        let card = required(request.credit_card.clone(), "credit_card")?;
        let items = self.cart(&request.user_id).await?;
        let lines = items.iter().map(|item| self.line(item, &request.user_currency));
        let lines = try_join_all(lines).await?;
        let shipping_cost = self.shipping_cost(&items, &request.user_currency).await?;
        let total = total(&lines, &shipping_cost, &request.user_currency)?;
        self.charge(total.clone(), card).await?;
        let shipping_tracking_id = self.ship(address, items).await?;
        self.empty(request.user_id).await?;
        let order = Order {
            order_id: identifier(),
            shipping_tracking_id,
            shipping_cost: Some(shipping_cost),
            items: lines,
            total: Some(total),
        };
        self.confirm(request.email, order.clone()).await;
        Ok(Response::new(PlaceOrderResponse { order: Some(order) }))
    }
}

impl Checkout {
    /// Fails when the environment lacks the address of a callee.
    pub(super) fn from_environment() -> Result<Self, PeerError> {
        let peer = |callee| Peer::from_environment(ServiceName::Checkout, callee);
        Ok(Self {
            carts: peer(ServiceName::Cart)?,
            currencies: peer(ServiceName::Currency)?,
            letters: peer(ServiceName::Email)?,
            payments: peer(ServiceName::Payment)?,
            catalog: peer(ServiceName::ProductCatalog)?,
            shipping: peer(ServiceName::Shipping)?,
        })
    }

    async fn cart(&self, user: &str) -> Result<Vec<CartItem>, Status> {
        let request = GetCartRequest { user_id: user.to_owned() };
        let send =
            |link, request| async move { CartServiceClient::new(link).get_cart(request).await };
        let items = self.carts.call(request, send).await.map_err(internal)?.items;
        let filled = !items.is_empty();
        filled.then_some(items).ok_or_else(|| Status::failed_precondition("the cart is empty"))
    }

    async fn line(&self, item: &CartItem, currency: &str) -> Result<OrderItem, Status> {
        let request = GetProductRequest { id: item.product_id.clone() };
        let send = |link, request| async move {
            ProductCatalogServiceClient::new(link).get_product(request).await
        };
        let found = self.catalog.call(request, send).await.map_err(internal)?;
        let price = required(found.product.and_then(|product| product.price), "price")?;
        let cost = Some(self.convert(price, currency).await?);
        Ok(OrderItem { item: Some(item.clone()), cost })
    }

    async fn convert(&self, from: Money, currency: &str) -> Result<Money, Status> {
        let request = ConvertRequest { from: Some(from), to_code: currency.to_owned() };
        let send =
            |link, request| async move { CurrencyServiceClient::new(link).convert(request).await };
        let answer = self.currencies.call(request, send).await.map_err(refused_or_internal)?;
        required(answer.amount, "amount")
    }

    async fn shipping_cost(&self, items: &[CartItem], currency: &str) -> Result<Money, Status> {
        let request = GetQuoteRequest { items: items.to_vec() };
        let send = |link, request| async move {
            ShippingServiceClient::new(link).get_quote(request).await
        };
        let answer = self.shipping.call(request, send).await.map_err(internal)?;
        self.convert(required(answer.cost, "cost")?, currency).await
    }

    async fn charge(&self, amount: Money, card: CreditCard) -> Result<(), Status> {
        let request = ChargeRequest { amount: Some(amount), credit_card: Some(card) };
        let send =
            |link, request| async move { PaymentServiceClient::new(link).charge(request).await };
        self.payments.call(request, send).await.map(|_| ()).map_err(refused_or_internal)
    }

    async fn ship(&self, address: Address, items: Vec<CartItem>) -> Result<String, Status> {
        let request = ShipOrderRequest { address: Some(address), items };
        let send = |link, request| async move {
            ShippingServiceClient::new(link).ship_order(request).await
        };
        let parcel = self.shipping.call(request, send).await.map_err(internal)?;
        Ok(parcel.tracking_id)
    }

    async fn empty(&self, user_id: String) -> Result<(), Status> {
        let request = EmptyCartRequest { user_id };
        let send =
            |link, request| async move { CartServiceClient::new(link).empty_cart(request).await };
        self.carts.call(request, send).await.map(|_| ()).map_err(internal)
    }

    /// A letter that cannot be written does not undo an order: it is in the log.
    async fn confirm(&self, email: String, order: Order) {
        let request = SendOrderConfirmationRequest { email, order: Some(order) };
        let send = |link, request| async move {
            EmailServiceClient::new(link).send_order_confirmation(request).await
        };
        if let Err(status) = self.letters.call(request, send).await {
            tracing::warn!(%status, "an order was placed but not confirmed");
        }
    }
}

/// The sum of the lines and shipping.
fn total(lines: &[OrderItem], shipping: &Money, currency: &str) -> Result<Money, Status> {
    let cost = |line: &OrderItem| Some(times(line.cost.as_ref()?, line.item.as_ref()?.quantity));
    let goods = lines.iter().try_fold(nothing(currency), |all, line| sum(&all, &cost(line)?));
    let total = goods.and_then(|goods| sum(&goods, shipping));
    total.ok_or_else(|| Status::internal("the prices are in different currencies"))
}

/// What another service refuses is not the visitor's fault.
fn internal(status: Status) -> Status {
    let mut ours = Status::internal(format!("{:?}: {}", status.code(), status.message()));
    ours.set_source(Arc::new(status));
    ours
}

/// But a card or currency that is refused is.
fn refused_or_internal(status: Status) -> Status {
    if status.code() == Code::InvalidArgument { status } else { internal(status) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::dollars;

    fn line(cost: Money, quantity: u32) -> OrderItem {
        let item = CartItem { product_id: "MUG".to_owned(), quantity };
        OrderItem { item: Some(item), cost: Some(cost) }
    }

    #[test]
    fn a_bill_is_pieces_times_prices_and_shipping() {
        let lines = [line(dollars(8, 99), 2), line(dollars(5, 49), 1)];
        assert_eq!(total(&lines, &dollars(8, 99), "USD").unwrap(), dollars(32, 46));
        assert_eq!(total(&lines, &nothing("EUR"), "USD").unwrap_err().code(), Code::Internal);
    }

    #[test]
    fn only_what_the_visitor_gave_is_refused() {
        let codes = [Code::InvalidArgument, Code::Unavailable, Code::NotFound];
        let told = codes.map(|code| refused_or_internal(Status::new(code, "")).code());
        assert_eq!(told, [Code::InvalidArgument, Code::Internal, Code::Internal]);
    }
}
