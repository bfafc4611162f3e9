//! The services, as the Online Boutique names them, and what each of them needs.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// One of the eleven services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum ServiceName {
    Frontend,
    Ad,
    Cart,
    Checkout,
    Currency,
    Email,
    Payment,
    ProductCatalog,
    Recommendation,
    Shipping,
    RedisCart,
}

use ServiceName::{
    Ad, Cart, Checkout, Currency, Email, Frontend, Payment, ProductCatalog, Recommendation,
    RedisCart, Shipping,
};

/// A name that no service has.
#[derive(Debug, Error)]
#[error("there is no service `{0}`; write one of {known}", known = known())]
pub(crate) struct UnknownService(String);

impl UnknownService {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.to_owned())
    }
}

fn known() -> String {
    ServiceName::ALL.map(ServiceName::as_str).join(", ")
}

impl ServiceName {
    /// Every service, callers before what they call.
    pub(crate) const ALL: [Self; 11] = [
        Frontend,
        Ad,
        Checkout,
        Recommendation,
        Cart,
        Currency,
        Email,
        Payment,
        ProductCatalog,
        Shipping,
        RedisCart,
    ];

    /// The name of its workload.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Frontend => "frontend",
            Ad => "adservice",
            Cart => "cartservice",
            Checkout => "checkoutservice",
            Currency => "currencyservice",
            Email => "emailservice",
            Payment => "paymentservice",
            ProductCatalog => "productcatalogservice",
            Recommendation => "recommendationservice",
            Shipping => "shippingservice",
            RedisCart => "redis-cart",
        }
    }

    /// The environment variable in which its callers find its address.
    pub(crate) const fn address_variable(self) -> &'static str {
        match self {
            Frontend => "FRONTEND_ADDR",
            Ad => "AD_SERVICE_ADDR",
            Cart => "CART_SERVICE_ADDR",
            Checkout => "CHECKOUT_SERVICE_ADDR",
            Currency => "CURRENCY_SERVICE_ADDR",
            Email => "EMAIL_SERVICE_ADDR",
            Payment => "PAYMENT_SERVICE_ADDR",
            ProductCatalog => "PRODUCT_CATALOG_SERVICE_ADDR",
            Recommendation => "RECOMMENDATION_SERVICE_ADDR",
            Shipping => "SHIPPING_SERVICE_ADDR",
            RedisCart => "REDIS_ADDR",
        }
    }

    /// The port it listens on where neither `PORT` nor a flag says another.
    pub(crate) const fn default_port(self) -> u16 {
        match self {
            Frontend | Email | Recommendation => 8080,
            Ad => 9555,
            Cart => 7070,
            Checkout => 5050,
            Currency => 7000,
            Payment | Shipping => 50_051,
            ProductCatalog => 3550,
            RedisCart => 6379,
        }
    }

    /// The services it calls.
    pub(crate) const fn callees(self) -> &'static [Self] {
        match self {
            Frontend => &[Ad, Cart, Checkout, Currency, ProductCatalog, Recommendation, Shipping],
            Checkout => &[Cart, Currency, Email, Payment, ProductCatalog, Shipping],
            Recommendation => &[ProductCatalog],
            Cart => &[RedisCart],
            Ad | Currency | Email | Payment | ProductCatalog | Shipping | RedisCart => &[],
        }
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ServiceName {
    type Err = UnknownService;

    fn from_str(name: &str) -> Result<Self, UnknownService> {
        let found = Self::ALL.into_iter().find(|service| service.as_str() == name);
        found.ok_or_else(|| UnknownService::new(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_another_is_refused_with_those_there_are() {
        for service in ServiceName::ALL {
            assert_eq!(service.as_str().parse::<ServiceName>().unwrap(), service);
        }
        let refused = "cart".parse::<ServiceName>().unwrap_err().to_string();
        assert!(refused.contains("cartservice, currencyservice"), "{refused}");
    }

    #[test]
    fn all_but_the_frontend_are_called_and_none_calls_itself_through_others() {
        for service in ServiceName::ALL {
            let called = ServiceName::ALL.iter().any(|caller| caller.callees().contains(&service));
            assert_eq!(called, service != Frontend, "{service}");
            let place = |s| ServiceName::ALL.iter().position(|other| *other == s).unwrap();
            assert!(service.callees().iter().all(|callee| place(*callee) > place(service)));
        }
    }
}
