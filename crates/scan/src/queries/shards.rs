//! Dividing all pods among queries of about the same cost.

use std::collections::BTreeMap;

use mora_core::Inventory;

use super::{QuerySettings, escaped, one_of};

/// Some of the pods, in a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Label matchers, separated by commas, that every series of its pods matches and no other one does.
    pub matchers: String,
    /// Pods it has now.
    pub pods: usize,
    /// Its namespaces.
    namespaces: Vec<String>,
}

/// Points that one query may make Prometheus hold at once. It refuses 50 million; a twentieth of that takes 40 MB there,
/// and lets several queries be answered at the same time.
const POINTS: u64 = 2_500_000;
/// Pods that are gone, for every one that is there.
const GONE: u64 = 1;
/// Letters of a selector: what proxies let pass in a URL is 8,000, of which a query takes the rest.
const LETTERS: usize = 2_500;
/// Pods per pod that has to be asked for anew, from which on asking for all is no dearer.
const MANY: usize = 4;
/// Fewest shards, where there are pods enough for it: two queries can then always be answered at the same time.
const FEWEST: usize = 4;
/// Pods from which on it is worth while to divide them.
const WORTH_DIVIDING: usize = 100;

/// The pods of `inventory`, each in exactly one shard, and so are those that are gone.
#[must_use]
pub fn shards(inventory: &Inventory, settings: &QuerySettings) -> Vec<Shard> {
    let namespaces = pods_by_namespace(inventory);
    let all: usize = namespaces.values().map(Vec::len).sum();
    let target = target(all, settings);
    let mut shards = Vec::new();
    let mut open: Vec<(&str, usize)> = Vec::new();
    for (namespace, pods) in &namespaces {
        if pods.len() > target {
            shards.extend(divided(namespace, pods, target));
            continue;
        }
        let held: usize = open.iter().map(|(_, pods)| pods).sum();
        let letters: usize = open.iter().map(|(name, _)| name.len() + 1).sum();
        if !open.is_empty() && (held + pods.len() > target || letters + namespace.len() > LETTERS) {
            shards.push(together(&open));
            open.clear();
        }
        open.push((namespace, pods.len()));
    }
    if !open.is_empty() {
        shards.push(together(&open));
    }
    shards
}

/// The namespaces of all `shards` as matchers that are not too long.
pub(super) fn namespace_matchers(shards: &[Shard]) -> Vec<String> {
    let mut names: Vec<&str> =
        shards.iter().flat_map(|shard| shard.namespaces.iter().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    let mut groups: Vec<Vec<&str>> = Vec::new();
    let mut letters = LETTERS;
    for name in names {
        if letters + name.len() + 1 > LETTERS {
            groups.push(Vec::new());
            letters = 0;
        }
        letters += name.len() + 1;
        if let Some(group) = groups.last_mut() {
            group.push(name);
        }
    }
    groups.into_iter().map(|group| namespace_matcher(&group)).collect()
}

/// Matchers of `pods`, each a namespace and a name, out of `all` that there are: of those of `shards` where they are many.
///
/// Some other pods may match too.
pub(crate) fn pod_matchers(pods: &[(&str, &str)], all: usize, shards: &[Shard]) -> Vec<String> {
    if pods.len() > all / MANY {
        return shards.iter().map(|shard| shard.matchers.clone()).collect();
    }
    let mut groups: Vec<Vec<(&str, &str)>> = Vec::new();
    let mut letters = LETTERS;
    for pod in pods {
        let more = pod.0.len() + pod.1.len() + 2;
        if letters + more > LETTERS {
            groups.push(Vec::new());
            letters = 0;
        }
        letters += more;
        if let Some(group) = groups.last_mut() {
            group.push(*pod);
        }
    }
    let matcher = |group: Vec<(&str, &str)>| {
        let mut namespaces: Vec<&str> = group.iter().map(|(namespace, _)| *namespace).collect();
        namespaces.dedup();
        let pods = one_of(group.iter().map(|(_, pod)| *pod));
        format!("{},pod=~\"{pods}\"", namespace_matcher(&namespaces))
    };
    groups.into_iter().map(matcher).collect()
}

/// What pods are called by namespace: a namespace without a pod now may have had some.
fn pods_by_namespace(inventory: &Inventory) -> BTreeMap<&str, Vec<&str>> {
    let mut namespaces: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for item in &inventory.items {
        let pods = namespaces.entry(&item.owner.namespace).or_default();
        pods.extend(item.pods.iter().map(|pod| &*pod.name));
        if item.pods.is_empty() {
            // What it had was called after it.
            pods.push(&item.owner.name);
        }
    }
    namespaces
}

/// Pods of one shard.
fn target(pods: usize, settings: &QuerySettings) -> usize {
    let steps = settings.lookback.as_secs().unsigned_abs() / u64::from(settings.step.seconds());
    let most = usize::try_from(POINTS / (steps.max(1) * (1 + GONE))).unwrap_or(usize::MAX).max(1);
    if pods <= WORTH_DIVIDING { most } else { most.min(pods.div_ceil(FEWEST)) }
}

fn together(namespaces: &[(&str, usize)]) -> Shard {
    let names: Vec<&str> = namespaces.iter().map(|(name, _)| *name).collect();
    Shard {
        matchers: namespace_matcher(&names),
        pods: namespaces.iter().map(|(_, pods)| pods).sum(),
        namespaces: names.into_iter().map(str::to_owned).collect(),
    }
}

fn namespace_matcher(names: &[&str]) -> String {
    match names {
        [name] => format!("namespace=\"{}\"", escaped(name)),
        names => format!("namespace=~\"{}\"", one_of(names.iter().copied())),
    }
}

/// The pods of one namespace in several shards by how their names begin; what begins in no such way is in the last.
fn divided(namespace: &str, pods: &[&str], target: usize) -> Vec<Shard> {
    let mut beginnings = Vec::new();
    begin(pods.to_vec(), "", target, &mut beginnings);
    let mut groups: Vec<(Vec<String>, usize)> = Vec::new();
    for (beginning, pods) in beginnings {
        let letters = |group: &[String]| group.iter().map(|text| text.len() + 1).sum::<usize>();
        match groups.last_mut() {
            Some((group, held)) if *held + pods <= target && letters(group) < LETTERS => {
                group.push(beginning);
                *held += pods;
            }
            _ => groups.push((vec![beginning], pods)),
        }
    }
    let namespace_only = namespace_matcher(&[namespace]);
    let last = groups.len().saturating_sub(1);
    let elsewhere: Vec<String> =
        groups[..last].iter().flat_map(|(group, _)| group.iter().cloned()).collect();
    let shard = |(index, (group, pods)): (usize, &(Vec<String>, usize))| {
        let (operator, group) = if index == last { ("!~", &elsewhere) } else { ("=~", group) };
        let names = one_of(group.iter().map(String::as_str));
        let matchers = if names.is_empty() {
            namespace_only.clone()
        } else {
            format!("{namespace_only},pod{operator}\"(?:{names}).*\"")
        };
        Shard { matchers, pods: *pods, namespaces: vec![namespace.to_owned()] }
    };
    groups.iter().enumerate().map(shard).collect()
}

/// Adds to `found` how the names of `pods`, which all begin with `beginning`, begin, none with more than `target` of them
/// unless they cannot be told apart; none is the beginning of another.
fn begin(pods: Vec<&str>, beginning: &str, target: usize, found: &mut Vec<(String, usize)>) {
    if pods.len() <= target {
        found.push((beginning.to_owned(), pods.len()));
        return;
    }
    let mut next: BTreeMap<Option<char>, Vec<&str>> = BTreeMap::new();
    for pod in pods {
        next.entry(pod[beginning.len()..].chars().next()).or_default().push(pod);
    }
    // A name that ends here cannot be told from those that go on by how it begins.
    if next.contains_key(&None) {
        found.push((beginning.to_owned(), next.values().map(Vec::len).sum()));
        return;
    }
    for (letter, pods) in next {
        let longer: String = beginning.chars().chain(letter).collect();
        begin(pods, &longer, target, found);
    }
}
