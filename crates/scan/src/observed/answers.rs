//! Answers as they come in, in any order.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use mora_core::Inventory;

use super::{ContainerObserved, Observed, PodObserved};
use crate::attribution::{Labels, Owners, Strays};
use crate::queries::{Of, Query, QuerySettings, Shard, Subject, pod_matchers};
use crate::strategy::krr;

/// What is asked for exactly where what is known of it is too little.
const POINTS: [(Subject, Subject); 2] = [
    (Subject::CpuPoints, Subject::CpuPointsAtLeast),
    (Subject::MemoryPoints, Subject::MemoryPointsAtLeast),
];

/// Answers to the queries of one scan of one cluster, in any order.
#[derive(Debug)]
pub struct Answers {
    settings: QuerySettings,
    containers: BTreeMap<Key, Held>,
}

/// A container of a pod, as one job scrapes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    namespace: Arc<str>,
    pod: Arc<str>,
    container: Arc<str>,
    /// Empty where it makes no difference.
    job: Arc<str>,
}

/// What is known of it.
#[derive(Debug, Default)]
struct Held {
    /// By subject, of how many series, and the value: that over all series together where it is known, else the largest.
    values: BTreeMap<Subject, Value>,
    cpu_samples: Vec<f64>,
    samples_series: usize,
    memory_slots: Vec<(Timestamp, f64)>,
    cpu_slots: Vec<(Timestamp, f64)>,
}

#[derive(Debug, Clone, Copy)]
struct Value {
    series: usize,
    largest: f64,
    whole: Option<f64>,
}

impl Answers {
    /// None yet.
    #[must_use]
    pub const fn new(settings: QuerySettings) -> Self {
        Self { settings, containers: BTreeMap::new() }
    }

    /// Takes in one series of the answer to `query`: its labels, and its samples as seconds since the Unix epoch and
    /// value, ascending. What is not about a container or not finite is left out.
    pub fn add(
        &mut self,
        query: &Query,
        labels: &Labels,
        samples: impl IntoIterator<Item = (f64, f64)>,
    ) {
        let Some(key) = self.key(query.subject, labels) else { return };
        let mut samples = samples.into_iter().filter(|(_, value)| value.is_finite());
        let slots = self.settings.hours;
        match query.subject {
            Subject::MemorySlots | Subject::CpuSlots => {
                let counts =
                    |end: &Timestamp| slots.is_none_or(|hours| hours.holds_hour_before(*end));
                let slot = |(second, value): (f64, f64)| {
                    Some((Timestamp::from_second(second as i64).ok()?, value))
                };
                let slots: Vec<_> =
                    samples.filter_map(slot).filter(|(end, _)| counts(end)).collect();
                if slots.is_empty() {
                    return;
                }
                let held = self.containers.entry(key).or_default();
                if query.subject == Subject::MemorySlots {
                    held.memory_slots.extend(slots);
                } else {
                    held.cpu_slots.extend(slots);
                }
            }
            Subject::CpuSamples => {
                let held = self.containers.entry(key).or_default();
                match query.of {
                    Of::Series => held.samples_series += 1,
                    Of::Container => held.cpu_samples.clear(),
                }
                held.cpu_samples.extend(samples.map(|(_, value)| value));
            }
            subject => {
                if let Some((_, value)) = samples.next() {
                    let held = self.containers.entry(key).or_default();
                    held.take(subject, query.of, value);
                }
            }
        }
    }

    /// What has to be asked once all else was answered: containers with several series as a whole, and the limits of those
    /// that were killed for lack of memory.
    #[must_use]
    pub fn follow_up(&self, shards: &[Shard], owners: &Owners) -> Vec<Query> {
        let mut queries = Vec::new();
        let all = self.pods(|_| true).len();
        let settings = &self.settings;
        for matchers in pod_matchers(&self.pods(Held::has_several), all, shards) {
            let whole = settings.dialect.whole().iter();
            queries.extend(whole.map(|subject| settings.query(*subject, Of::Container, &matchers)));
        }
        for (subject, at_least) in POINTS {
            for matchers in pod_matchers(&self.of_too_few(at_least, owners), all, shards) {
                queries.push(settings.query(subject, Of::Series, &matchers));
            }
        }
        let killed = self.pods(|held| held.values.contains_key(&Subject::OomTime));
        for matchers in pod_matchers(&killed, all, shards) {
            queries.push(settings.query(Subject::OomLimit, Of::Container, &matchers));
        }
        queries
    }

    /// What all this says of the containers of `inventory`, whose pods `owners` tells.
    #[must_use]
    pub fn observed(self, inventory: &Inventory, owners: &Owners) -> Observed {
        let mut strays = Strays::default();
        let mut containers: BTreeMap<(usize, Arc<str>), ContainerObserved> = BTreeMap::new();
        for ((namespace, pod, container), jobs) in by_container(self.containers) {
            let Some(owner) = owners.owner(&namespace, &pod) else {
                strays.add(&namespace, &pod);
                continue;
            };
            // A container that is no longer in the template is nothing to recommend for.
            if inventory.items[owner].containers.iter().any(|(name, _)| *name == container) {
                let observed = containers.entry((owner, container)).or_default();
                observed.pods.insert(pod, pod_observed(jobs, &self.settings));
            }
        }
        Observed { containers, strays: strays.count() }
    }

    fn key(&self, subject: Subject, labels: &Labels) -> Option<Key> {
        let label =
            |name: &str| labels.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let jobs = self.settings.dialect.is_krr()
            && !matches!(subject, Subject::CpuSlots | Subject::MemorySlots);
        let job = if jobs { label("job").unwrap_or_default() } else { "" };
        Some(Key {
            namespace: label("namespace")?.into(),
            pod: label("pod")?.into(),
            container: label("container")?.into(),
            job: job.into(),
        })
    }

    /// Namespace and name of the pods of owners whose containers are not known to have been seen at as many steps as are required.
    fn of_too_few(&self, at_least: Subject, owners: &Owners) -> Vec<(&str, &str)> {
        let required = f64::from(self.settings.dialect.points_required());
        if required == 0.0 {
            return Vec::new();
        }
        let mut points: BTreeMap<(usize, &str), f64> = BTreeMap::new();
        let mut pods: BTreeMap<(usize, &str), Vec<(&str, &str)>> = BTreeMap::new();
        let mut jobs: BTreeMap<(&str, &str, &str), f64> = BTreeMap::new();
        for (key, held) in &self.containers {
            let container = (&*key.namespace, &*key.pod, &*key.container);
            let known = held.value(at_least).unwrap_or(0.0);
            // One of several jobs will count; the one with the fewest is the least that it can be.
            jobs.entry(container).and_modify(|least| *least = least.min(known)).or_insert(known);
        }
        for ((namespace, pod, container), known) in jobs {
            let Some(owner) = owners.owner(namespace, pod) else { continue };
            *points.entry((owner, container)).or_default() += known;
            pods.entry((owner, container)).or_default().push((namespace, pod));
        }
        let few = pods.into_iter().filter(|(of, _)| points[of] < required);
        let mut few: Vec<(&str, &str)> = few.flat_map(|(_, pods)| pods).collect();
        few.sort_unstable();
        few.dedup();
        few
    }

    /// Namespace and name of the pods of which some container is `wanted`.
    fn pods(&self, wanted: impl Fn(&Held) -> bool) -> Vec<(&str, &str)> {
        let wanted = self.containers.iter().filter(|(_, held)| wanted(held));
        let mut pods: Vec<(&str, &str)> =
            wanted.map(|(key, _)| (&*key.namespace, &*key.pod)).collect();
        pods.dedup();
        pods
    }
}

impl Held {
    fn take(&mut self, subject: Subject, of: Of, value: f64) {
        let none = Value { series: 0, largest: f64::MIN, whole: None };
        let held = self.values.entry(subject).or_insert(none);
        match of {
            Of::Series => {
                held.series += 1;
                held.largest = held.largest.max(value);
            }
            Of::Container => held.whole = Some(value),
        }
    }

    fn has_several(&self) -> bool {
        let several = |(subject, value): (&Subject, &Value)| {
            value.series > 1 && !matches!(subject, Subject::OomTime | Subject::OomLimit)
        };
        self.samples_series > 1 || self.values.iter().any(several)
    }

    fn value(&self, subject: Subject) -> Option<f64> {
        self.values.get(&subject).map(|value| value.whole.unwrap_or(value.largest))
    }
}

type Container = (Arc<str>, Arc<str>, Arc<str>);

fn by_container(held: BTreeMap<Key, Held>) -> BTreeMap<Container, Vec<(Arc<str>, Held)>> {
    let mut containers: BTreeMap<Container, Vec<(Arc<str>, Held)>> = BTreeMap::new();
    for (key, held) in held {
        let container = (key.namespace, key.pod, key.container);
        containers.entry(container).or_default().push((key.job, held));
    }
    containers
}

/// What `jobs`, ordered by name, say of one container of one pod.
fn pod_observed(mut jobs: Vec<(Arc<str>, Held)>, settings: &QuerySettings) -> PodObserved {
    let is_krr = settings.dialect.is_krr();
    // One job for every subject, as KRR takes the series of a pod query by query.
    let value = |subject| {
        let series = jobs.iter().filter_map(|(job, held)| Some((&**job, held.value(subject)?)));
        let series: Vec<(&str, f64)> = series.collect();
        krr::job_kept(&series).map(|kept| series[kept].1)
    };
    let samples = jobs.iter().enumerate().filter(|(_, (_, held))| !held.cpu_samples.is_empty());
    let samples: Vec<(&str, usize)> = samples.map(|(index, (job, _))| (&**job, index)).collect();
    let samples = krr::job_kept(&samples).map(|kept| samples[kept].1);
    let mut observed = PodObserved {
        cpu: value(Subject::Cpu),
        cpu_points: value(Subject::CpuPoints).or_else(|| value(Subject::CpuPointsAtLeast)),
        memory: value(Subject::Memory),
        memory_points: value(Subject::MemoryPoints).or_else(|| value(Subject::MemoryPointsAtLeast)),
        // KRR knows that there was a kill, not when.
        oom_killed: value(Subject::OomTime)
            .filter(|_| !is_krr)
            .and_then(|second| Timestamp::from_second(second as i64).ok()),
        oom_limit: value(Subject::OomLimit),
        hours_known: [Subject::MemoryPoints, Subject::MemoryPointsAtLeast]
            .into_iter()
            .find_map(|subject| Some(settings.hours(subject, value(subject)?))),
        ..PodObserved::default()
    };
    observed.cpu_samples =
        samples.map(|index| std::mem::take(&mut jobs[index].1.cpu_samples)).unwrap_or_default();
    let (memory, cpu): (Vec<_>, Vec<_>) =
        jobs.into_iter().map(|(_, held)| (held.memory_slots, held.cpu_slots)).unzip();
    observed.memory_slots = super::largest_by_slot(memory.into_iter().flatten());
    observed.cpu_slots = super::largest_by_slot(cpu.into_iter().flatten());
    if !is_krr {
        observed.memory = observed.memory_slots.iter().map(|(_, bytes)| *bytes).reduce(f64::max);
    }
    observed
}
