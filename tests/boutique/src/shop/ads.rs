//! Advertisements.

use tonic::{Request, Response, Status};

use crate::generated_names::number;
use crate::wire::ad_service_server::AdService;
use crate::wire::{Ad, GetAdsRequest, GetAdsResponse};

/// By category: what is advertised and what is said of it.
const ADS: [(&str, &str, &str); 7] = [
    ("clothing", "66VCHSJNUP", "Tank top for sale. Another one for free."),
    ("accessories", "1YMWWN1N4O", "Watch for sale. The second one is half as much."),
    ("footwear", "L9ECAV7KIM", "Loafers for sale. Left and right included."),
    ("hair", "2ZYFJ3GM2N", "Hairdryer for sale. Half off, all warm."),
    ("decor", "0PUK6V6EV0", "Candle holder for sale. Holds one candle."),
    ("kitchen", "9SIQT8TOJO", "Bamboo glass jar for sale. A tenth off."),
    ("kitchen", "6E92ZMYYFZ", "Mug for sale. Buy two, get three."),
];

/// The service.
#[derive(Debug)]
pub(super) struct Ads;

#[tonic::async_trait]
impl AdService for Ads {
    async fn get_ads(
        &self,
        request: Request<GetAdsRequest>,
    ) -> Result<Response<GetAdsResponse>, Status> {
        let keys = request.into_inner().context_keys;
        Ok(Response::new(GetAdsResponse { ads: ads(&keys, number()) }))
    }
}

/// Those of the categories, or any two, chosen by `chance`.
fn ads(keys: &[String], chance: u64) -> Vec<Ad> {
    let ad = |(_, product, text): &(&str, &str, &str)| Ad {
        redirect_url: format!("/product/{product}"),
        text: (*text).to_owned(),
    };
    let fitting = ADS.iter().filter(|(category, _, _)| keys.iter().any(|key| key == category));
    let fitting: Vec<Ad> = fitting.map(ad).collect();
    if fitting.is_empty() {
        let first = (chance % ADS.len() as u64) as usize;
        return ADS.iter().cycle().skip(first).take(2).map(ad).collect();
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_has_its_own_and_none_has_any_two() {
        let kitchen = ads(&["kitchen".to_owned()], 0);
        assert_eq!(kitchen.len(), 2);
        assert!(kitchen.iter().all(|ad| ad.text.contains("jar") || ad.text.contains("Mug")));
        for chance in 0..10 {
            assert_eq!(ads(&["garden".to_owned()], chance).len(), 2);
        }
    }
}
