//! Dividing all pods among queries of about the same cost.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
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

/// Points that one query may make Prometheus hold at once. It refuses 50 million; less than a tenth of that takes some 60 MB
/// there, and lets several queries be answered at the same time.
const POINTS: u64 = 4_000_000;
/// Pods that are gone, for every one that is there.
const GONE: u64 = 1;
/// Letters of a selector: what proxies let pass in a URL is 8,000, of which a query takes the rest.
const LETTERS: usize = 2_500;
/// Pods per pod that has to be asked for anew, from which on asking for all is no dearer.
const MANY: usize = 4;
/// Fewest shards, where there are pods enough for it: several queries can then be answered at the same time to the end.
const FEWEST: usize = 6;
/// Pods from which on it is worth while to divide them.
const WORTH_DIVIDING: usize = 100;

/// The pods of `inventory`, each in exactly one shard, and so are those that are gone.
#[must_use]
pub fn shards(inventory: &Inventory, settings: &QuerySettings) -> Vec<Shard> {
    let namespaces = pods_by_namespace(inventory);
    let target = target(namespaces.values().map(Vec::len).sum(), settings);
    let (large, mut small): (Vec<_>, Vec<_>) =
        namespaces.iter().partition(|(_, pods)| pods.len() > target);
    let mut shards: Vec<Shard> = Vec::new();
    for (namespace, pods) in large {
        shards.extend(divided(namespace, pods, target));
    }
    // The largest first, each to the shard that has least: what is left to be evened out gets smaller and smaller.
    small.sort_by_key(|(namespace, pods)| (Reverse(pods.len()), **namespace));
    let held: usize = small.iter().map(|(_, pods)| pods.len()).sum();
    let mut together: Vec<Together<'_>> = Vec::new();
    together.resize_with(held.div_ceil(target), Together::default);
    for (namespace, pods) in small {
        let room = |shard: &&mut Together<'_>| shard.letters + namespace.len() < LETTERS;
        if let Some(shard) = together.iter_mut().filter(room).min_by_key(|shard| shard.pods) {
            shard.add(namespace, pods.len());
        } else {
            together.push(Together::default());
            if let Some(shard) = together.last_mut() {
                shard.add(namespace, pods.len());
            }
        }
    }
    shards.extend(together.into_iter().filter(|one| one.pods > 0).map(Together::into_shard));
    shards
}

/// Namespaces that become one shard.
#[derive(Debug, Default)]
struct Together<'a> {
    namespaces: Vec<&'a str>,
    letters: usize,
    pods: usize,
}

impl<'a> Together<'a> {
    fn add(&mut self, namespace: &'a str, pods: usize) {
        self.namespaces.push(namespace);
        self.letters += namespace.len() + 1;
        self.pods += pods;
    }

    fn into_shard(mut self) -> Shard {
        self.namespaces.sort_unstable();
        Shard {
            matchers: namespace_matcher(&self.namespaces),
            pods: self.pods,
            namespaces: self.namespaces.into_iter().map(str::to_owned).collect(),
        }
    }
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
