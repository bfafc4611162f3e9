//! What visitors fill in.

use serde::Deserialize;

use crate::wire::{Address, CartItem, CreditCard, PlaceOrderRequest};

use super::refusal::Refusal;

/// Pieces that can be put into the cart at once.
const MOST: u32 = 10;
/// Characters of a field.
const LONGEST: usize = 512;

/// `POST /cart`.
#[derive(Debug, Deserialize)]
pub(super) struct ItemForm {
    product_id: String,
    quantity: u32,
}

impl ItemForm {
    /// Fails when nothing, or too much, is chosen.
    pub(super) fn item(self) -> Result<CartItem, Refusal> {
        if self.product_id.is_empty() || !(1..=MOST).contains(&self.quantity) {
            let message = format!("choose a product and 1 to {MOST} pieces of it");
            return Err(Refusal::form(message));
        }
        Ok(CartItem { product_id: self.product_id, quantity: self.quantity })
    }
}

/// `POST /setCurrency`.
#[derive(Debug, Deserialize)]
pub(super) struct CurrencyForm {
    pub(super) currency_code: String,
}

/// `POST /cart/checkout`.
#[derive(Debug, Deserialize)]
pub(super) struct OrderForm {
    email: String,
    street_address: String,
    zip_code: u32,
    city: String,
    state: String,
    country: String,
    credit_card_number: String,
    credit_card_expiration_month: u32,
    credit_card_expiration_year: u32,
    credit_card_cvv: u32,
}

impl OrderForm {
    /// The order of a session in a currency.
    ///
    /// Fails when a field is empty or too long, or the address of the letter is none.
    pub(super) fn request(
        self,
        session: &str,
        currency: &str,
    ) -> Result<PlaceOrderRequest, Refusal> {
        self.check()?;
        Ok(PlaceOrderRequest {
            user_id: session.to_owned(),
            user_currency: currency.to_owned(),
            address: Some(Address {
                street_address: self.street_address,
                city: self.city,
                state: self.state,
                country: self.country,
                zip_code: self.zip_code,
            }),
            email: self.email,
            credit_card: Some(CreditCard {
                number: self.credit_card_number,
                cvv: self.credit_card_cvv,
                expiration_year: self.credit_card_expiration_year,
                expiration_month: self.credit_card_expiration_month,
            }),
        })
    }

    fn check(&self) -> Result<(), Refusal> {
        let fields = [
            ("email", &self.email),
            ("street_address", &self.street_address),
            ("city", &self.city),
            ("state", &self.state),
            ("country", &self.country),
            ("credit_card_number", &self.credit_card_number),
        ];
        let wrong = |text: &str| text.trim().is_empty() || text.chars().count() > LONGEST;
        if let Some((field, _)) = fields.iter().find(|(_, text)| wrong(text)) {
            return Err(Refusal::form(format!(
                "fill in {field}, with at most {LONGEST} characters"
            )));
        }
        let is_address =
            self.email.split_once('@').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty());
        is_address.then_some(()).ok_or_else(|| Refusal::form("email is no address".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order() -> OrderForm {
        OrderForm {
            email: "a@b.example".to_owned(),
            street_address: "1 Street".to_owned(),
            zip_code: 94_043,
            city: "City".to_owned(),
            state: "ST".to_owned(),
            country: "Country".to_owned(),
            credit_card_number: "4432801561520454".to_owned(),
            credit_card_expiration_month: 1,
            credit_card_expiration_year: 2039,
            credit_card_cvv: 672,
        }
    }

    #[test]
    fn a_filled_form_is_an_order_and_one_with_holes_is_refused() {
        let request = order().request("s", "EUR").unwrap();
        assert_eq!((request.user_id.as_str(), request.user_currency.as_str()), ("s", "EUR"));
        assert_eq!(request.credit_card.unwrap().expiration_year, 2039);
        let holes: [fn(&mut OrderForm); 4] = [
            |form| form.city = " ".to_owned(),
            |form| form.email = "@b".to_owned(),
            |form| form.credit_card_number.clear(),
            |form| form.street_address = "x".repeat(513),
        ];
        for hole in holes {
            let mut form = order();
            hole(&mut form);
            assert!(form.request("s", "EUR").is_err());
        }
    }

    #[test]
    fn one_to_ten_pieces_go_into_a_cart_at_once() {
        let item = |quantity| ItemForm { product_id: "MUG".to_owned(), quantity }.item();
        assert_eq!(item(10).unwrap().quantity, 10);
        assert!(item(0).is_err() && item(11).is_err());
    }
}
