//! Shipping.

use tonic::{Request, Response, Status};

use crate::generated_names::letters;
use crate::money::{dollars, nothing};
use crate::wire::shipping_service_server::ShippingService;
use crate::wire::{
    CartItem, GetQuoteRequest, GetQuoteResponse, Money, ShipOrderRequest, ShipOrderResponse,
};

use super::required;

/// The service.
#[derive(Debug)]
pub(super) struct Shipping;

#[tonic::async_trait]
impl ShippingService for Shipping {
    async fn get_quote(
        &self,
        request: Request<GetQuoteRequest>,
    ) -> Result<Response<GetQuoteResponse>, Status> {
        let cost = Some(quote(&request.into_inner().items));
        Ok(Response::new(GetQuoteResponse { cost }))
    }

    async fn ship_order(
        &self,
        request: Request<ShipOrderRequest>,
    ) -> Result<Response<ShipOrderResponse>, Status> {
        required(request.into_inner().address, "address")?;
        let tracking_id = format!("{}-{}", letters(2), letters(9)).to_uppercase();
        Ok(Response::new(ShipOrderResponse { tracking_id }))
    }
}

/// One price for every parcel, nothing for an empty one.
fn quote(items: &[CartItem]) -> Money {
    let pieces = items.iter().map(|item| u64::from(item.quantity)).sum::<u64>();
    if pieces == 0 { nothing("USD") } else { dollars(8, 99) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_parcel_costs_nothing() {
        let item = |quantity| CartItem { product_id: "MUG".to_owned(), quantity };
        assert_eq!(quote(&[item(u32::MAX), item(3)]), dollars(8, 99));
        assert_eq!(quote(&[item(0)]), nothing("USD"));
    }
}
