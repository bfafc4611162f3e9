//! Currencies and what they are worth.

use crate::money::{nanos, of_nanos};
use crate::wire::Money;

/// Currencies, and how many millionths of each a euro buys: rounded, of some day, for ever.
const RATES: [(&str, i128); 16] = [
    ("EUR", 1_000_000),
    ("USD", 1_130_500),
    ("JPY", 126_400_000),
    ("GBP", 859_700),
    ("CAD", 1_512_800),
    ("TRY", 6_124_700),
    ("CHF", 1_136_000),
    ("SEK", 10_537_500),
    ("NOK", 9_804_000),
    ("DKK", 7_460_900),
    ("PLN", 4_299_600),
    ("CZK", 25_592_000),
    ("AUD", 1_607_200),
    ("CNY", 7_585_700),
    ("INR", 79_432_000),
    ("BRL", 4_349_000),
];

/// Those a visitor may choose, with the signs of their amounts.
const OFFERED: [(&str, &str); 6] =
    [("USD", "$"), ("EUR", "€"), ("CAD", "$"), ("JPY", "¥"), ("GBP", "£"), ("TRY", "₺")];

/// Codes of all currencies.
pub(crate) fn codes() -> Vec<String> {
    RATES.iter().map(|(code, _)| (*code).to_owned()).collect()
}

/// Whether a visitor may choose the currency.
pub(crate) fn is_offered(code: &str) -> bool {
    OFFERED.iter().any(|(offered, _)| *offered == code)
}

/// What stands before an amount of the currency.
pub(crate) fn sign(code: &str) -> String {
    let found = OFFERED.iter().find(|(offered, _)| *offered == code);
    found.map_or_else(|| format!("{code} "), |(_, sign)| (*sign).to_owned())
}

/// The amount in currency `to`, rounded down; `None` when one of the two currencies is unknown.
pub(crate) fn convert(from: &Money, to: &str) -> Option<Money> {
    let rate = |code: &str| RATES.iter().find(|(known, _)| *known == code).map(|(_, rate)| *rate);
    let (sold, bought) = (rate(&from.currency_code)?, rate(to)?);
    Some(of_nanos(to, nanos(from) * bought / sold))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::dollars;

    #[test]
    fn a_currency_is_worth_itself_and_an_unknown_one_nothing() {
        assert_eq!(convert(&dollars(19, 99), "USD"), Some(dollars(19, 99)));
        assert_eq!(convert(&dollars(1, 0), "XXX"), None);
        let euros = convert(&of_nanos("USD", 1_130_500_000), "EUR");
        assert_eq!(euros, Some(of_nanos("EUR", 1_000_000_000)));
    }

    #[test]
    fn what_is_offered_can_be_converted() {
        assert!(OFFERED.iter().all(|(code, _)| convert(&dollars(1, 0), code).is_some()));
        assert!(is_offered("JPY") && !is_offered("CHF") && codes().contains(&"CHF".to_owned()));
    }
}
