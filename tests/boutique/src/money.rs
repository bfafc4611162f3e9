//! Amounts of money: units and billionths, never binary fractions.

use crate::wire::Money;

/// Billionths of a unit.
const NANOS: i128 = 1_000_000_000;

/// An amount in US dollars.
pub(crate) fn dollars(units: i64, cents: i32) -> Money {
    Money { currency_code: "USD".to_owned(), units, nanos: cents * 10_000_000 }
}

/// No money of a currency.
pub(crate) fn nothing(currency: &str) -> Money {
    Money { currency_code: currency.to_owned(), units: 0, nanos: 0 }
}

/// So many times an amount.
pub(crate) fn times(money: &Money, count: u32) -> Money {
    of_nanos(&money.currency_code, nanos(money) * i128::from(count))
}

/// The sum of two amounts; `None` when they are in different currencies.
pub(crate) fn sum(a: &Money, b: &Money) -> Option<Money> {
    let same = a.currency_code == b.currency_code;
    same.then(|| of_nanos(&a.currency_code, nanos(a) + nanos(b)))
}

/// An amount as it stands on a page: `$19.99`, rounded to hundredths.
pub(crate) fn shown(money: &Money) -> String {
    let cents = (nanos(money) + NANOS / 200).div_euclid(NANOS / 100);
    let (units, cents) = (cents.div_euclid(100), cents.rem_euclid(100));
    format!("{}{units}.{cents:02}", crate::exchange::sign(&money.currency_code))
}

/// An amount in billionths.
pub(crate) fn nanos(money: &Money) -> i128 {
    i128::from(money.units) * NANOS + i128::from(money.nanos)
}

/// From billionths; what is above all units of 64 bits is the largest amount there is.
pub(crate) fn of_nanos(currency: &str, nanos: i128) -> Money {
    let units = i64::try_from(nanos.div_euclid(NANOS)).unwrap_or(i64::MAX);
    let rest = nanos.rem_euclid(NANOS) as i32;
    Money { currency_code: currency.to_owned(), units, nanos: rest }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_carry_into_units() {
        let price = dollars(19, 99);
        assert_eq!(times(&price, 3), dollars(59, 97));
        assert_eq!(sum(&price, &dollars(0, 2)), Some(dollars(20, 1)));
        assert_eq!(sum(&price, &nothing("EUR")), None);
    }

    #[test]
    fn an_amount_is_shown_with_its_sign_and_two_digits() {
        assert_eq!(shown(&dollars(8, 5)), "$8.05");
        assert_eq!(shown(&of_nanos("EUR", 17_995_000_000)), "€18.00");
        assert_eq!(shown(&of_nanos("CHF", 1)), "CHF 0.00");
    }
}
