//! Letters to visitors.

use tonic::{Request, Response, Status};

use crate::money::shown;
use crate::wire::email_service_server::EmailService;
use crate::wire::{Order, SendOrderConfirmationRequest, SendOrderConfirmationResponse};

use super::required;

/// The service.
#[derive(Debug)]
pub(super) struct Letters;

#[tonic::async_trait]
impl EmailService for Letters {
    async fn send_order_confirmation(
        &self,
        request: Request<SendOrderConfirmationRequest>,
    ) -> Result<Response<SendOrderConfirmationResponse>, Status> {
        let request = request.into_inner();
        let order = required(request.order, "order")?;
        if !request.email.contains('@') {
            return Err(Status::invalid_argument("email is no address"));
        }
        let letter_bytes = letter(&request.email, &order).len() as u32;
        Ok(Response::new(SendOrderConfirmationResponse { letter_bytes }))
    }
}

fn letter(email: &str, order: &Order) -> String {
    let line = |line: &crate::wire::OrderItem| {
        let item = line.item.clone().unwrap_or_default();
        let cost = line.cost.as_ref().map(shown).unwrap_or_default();
        format!("{} x {} at {cost}\r\n", item.quantity, item.product_id)
    };
    let lines: String = order.items.iter().map(line).collect();
    let total = order.total.as_ref().map(shown).unwrap_or_default();
    format!(
        "To: {email}\r\nSubject: Order {}\r\n\r\n{lines}Total {total}, parcel {}\r\n",
        order.order_id, order.shipping_tracking_id
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::dollars;
    use crate::wire::{CartItem, OrderItem};

    #[test]
    fn a_letter_lists_what_was_ordered() {
        let item = CartItem { product_id: "MUG".to_owned(), quantity: 2 };
        let line = OrderItem { item: Some(item), cost: Some(dollars(8, 99)) };
        let total = Some(dollars(17, 98));
        let letter = letter("a@b.example", &Order { items: vec![line], total, ..Order::default() });
        assert!(letter.contains("2 x MUG at $8.99\r\nTotal $17.98"), "{letter}");
    }
}
