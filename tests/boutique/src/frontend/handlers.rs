//! What each path does. The order of the calls is that of the Online Boutique's frontend.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::header::{LOCATION, REFERER};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use futures::future::try_join_all;
use tonic::Status;

use crate::exchange::is_offered;
use crate::money::{nothing, sum, times};
use crate::wire::{CartItem, Money};

use super::Shop;
use super::forms::{CurrencyForm, ItemForm, OrderForm};
use super::page::{Frame, Line, pieces};
use super::refusal::Refusal;
use super::visitor::{SetCookies, Visitor};

type Filled<T> = Result<Form<T>, FormRejection>;

/// `GET /`
pub(super) async fn home(State(shop): State<Shop>, visitor: Visitor) -> Result<Response, Refusal> {
    let currencies = shop.backend.currencies().await?;
    let products = shop.backend.products(&visitor.currency).await?;
    let cart = shop.backend.cart(&visitor.session).await?;
    let ad = shop.backend.ad(Vec::new()).await;
    let frame = Frame { visitor: &visitor, currencies: &currencies, pieces: pieces(&cart) };
    Ok(shop.shown(&visitor, frame.home(&products, ad.as_ref())))
}

/// `GET /product/{id}`
pub(super) async fn product(
    State(shop): State<Shop>,
    Path(id): Path<String>,
    visitor: Visitor,
) -> Result<Response, Refusal> {
    let product = shop.backend.product(&id).await?;
    let currencies = shop.backend.currencies().await?;
    let cart = shop.backend.cart(&visitor.session).await?;
    let product = shop.backend.priced(product, &visitor.currency).await?;
    let others = shop.backend.recommended(&visitor.session, vec![id]).await?;
    let ad = shop.backend.ad(product.0.categories.clone()).await;
    let frame = Frame { visitor: &visitor, currencies: &currencies, pieces: pieces(&cart) };
    Ok(shop.shown(&visitor, frame.product(&product, &others, ad.as_ref())))
}

/// `GET /cart`
pub(super) async fn cart(State(shop): State<Shop>, visitor: Visitor) -> Result<Response, Refusal> {
    let currencies = shop.backend.currencies().await?;
    let cart = shop.backend.cart(&visitor.session).await?;
    let ids = cart.iter().map(|item| item.product_id.clone()).collect();
    let others = shop.backend.recommended(&visitor.session, ids).await?;
    let shipping = shop.backend.shipping_cost(&cart, &visitor.currency).await?;
    let lines = cart.iter().map(|item| shop.line(item, &visitor.currency));
    let lines = try_join_all(lines).await?;
    let total = total(&lines, &shipping, &visitor.currency)?;
    let frame = Frame { visitor: &visitor, currencies: &currencies, pieces: pieces(&cart) };
    Ok(shop.shown(&visitor, frame.cart(&lines, &shipping, &total, &others)))
}

/// `POST /cart`
pub(super) async fn add_to_cart(
    State(shop): State<Shop>,
    visitor: Visitor,
    form: Filled<ItemForm>,
) -> Result<Response, Refusal> {
    let item = form?.0.item()?;
    shop.backend.product(&item.product_id).await?;
    shop.backend.add_to_cart(&visitor.session, item).await?;
    Ok(elsewhere("/cart", visitor.session_cookie()))
}

/// `POST /cart/empty`
pub(super) async fn empty_cart(
    State(shop): State<Shop>,
    visitor: Visitor,
) -> Result<Response, Refusal> {
    shop.backend.empty_cart(&visitor.session).await?;
    Ok(elsewhere("/", visitor.session_cookie()))
}

/// `POST /cart/checkout`
pub(super) async fn place_order(
    State(shop): State<Shop>,
    visitor: Visitor,
    form: Filled<OrderForm>,
) -> Result<Response, Refusal> {
    let request = form?.0.request(&visitor.session, &visitor.currency)?;
    let order = shop.backend.place_order(request).await?;
    let others = shop.backend.recommended(&visitor.session, Vec::new()).await?;
    let currencies = shop.backend.currencies().await?;
    let frame = Frame { visitor: &visitor, currencies: &currencies, pieces: 0 };
    Ok(shop.shown(&visitor, frame.order(&order, &others)))
}

/// `POST /setCurrency`
pub(super) fn set_currency(
    visitor: &Visitor,
    headers: &HeaderMap,
    form: Filled<CurrencyForm>,
) -> Result<Response, Refusal> {
    let code = form?.0.currency_code;
    if !is_offered(&code) {
        return Err(Refusal::form("choose a currency that the pages offer".to_owned()));
    }
    Ok(elsewhere(&came_from(headers), visitor.cookies_with(&code)))
}

/// `GET /logout`
pub(super) fn logout() -> Response {
    elsewhere("/", Visitor::forgotten())
}

/// Every other path.
pub(super) fn nowhere(uri: &Uri) -> Refusal {
    Refusal::nowhere(uri.path())
}

impl Shop {
    fn shown(&self, visitor: &Visitor, page: String) -> Response {
        self.visits.keep(&visitor.session);
        (visitor.session_cookie(), Html(page)).into_response()
    }

    async fn line(&self, item: &CartItem, currency: &str) -> Result<Line, Status> {
        let product = self.backend.product(&item.product_id).await?;
        let (product, price) = self.backend.priced(product, currency).await?;
        Ok(Line { product, quantity: item.quantity, price })
    }
}

fn total(lines: &[Line], shipping: &Money, currency: &str) -> Result<Money, Status> {
    let costs = lines.iter().map(|line| times(&line.price, line.quantity));
    let goods = costs.into_iter().try_fold(nothing(currency), |all, cost| sum(&all, &cost));
    let total = goods.and_then(|goods| sum(&goods, shipping));
    total.ok_or_else(|| Status::internal("the prices are in different currencies"))
}

/// The path of the page with the form. Another site's is not gone to.
fn came_from(headers: &HeaderMap) -> String {
    let referer = headers.get(REFERER).and_then(|value| value.to_str().ok());
    let uri = referer.and_then(|text| text.parse::<Uri>().ok());
    uri.map_or_else(|| "/".to_owned(), |uri| uri.path().to_owned())
}

/// Status 302, as the Online Boutique answers a form.
fn elsewhere<const N: usize>(path: &str, cookies: SetCookies<N>) -> Response {
    (StatusCode::FOUND, cookies, [(LOCATION, path.to_owned())]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_goes_back_to_the_page_of_this_site() {
        let from = |referer: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REFERER, referer.parse().unwrap());
            came_from(&headers)
        };
        assert_eq!(from("http://elsewhere.example/product/6E92ZMYYFZ?x=1"), "/product/6E92ZMYYFZ");
        assert_eq!(from("no uri"), "/");
        assert_eq!(came_from(&HeaderMap::new()), "/");
    }
}
