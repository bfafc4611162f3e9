//! Carts.

use prost::Message;
use tonic::{Request, Response, Status};

use crate::peer::Peer;
use crate::wire::cart_service_server::CartService;
use crate::wire::store_service_client::StoreServiceClient;
use crate::wire::{
    AddItemRequest, AddItemResponse, CartItem, EmptyCartRequest, EmptyCartResponse, GetCartRequest,
    GetCartResponse, GetValueRequest, SetValueRequest,
};

use super::required;

/// Pieces of one product in a cart.
const MOST: u32 = 1000;

/// The service.
#[derive(Debug)]
pub(super) struct Carts {
    pub(super) store: Peer,
}

#[tonic::async_trait]
impl CartService for Carts {
    async fn add_item(
        &self,
        request: Request<AddItemRequest>,
    ) -> Result<Response<AddItemResponse>, Status> {
        let request = request.into_inner();
        let user = checked(&request.user_id)?;
        let item = required(request.item, "item")?;
        let mut cart = self.load(user).await?;
        add(&mut cart.items, item)?;
        self.save(user, cart.encode_to_vec()).await?;
        Ok(Response::new(AddItemResponse {}))
    }

    async fn get_cart(
        &self,
        request: Request<GetCartRequest>,
    ) -> Result<Response<GetCartResponse>, Status> {
        let user = request.into_inner().user_id;
        self.load(checked(&user)?).await.map(Response::new)
    }

    async fn empty_cart(
        &self,
        request: Request<EmptyCartRequest>,
    ) -> Result<Response<EmptyCartResponse>, Status> {
        let user = request.into_inner().user_id;
        self.save(checked(&user)?, Vec::new()).await?;
        Ok(Response::new(EmptyCartResponse {}))
    }
}

impl Carts {
    async fn load(&self, user: &str) -> Result<GetCartResponse, Status> {
        let request = GetValueRequest { key: user.to_owned() };
        let send =
            |link, request| async move { StoreServiceClient::new(link).get_value(request).await };
        let answer = self.store.call(request, send).await?;
        let value = answer.value.unwrap_or_default();
        GetCartResponse::decode(value.as_slice())
            .map_err(|error| Status::data_loss(format!("the store holds no cart: {error}")))
    }

    async fn save(&self, user: &str, value: Vec<u8>) -> Result<(), Status> {
        let request = SetValueRequest { key: user.to_owned(), value };
        let send =
            |link, request| async move { StoreServiceClient::new(link).set_value(request).await };
        self.store.call(request, send).await.map(|_| ())
    }
}

fn checked(user: &str) -> Result<&str, Status> {
    let known = !user.is_empty();
    known.then_some(user).ok_or_else(|| Status::invalid_argument("user_id is missing"))
}

/// Adds to the entry of the product, or a new one.
fn add(items: &mut Vec<CartItem>, item: CartItem) -> Result<(), Status> {
    let held = items.iter().position(|held| held.product_id == item.product_id);
    let before = held.map_or(0, |index| items[index].quantity);
    let after = before.saturating_add(item.quantity);
    if item.product_id.is_empty() || item.quantity == 0 || after > MOST {
        let message = format!("a cart holds 1 to {MOST} pieces of a product, not {after}");
        return Err(Status::invalid_argument(message));
    }
    match held {
        Some(index) => items[index].quantity = after,
        None => items.push(item),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(product: &str, quantity: u32) -> CartItem {
        CartItem { product_id: product.to_owned(), quantity }
    }

    #[test]
    fn pieces_of_a_product_add_up_to_a_bound() {
        let mut items = Vec::new();
        add(&mut items, item("mug", 2)).unwrap();
        add(&mut items, item("jar", 1)).unwrap();
        add(&mut items, item("mug", 3)).unwrap();
        assert_eq!(items, [item("mug", 5), item("jar", 1)]);
        for refused in [item("mug", 0), item("mug", 996), item("mug", u32::MAX), item("", 1)] {
            assert!(add(&mut items, refused).is_err());
        }
        assert_eq!(items[0], item("mug", 5));
    }
}
