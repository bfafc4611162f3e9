//! What else a visitor may like.

use tonic::{Request, Response, Status};

use crate::generated_names::number;
use crate::peer::Peer;
use crate::wire::product_catalog_service_client::ProductCatalogServiceClient;
use crate::wire::recommendation_service_server::RecommendationService;
use crate::wire::{ListProductsRequest, ListRecommendationsRequest, ListRecommendationsResponse};

/// How many are recommended, as in the Online Boutique; the frontend looks each of them up.
const MOST: usize = 5;

/// The service.
#[derive(Debug)]
pub(super) struct Recommendations {
    pub(super) catalog: Peer,
}

#[tonic::async_trait]
impl RecommendationService for Recommendations {
    async fn list_recommendations(
        &self,
        request: Request<ListRecommendationsRequest>,
    ) -> Result<Response<ListRecommendationsResponse>, Status> {
        let send = |link, request| async move {
            ProductCatalogServiceClient::new(link).list_products(request).await
        };
        let catalog = self.catalog.call(ListProductsRequest {}, send).await?;
        let all = catalog.products.into_iter().map(|product| product.id).collect();
        let product_ids = others(all, &request.into_inner().product_ids, number());
        Ok(Response::new(ListRecommendationsResponse { product_ids }))
    }
}

/// At most five of `all` that are not `seen`, beginning where `chance` says.
fn others(all: Vec<String>, seen: &[String], chance: u64) -> Vec<String> {
    let mut others: Vec<String> = all.into_iter().filter(|id| !seen.contains(id)).collect();
    if !others.is_empty() {
        let first = (chance % others.len() as u64) as usize;
        others.rotate_left(first);
    }
    others.truncate(MOST);
    others
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(text: &str) -> Vec<String> {
        text.chars().map(String::from).collect()
    }

    #[test]
    fn what_was_seen_is_not_recommended() {
        for chance in 0..9 {
            let others = others(ids("abcdefg"), &ids("cf"), chance);
            assert_eq!(others.len(), 5);
            assert!(others.iter().all(|id| id != "c" && id != "f"));
        }
        assert!(others(ids("ab"), &ids("ab"), 1).is_empty());
    }
}
