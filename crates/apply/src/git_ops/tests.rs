use jiff::Timestamp;
use mora_core::{ApplyMode, Millicores};

use super::*;
use crate::fake::{Ask, plan};
use crate::{ApplyConfig, intents};

fn intents_of(asks: &[Ask]) -> Vec<Intent> {
    let config = ApplyConfig { default_mode: ApplyMode::GitOps, ..ApplyConfig::default() };
    intents(&plan(asks), &config, Timestamp::UNIX_EPOCH).changes
}

fn read(folder: &Path, name: &str) -> Value {
    let text = fs::read_to_string(folder.join(name)).unwrap();
    serde_saphyr::from_str(&text).unwrap()
}

#[test]
fn a_patch_says_all_that_a_container_is_to_claim_and_the_list_who_it_is_for() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("mora");
    write_patches(&folder, &intents_of(&[Ask::raise("shop/StatefulSet/redis", 1)])).unwrap();
    let patch = read(&folder, "shop.statefulset.redis.yaml");
    assert_eq!(patch["kind"], "StatefulSet");
    assert_eq!(
        patch["spec"]["template"]["spec"]["containers"],
        json!([{"name": "server", "resources": {"requests": {"cpu": "150m", "memory": "64Mi"}}}])
    );
    let list = read(&folder, KUSTOMIZATION);
    assert_eq!(list["kind"], "Component");
    assert_eq!(
        list["patches"],
        json!([{
            "path": "shop.statefulset.redis.yaml",
            "target": {"group": "apps", "version": "v1", "kind": "StatefulSet", "name": "redis", "namespace": "shop"},
        }])
    );
}

#[test]
fn patches_of_earlier_plans_stay_listed_and_what_does_not_change_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write_patches(folder, &intents_of(&[Ask::raise("shop/cart", 1)])).unwrap();
    let changes = write_patches(folder, &intents_of(&[Ask::raise("shop/front", 1)])).unwrap();
    assert_eq!(changes.iter().filter(|change| change.is_change()).count(), 2);
    let listed = read(folder, KUSTOMIZATION)["patches"].as_array().unwrap().len();
    assert_eq!(listed, 2);
    let again = write_patches(folder, &intents_of(&[Ask::raise("shop/front", 1)])).unwrap();
    assert!(again.iter().all(|change| !change.is_change() && change.diff().is_empty()));
    let other = Ask { to: (200, 64), ..Ask::raise("shop/front", 1) };
    let changes = write_patches(folder, &intents_of(&[other])).unwrap();
    let diff = changes[0].diff();
    assert!(diff.contains("-            cpu: 150m") || diff.contains("cpu: 150m"), "{diff}");
    assert!(diff.contains("+++ b/shop.deployment.front.yaml") && diff.contains("200m"), "{diff}");
    assert_eq!(fs::read_dir(folder).unwrap().count(), 3, "nothing unfinished is left");
}

#[test]
fn a_limit_that_is_to_go_is_null() {
    let mut intents = intents_of(&[Ask::raise("shop/cart", 1)]);
    let asked = intents[0].containers.get_mut("server").unwrap();
    asked.from.cpu_limit = Some(Millicores::new(200));
    assert_eq!(
        patch(&intents[0])["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"],
        json!({"cpu": null})
    );
}

#[test]
fn a_kustomization_of_somebody_else_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join(KUSTOMIZATION);
    fs::write(&theirs, "resources: [app.yaml]\n").unwrap();
    let refused = write_patches(folder.path(), &intents_of(&[Ask::raise("shop/cart", 1)]));
    assert!(matches!(refused, Err(GitOpsError::Foreign(path)) if path == theirs));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
