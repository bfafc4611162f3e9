//! Payments.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tonic::{Request, Response, Status};

use crate::generated_names::identifier;
use crate::wire::payment_service_server::PaymentService;
use crate::wire::{ChargeRequest, ChargeResponse, CreditCard};

use super::required;

/// The service.
#[derive(Debug)]
pub(super) struct Payments;

#[tonic::async_trait]
impl PaymentService for Payments {
    async fn charge(
        &self,
        request: Request<ChargeRequest>,
    ) -> Result<Response<ChargeResponse>, Status> {
        let request = request.into_inner();
        required(request.amount, "amount")?;
        let card = required(request.credit_card, "credit_card")?;
        let today = Timestamp::now().to_zoned(TimeZone::UTC);
        check(&card, i64::from(today.year()), i64::from(today.month()))
            .map_err(Status::invalid_argument)?;
        Ok(Response::new(ChargeResponse { transaction_id: identifier() }))
    }
}

/// Why a card is refused in this month of this year, if it is.
fn check(card: &CreditCard, year: i64, month: i64) -> Result<(), &'static str> {
    let digits: Option<Vec<u32>> = card
        .number
        .chars()
        .filter(|letter| !matches!(letter, ' ' | '-'))
        .map(|letter| letter.to_digit(10))
        .collect();
    let digits = digits.filter(|digits| (13..=19).contains(&digits.len()) && luhn(digits));
    if !matches!(digits.ok_or("the card's number is none")?.first(), Some(4 | 5)) {
        return Err("only Visa and MasterCard are taken");
    }
    let last = (i64::from(card.expiration_year), i64::from(card.expiration_month));
    if !(1..=12).contains(&last.1) || last < (year, month) {
        return Err("the card has expired");
    }
    Ok(())
}

/// The check digit fits.
fn luhn(digits: &[u32]) -> bool {
    let weighed = digits.iter().rev().enumerate().map(|(place, digit)| match place % 2 {
        0 => *digit,
        _ => digit * 2 / 10 + digit * 2 % 10,
    });
    weighed.sum::<u32>().is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(number: &str, year: u32, month: u32) -> CreditCard {
        let number = number.to_owned();
        CreditCard { number, cvv: 672, expiration_year: year, expiration_month: month }
    }

    #[test]
    fn a_card_is_taken_until_its_month_ends() {
        let number = "4432-8015 6152-0454";
        assert_eq!(check(&card(number, 2030, 5), 2030, 5), Ok(()));
        assert_eq!(check(&card(number, 2031, 1), 2030, 5), Ok(()));
        assert!(check(&card(number, 2030, 4), 2030, 5).is_err());
        assert!(check(&card(number, 2031, 13), 2030, 5).is_err());
    }

    #[test]
    fn a_number_that_is_none_and_another_kind_are_refused() {
        let why = |number| check(&card(number, 2040, 1), 2030, 1).unwrap_err();
        assert_eq!(why("4432-8015-6152-0455"), "the card's number is none");
        assert_eq!(why("4432a8015"), "the card's number is none");
        assert_eq!(why(""), "the card's number is none");
        assert_eq!(why("3400 0000 0000 009"), "only Visa and MasterCard are taken");
    }
}
