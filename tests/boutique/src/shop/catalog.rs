//! The catalogue.

use tonic::{Request, Response, Status};

use crate::money::dollars;
use crate::wire::product_catalog_service_server::ProductCatalogService;
use crate::wire::{
    GetProductRequest, GetProductResponse, ListProductsRequest, ListProductsResponse, Product,
};

/// Identifier, name, description, dollars, cents, category: the nine products of the Online Boutique at its prices.
const PRODUCTS: [(&str, &str, &str, i64, i32, &str); 9] = [
    ("OLJCESPC7Z", "Sunglasses", "Dark glass for bright days.", 19, 99, "accessories"),
    ("66VCHSJNUP", "Tank Top", "Cotton, and little of it.", 18, 99, "clothing"),
    ("1YMWWN1N4O", "Watch", "Gold-toned steel that tells the time.", 109, 99, "accessories"),
    ("L9ECAV7KIM", "Loafers", "Shoes without laces.", 89, 99, "footwear"),
    ("2ZYFJ3GM2N", "Hairdryer", "Three heats, one cord.", 24, 99, "hair"),
    ("0PUK6V6EV0", "Candle Holder", "For one candle of any length.", 18, 99, "decor"),
    ("LS4PSXUNUM", "Salt & Pepper Shakers", "Two of a kind, one of each.", 18, 49, "kitchen"),
    ("9SIQT8TOJO", "Bamboo Glass Jar", "Glass below, bamboo above.", 5, 49, "kitchen"),
    ("6E92ZMYYFZ", "Mug", "With one handle, for either hand.", 8, 99, "kitchen"),
];

/// The service.
#[derive(Debug)]
pub(super) struct Catalog;

#[tonic::async_trait]
impl ProductCatalogService for Catalog {
    async fn list_products(
        &self,
        _: Request<ListProductsRequest>,
    ) -> Result<Response<ListProductsResponse>, Status> {
        Ok(Response::new(ListProductsResponse { products: products().collect() }))
    }

    async fn get_product(
        &self,
        request: Request<GetProductRequest>,
    ) -> Result<Response<GetProductResponse>, Status> {
        let id = request.into_inner().id;
        let product = products().find(|product| product.id == id);
        let product = product.ok_or_else(|| Status::not_found(format!("no product `{id}`")))?;
        Ok(Response::new(GetProductResponse { product: Some(product) }))
    }
}

fn products() -> impl Iterator<Item = Product> {
    PRODUCTS.iter().map(|(id, name, description, units, cents, category)| Product {
        id: (*id).to_owned(),
        name: (*name).to_owned(),
        description: (*description).to_owned(),
        price: Some(dollars(*units, *cents)),
        categories: vec![(*category).to_owned()],
    })
}
