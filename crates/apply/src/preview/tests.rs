use jiff::Timestamp;

use super::*;
use crate::fake::{Ask, Fake, plan, requests};
use crate::intents;

async fn shown(mode: ApplyMode, fake: &Fake) -> Preview {
    let config = ApplyConfig { default_mode: mode, ..ApplyConfig::default() };
    let plan = plan(&[Ask::raise("shop/cart", 1)]);
    let intent = intents(&plan, &config, Timestamp::UNIX_EPOCH).changes.remove(0);
    preview("p1", &intent, Some(fake), &config).await
}

#[tokio::test]
async fn a_dry_run_shows_the_difference_of_each_mode_and_changes_nothing() {
    let fake = Fake::new();
    fake.add("shop/cart", Some(requests("100m", "64Mi")), 2);
    for (mode, headline) in [
        (ApplyMode::Patch, "+++ shop/Deployment/cart, plan p1, patch, wave 1"),
        (
            ApplyMode::InPlace,
            "+++ shop/Deployment/cart (pods cart-0, cart-1), plan p1, in_place, wave 1",
        ),
        (ApplyMode::Vpa, "+++ shop/Deployment/cart (VerticalPodAutoscaler), plan p1, vpa, wave 1"),
        (ApplyMode::GitOps, "+++ b/shop.deployment.cart.yaml"),
    ] {
        let preview = shown(mode, &fake).await;
        assert_eq!(preview.left, None);
        assert!(preview.diff.contains(headline), "{}", preview.diff);
        assert!(preview.diff.contains("cpu: 150m"), "{}", preview.diff);
    }
    assert!(fake.state().log.is_empty());
    assert!(!Path::new("mora").exists());
}

#[tokio::test]
async fn a_dry_run_says_what_would_be_left_alone() {
    let fake = Fake::new();
    fake.add("shop/cart", Some(requests("120m", "64Mi")), 1);
    let preview = shown(ApplyMode::Patch, &fake).await;
    assert!(preview.left.unwrap().starts_with("conflict"));
    assert_eq!(preview.diff, "");
}
