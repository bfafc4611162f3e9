use jiff::{SignedDuration, Timestamp};
use mora_core::{InventoryItem, InventoryPod, OwnerKind, OwnerRef, Step};

use super::*;
use crate::Dialect;

fn settings() -> QuerySettings {
    QuerySettings {
        dialect: Dialect::Own,
        at: Timestamp::UNIX_EPOCH,
        lookback: SignedDuration::from_hours(168),
        step: Step::from_seconds(300).unwrap(),
        scrape_interval: Step::MINUTE,
        cpu_quantile: 0.95,
        hours: None,
        cluster: None,
        oom_kills: false,
    }
}

fn item(namespace: &str, name: &str, pods: usize) -> InventoryItem {
    let pod =
        |index| InventoryPod { name: format!("{name}-{index}").as_str().into(), is_active: true };
    InventoryItem {
        owner: OwnerRef::new(namespace, OwnerKind::StatefulSet, name),
        labels: BTreeMap::new(),
        replicas: pods as u32,
        containers: Vec::new(),
        pods: (0..pods).map(pod).collect(),
        generations: Vec::new(),
        autoscaler: None,
        warnings: Vec::new(),
    }
}

/// Whether the simple matchers of `shard` hold for a pod.
fn holds(shard: &Shard, namespace: &str, pod: &str) -> bool {
    let (of_namespace, of_pod) = match shard.matchers.split_once(",pod") {
        Some((namespace, pod)) => (namespace, Some(pod)),
        None => (&*shard.matchers, None),
    };
    let names = of_namespace.trim_start_matches("namespace").trim_start_matches(['=', '~']);
    let is_in = names.trim_matches('"').split('|').any(|name| name == namespace);
    let Some(pattern) = of_pod else { return is_in };
    let (operator, pattern) = pattern.split_at(2);
    let beginnings = pattern.trim_matches('"').trim_start_matches("(?:").trim_end_matches(").*");
    let begins = beginnings.split('|').any(|beginning| pod.starts_with(beginning));
    is_in && begins == (operator == "=~")
}

#[test]
fn every_pod_is_in_exactly_one_shard_also_one_that_is_gone() {
    let mut items: Vec<InventoryItem> =
        (0..40).map(|index| item(&format!("team-{index}"), "web", 3 + index % 5)).collect();
    items.extend((0..60).map(|index| item("large", &format!("shop-app-{index:02}"), 20)));
    items.push(item("large", "other", 5));
    items.push(item("empty", "gone", 0));
    let inventory = Inventory { items, warnings: Vec::new() };
    let shards = shards(&inventory, &settings());
    let mut pods: Vec<(&str, String)> = inventory
        .items
        .iter()
        .flat_map(|item| item.pods.iter().map(|pod| (&*item.owner.namespace, pod.name.to_string())))
        .collect();
    for gone in ["shop-app-17-zzzzz", "shop-app-99-0", "shop-b-0", "x", "otherwise-0", "shop-app-"]
    {
        pods.push(("large", gone.to_owned()));
    }
    pods.push(("empty", "anything".to_owned()));
    for (namespace, pod) in &pods {
        let count = shards.iter().filter(|shard| holds(shard, namespace, pod)).count();
        assert_eq!(count, 1, "{namespace}/{pod} of {shards:#?}");
    }
    let sizes: Vec<usize> = shards.iter().map(|shard| shard.pods).collect();
    let most = sizes.iter().max().unwrap();
    assert!(*most <= 240 && sizes.len() >= 6, "{sizes:?}");
    assert_eq!(sizes.iter().sum::<usize>(), pods.len() - 7 + 1, "{sizes:?}");
}

#[test]
fn namespaces_are_evened_out_and_a_small_cluster_is_asked_at_once() {
    let items =
        |count: usize| (0..count).map(|index| item(&format!("n{index}"), "web", 60)).collect();
    let inventory = |count| Inventory { items: items(count), warnings: Vec::new() };
    let sizes: Vec<usize> =
        shards(&inventory(25), &settings()).iter().map(|shard| shard.pods).collect();
    assert_eq!(sizes.len(), 6);
    assert!(sizes.iter().all(|pods| (240..=300).contains(pods)), "{sizes:?}");
    assert_eq!(shards(&inventory(1), &settings()).len(), 1);
    assert!(shards(&Inventory::default(), &settings()).is_empty());
}

#[test]
fn selectors_are_not_longer_than_proxies_let_pass() {
    let name = |index: usize| format!("{index:03}-{}", "n".repeat(55));
    let inventory = Inventory {
        items: (0..300).map(|index| item(&name(index), "web", 1)).collect(),
        warnings: Vec::new(),
    };
    let shards = shards(&inventory, &settings());
    assert!(shards.iter().all(|shard| shard.matchers.len() < LETTERS + 100));
    assert!(namespace_matchers(&shards).iter().all(|matcher| matcher.len() < LETTERS + 100));
    let pods: Vec<String> =
        (0..200).map(|index| format!("web-{index}-{}", "p".repeat(40))).collect();
    let pods: Vec<(&str, &str)> = pods.iter().map(|pod| ("shop", pod.as_str())).collect();
    let matchers = pod_matchers(&pods, 10_000, &shards);
    assert!(matchers.len() > 1 && matchers.iter().all(|one| one.len() < LETTERS + 100));
    assert_eq!(pod_matchers(&pods, 300, &shards).len(), shards.len());
    assert!(pod_matchers(&[], 300, &shards).is_empty());
}
