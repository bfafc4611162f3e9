//! HTML.

use crate::money::{shown, times};
use crate::wire::{Ad, CartItem, Money, Order, Product};

use super::visitor::Visitor;

/// A line of a cart: what it is, how many, and what one costs.
pub(super) struct Line {
    pub(super) product: Product,
    pub(super) quantity: u32,
    pub(super) price: Money,
}

/// What is on every page.
pub(super) struct Frame<'a> {
    pub(super) visitor: &'a Visitor,
    pub(super) currencies: &'a [String],
    /// Pieces in the cart.
    pub(super) pieces: u32,
}

/// Text as it may stand in HTML.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// The pieces of a cart.
pub(super) fn pieces(items: &[CartItem]) -> u32 {
    items.iter().map(|item| item.quantity).fold(0, u32::saturating_add)
}

impl Frame<'_> {
    /// The first page: all products and an advertisement.
    pub(super) fn home(&self, products: &[(Product, Money)], ad: Option<&Ad>) -> String {
        let cards: String = products.iter().map(|(product, price)| card(product, price)).collect();
        self.page("Hot Products", &format!("<div class=\"products\">{cards}</div>{}", banner(ad)))
    }

    /// One product, what else there is, and an advertisement.
    pub(super) fn product(
        &self,
        (product, price): &(Product, Money),
        others: &[Product],
        ad: Option<&Ad>,
    ) -> String {
        let (id, name) = (escaped(&product.id), escaped(&product.name));
        let (description, price) = (escaped(&product.description), shown(price));
        let body = format!(
            "<p class=\"product-price\">{price}</p><p>{description}</p>\
             <form method=\"POST\" action=\"/cart\"><input type=\"hidden\" name=\"product_id\" value=\"{id}\"/>\
             <input type=\"number\" name=\"quantity\" value=\"1\" min=\"1\" max=\"10\"/>\
             <button type=\"submit\">Add To Cart</button></form>{}{}",
            recommended(others),
            banner(ad)
        );
        self.page(&name, &body)
    }

    /// The cart and the form of an order.
    pub(super) fn cart(
        &self,
        lines: &[Line],
        shipping: &Money,
        total: &Money,
        others: &[Product],
    ) -> String {
        if lines.is_empty() {
            let body = format!("<p>Your shopping cart is empty!</p>{}", recommended(others));
            return self.page("Cart", &body);
        }
        let rows: String = lines.iter().map(row).collect();
        let body = format!(
            "<table class=\"cart\">{rows}<tr><td>Shipping</td><td>{}</td></tr>\
             <tr><td>Total</td><td class=\"total\">{}</td></tr></table>\
             <form method=\"POST\" action=\"/cart/empty\"><button type=\"submit\">Empty Cart</button></form>\
             {CHECKOUT}{}",
            shown(shipping),
            shown(total),
            recommended(others)
        );
        self.page(&format!("Cart ({})", self.pieces), &body)
    }

    /// An order that was placed.
    pub(super) fn order(&self, order: &Order, others: &[Product]) -> String {
        let total = order.total.as_ref().map(shown).unwrap_or_default();
        let body = format!(
            "<p>We've sent you a confirmation email.</p>\
             <dl><dt>Confirmation #</dt><dd class=\"order-id\">{}</dd>\
             <dt>Tracking #</dt><dd>{}</dd><dt>Total Paid</dt><dd>{total}</dd></dl>{}",
            escaped(&order.order_id),
            escaped(&order.shipping_tracking_id),
            recommended(others)
        );
        self.page("Your order is complete!", &body)
    }

    fn page(&self, title: &str, body: &str) -> String {
        let chosen = |code: &str| if code == self.visitor.currency { " selected" } else { "" };
        let option =
            |code: &String| format!("<option value=\"{code}\"{}>{code}</option>", chosen(code));
        let options: String = self.currencies.iter().map(option).collect();
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/><title>Online Boutique</title></head>\
             <body><header><a href=\"/\">Online Boutique</a>\
             <form method=\"POST\" action=\"/setCurrency\"><select name=\"currency_code\">{options}</select></form>\
             <a href=\"/cart\">Cart <span class=\"cart-size\">{}</span></a></header>\
             <main><h1>{title}</h1>{body}</main>\
             <footer><a href=\"/logout\">Log out</a> session-id: {}</footer></body></html>\n",
            self.pieces,
            escaped(&self.visitor.session)
        )
    }
}

/// The form of an order, filled in with a card of nobody.
const CHECKOUT: &str = "<form method=\"POST\" action=\"/cart/checkout\">\
    <input type=\"email\" name=\"email\" value=\"someone@example.com\"/>\
    <input name=\"street_address\" value=\"1600 Example Parkway\"/>\
    <input name=\"zip_code\" value=\"94043\"/><input name=\"city\" value=\"Mountain View\"/>\
    <input name=\"state\" value=\"CA\"/><input name=\"country\" value=\"United States\"/>\
    <input name=\"credit_card_number\" value=\"4432801561520454\"/>\
    <input name=\"credit_card_expiration_month\" value=\"1\"/>\
    <input name=\"credit_card_expiration_year\" value=\"2039\"/>\
    <input name=\"credit_card_cvv\" value=\"672\"/>\
    <button type=\"submit\">Place Order</button></form>";

fn card(product: &Product, price: &Money) -> String {
    let (id, name) = (escaped(&product.id), escaped(&product.name));
    format!(
        "<div class=\"product\"><a href=\"/product/{id}\">{name}</a> <span class=\"price\">{}</span></div>",
        shown(price)
    )
}

fn row(line: &Line) -> String {
    let (id, name) = (escaped(&line.product.id), escaped(&line.product.name));
    let price = shown(&times(&line.price, line.quantity));
    format!(
        "<tr><td><a href=\"/product/{id}\">{name}</a></td><td>SKU #{id}</td>\
         <td>Quantity: {}</td><td>{price}</td></tr>",
        line.quantity
    )
}

fn recommended(products: &[Product]) -> String {
    if products.is_empty() {
        return String::new();
    }
    let link = |product: &Product| {
        let (id, name) = (escaped(&product.id), escaped(&product.name));
        format!("<li><a href=\"/product/{id}\">{name}</a></li>")
    };
    let links: String = products.iter().map(link).collect();
    format!(
        "<section class=\"recommendations\"><h2>You May Also Like</h2><ul>{links}</ul></section>"
    )
}

fn banner(ad: Option<&Ad>) -> String {
    let banner = |ad: &Ad| {
        let (target, text) = (escaped(&ad.redirect_url), escaped(&ad.text));
        format!("<aside class=\"ad\">Ad <a href=\"{target}\">{text}</a></aside>")
    };
    ad.map(banner).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::dollars;

    fn shakers() -> Product {
        Product {
            id: "LS4PSXUNUM".to_owned(),
            name: "Salt & Pepper <Shakers>".to_owned(),
            ..Product::default()
        }
    }

    #[test]
    fn nothing_of_a_product_is_taken_for_html() {
        assert!(card(&shakers(), &dollars(18, 49)).contains("Salt &amp; Pepper &lt;Shakers&gt;"));
    }

    #[test]
    fn a_cart_shows_lines_shipping_and_total() {
        let visitor = Visitor { session: "s-1".to_owned(), currency: "USD".to_owned() };
        let currencies = ["EUR".to_owned(), "USD".to_owned()];
        let frame = Frame { visitor: &visitor, currencies: &currencies, pieces: 2 };
        let line = Line { product: shakers(), quantity: 2, price: dollars(18, 49) };
        let page = frame.cart(&[line], &dollars(8, 99), &dollars(45, 97), &[]);
        for part in ["Cart (2)", "Quantity: 2", "$36.98", "$8.99", "$45.97", "Place Order"] {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert!(page.contains("<option value=\"USD\" selected>"));
        let empty = frame.cart(&[], &dollars(0, 0), &dollars(0, 0), &[shakers()]);
        assert!(
            empty.contains("Your shopping cart is empty!") && empty.contains("You May Also Like")
        );
    }
}
