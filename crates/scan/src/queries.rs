//! What to ask a Prometheus about all pods at once.
//!
//! A scan asks a few large queries instead of several per workload: what costs Prometheus most is reading samples,
//! and every sample is read once for CPU and once for memory, however many workloads share a query.

mod krr;
mod own;
mod shards;
#[cfg(test)]
mod tests;
mod week_hours;

use jiff::{SignedDuration, Timestamp};
use mora_core::Step;

pub(crate) use shards::pod_matchers;
pub use shards::{Shard, shards};
pub use week_hours::{WeekHours, WeekHoursError};

/// Whose numbers are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Our own: a quantile of CPU, and the largest memory of every hour.
    Own,
    /// Those of Robusta KRR's strategy `simple`.
    KrrSimple {
        /// Steps with data below which it recommends nothing.
        points_required: u32,
    },
    /// Those of Robusta KRR's strategy `simple_limit`.
    KrrSimpleLimit {
        /// Steps with data below which it recommends nothing.
        points_required: u32,
    },
}

impl Dialect {
    /// Whether it is one of Robusta KRR.
    pub(crate) const fn is_krr(self) -> bool {
        matches!(self, Self::KrrSimple { .. } | Self::KrrSimpleLimit { .. })
    }

    /// Steps with data below which nothing is recommended.
    pub(crate) const fn points_required(self) -> u32 {
        match self {
            Self::Own => 0,
            Self::KrrSimple { points_required } | Self::KrrSimpleLimit { points_required } => {
                points_required
            }
        }
    }

    /// What it asks for of every container, the dearest first.
    pub(crate) const fn usage(self) -> &'static [Subject] {
        use Subject::{
            Cpu, CpuPointsAtLeast, CpuSamples, Memory, MemoryPointsAtLeast, MemorySlots,
        };
        match self {
            Self::Own => &[Cpu, MemorySlots],
            Self::KrrSimple { .. } => &[Cpu, Memory, CpuPointsAtLeast, MemoryPointsAtLeast],
            Self::KrrSimpleLimit { .. } => {
                &[CpuSamples, Memory, CpuPointsAtLeast, MemoryPointsAtLeast]
            }
        }
    }

    /// What it asks for of a container with several series once more, of all together.
    pub(crate) const fn whole(self) -> &'static [Subject] {
        use Subject::{Cpu, CpuPoints, CpuSamples, Memory, MemoryPoints};
        match self {
            Self::Own => &[Cpu],
            Self::KrrSimple { .. } => &[Cpu, Memory, CpuPoints, MemoryPoints],
            Self::KrrSimpleLimit { .. } => &[CpuSamples, Memory, CpuPoints, MemoryPoints],
        }
    }
}

/// What history is asked for, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct QuerySettings {
    /// Whose numbers.
    pub dialect: Dialect,
    /// The end of the history; see [`QuerySettings::end`].
    pub at: Timestamp,
    /// Its length, at least an hour, in whole seconds.
    pub lookback: SignedDuration,
    /// The spacing at which CPU usage is evaluated.
    pub step: Step,
    /// Longest time between two scrapes of a container.
    pub scrape_interval: Step,
    /// The quantile of CPU usage, above 0 and up to 1; 1 is the maximum.
    pub cpu_quantile: f64,
    /// The hours of the week that count; `None` for all. KRR knows none.
    pub hours: Option<WeekHours>,
    /// Label and value that tell one cluster of a shared Prometheus from the others.
    pub cluster: Option<(String, String)>,
    /// Whether out-of-memory kills are asked for.
    pub oom_kills: bool,
}

/// What an answer is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The quantile of CPU usage, in cores.
    Cpu,
    /// CPU usage at every step, in cores.
    CpuSamples,
    /// The largest CPU usage of each slot, in cores, stamped with the slot's end.
    CpuSlots,
    /// Steps at which CPU usage was known.
    CpuPoints,
    /// Some of them: no more than there are.
    CpuPointsAtLeast,
    /// The largest memory working set, in bytes.
    Memory,
    /// The largest memory working set of each slot, in bytes, stamped with the slot's end.
    MemorySlots,
    /// Steps at which memory was known.
    MemoryPoints,
    /// Some of them: no more than there are.
    MemoryPointsAtLeast,
    /// When the container was last killed for lack of memory, in seconds since the Unix epoch.
    OomTime,
    /// The memory limit of a container that was killed for lack of memory, in bytes.
    OomLimit,
}

/// Of which series an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Of {
    /// Every series has its own. A container that was restarted has several, and so has one that is scraped twice.
    Series,
    /// All series of a container have one together.
    Container,
}

/// When a query is evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Once.
    Instant(Timestamp),
    /// Every `step` from `start` to `end`, both included.
    Range {
        /// The first instant.
        start: Timestamp,
        /// The last, if a step falls on it.
        end: Timestamp,
        /// The spacing.
        step: Step,
    },
}

/// One query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// What its answer is about.
    pub subject: Subject,
    /// Of which series.
    pub of: Of,
    /// Its text.
    pub promql: String,
    /// When it is evaluated.
    pub span: Span,
}

/// Slots of one series; more make answers large without telling more.
const MOST_SLOTS: i64 = 24 * 15;
/// Scrapes in the shortest window a rate is taken over, so that one that fails does not end the series.
const SCRAPES_IN_WINDOW: u32 = 4;
/// What kubelet tells of containers; the rest is of pods and of what holds their network.
const CONTAINERS: &str = r#"container!="",container!="POD""#;
const CPU: &str = "container_cpu_usage_seconds_total";
const MEMORY: &str = "container_memory_working_set_bytes";
const LIMITS: &str = "kube_pod_container_resource_limits";
const ENDED_REASON: &str = "kube_pod_container_status_last_terminated_reason";
const ENDED_TIME: &str = "kube_pod_container_status_last_terminated_timestamp";

impl QuerySettings {
    /// The end of the history, in whole seconds: `at`, or the whole hour before it where only some hours of the week
    /// count.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        match self.hours {
            Some(_) => Step::HOUR.floor(self.at),
            None => Timestamp::from_second(self.at.as_second()).unwrap_or(self.at),
        }
    }

    /// The start of the history.
    #[must_use]
    pub fn start(&self) -> Timestamp {
        before(self.end(), self.lookback)
    }

    /// Hours of the lookback that count.
    #[must_use]
    pub fn counted_hours(&self) -> f64 {
        let Some(hours) = &self.hours else { return self.lookback.as_secs_f64() / 3600.0 };
        let whole = self.lookback.as_secs() / 3600;
        let ends = (0..whole).map(|hour| before(self.end(), SignedDuration::from_hours(hour)));
        ends.filter(|end| hours.holds_hour_before(*end)).count() as f64
    }

    /// Width of a slot, in whole hours.
    #[must_use]
    pub fn slot(&self) -> Step {
        let hours = match self.hours {
            Some(_) => 1,
            None => (self.lookback.as_secs() - 1).max(0) / (MOST_SLOTS * 3600) + 1,
        };
        u32::try_from(hours * 3600).ok().and_then(Step::from_seconds).unwrap_or(Step::HOUR)
    }

    /// Hours that `points` of `subject` stand for.
    pub(crate) fn hours(&self, subject: Subject, points: f64) -> f64 {
        let seconds = match subject {
            Subject::MemoryPointsAtLeast => krr::seconds_between_some(self),
            _ => i64::from(self.step.seconds()),
        };
        points * seconds as f64 / 3600.0
    }

    /// The window that rates are taken over.
    pub(crate) fn rate_window(&self) -> Step {
        let scrapes = self.scrape_interval.seconds().saturating_mul(SCRAPES_IN_WINDOW);
        Step::from_seconds(scrapes).unwrap_or(self.step).max(self.step)
    }

    /// All that is asked of `shard` before anything is known of it, the dearest first.
    #[must_use]
    pub fn queries(&self, shard: &Shard) -> Vec<Query> {
        let oom = self.oom_kills.then_some(Subject::OomTime);
        let subjects = self.dialect.usage().iter().copied().chain(oom);
        subjects.map(|subject| self.query(subject, Of::Series, &shard.matchers)).collect()
    }

    /// What is asked of `shard` only to draw it.
    #[must_use]
    pub fn history_queries(&self, shard: &Shard) -> Vec<Query> {
        let memory = (self.dialect != Dialect::Own).then_some(Subject::MemorySlots);
        let subjects = [Subject::CpuSlots].into_iter().chain(memory);
        subjects.map(|subject| self.query(subject, Of::Container, &shard.matchers)).collect()
    }

    /// The selectors of the series that tell the owners of pods, `ReplicaSets` and Jobs in the namespaces of `shards`: their
    /// labels are enough, no sample is read.
    #[must_use]
    pub fn owner_selectors(&self, shards: &[Shard]) -> Vec<String> {
        let namespaces = shards::namespace_matchers(shards);
        let metrics = ["kube_pod_owner", "kube_replicaset_owner", "kube_job_owner"];
        let selectors = metrics.iter().flat_map(|metric| {
            namespaces.iter().map(move |matcher| format!("{metric}{}", self.selector(matcher, "")))
        });
        selectors.collect()
    }

    /// The query about `subject` for the pods that `matchers` select.
    pub(crate) fn query(&self, subject: Subject, of: Of, matchers: &str) -> Query {
        let promql = match self.dialect {
            Dialect::Own => own::promql(self, subject, of, matchers),
            Dialect::KrrSimple { .. } | Dialect::KrrSimpleLimit { .. } => {
                krr::promql(self, subject, of, matchers)
            }
        };
        Query { subject, of, promql, span: self.span(subject) }
    }

    fn span(&self, subject: Subject) -> Span {
        match subject {
            Subject::MemorySlots | Subject::CpuSlots => {
                let step = self.slot();
                let slots = self.lookback.as_secs() / i64::from(step.seconds());
                let slots = usize::try_from(slots).unwrap_or(0).max(1);
                Span::Range {
                    start: before(self.end(), step.times(slots - 1)),
                    end: self.end(),
                    step,
                }
            }
            Subject::CpuSamples => {
                Span::Range { start: self.start(), end: self.end(), step: self.step }
            }
            _ => Span::Instant(self.end()),
        }
    }

    /// `{...}` with `matchers`, `more` and the cluster's label, as far as they are not empty.
    fn selector(&self, matchers: &str, more: &str) -> String {
        let label = |(name, value): &(String, String)| format!("{name}=\"{}\"", escaped(value));
        let cluster = self.cluster.as_ref().map(label).unwrap_or_default();
        let parts = [matchers, more, &cluster];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!("{{{}}}", parts.join(","))
    }
}

fn before(time: Timestamp, by: SignedDuration) -> Timestamp {
    time.saturating_sub(by).unwrap_or(Timestamp::MIN)
}

/// `text` between the quotes of PromQL.
fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

/// A regular expression, as PromQL quotes it, that matches one of `texts` and nothing else.
fn one_of<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let literal = |text: &str| {
        text.chars().fold(String::new(), |mut quoted, letter| {
            if !letter.is_ascii_alphanumeric() && letter != '-' && letter != '_' {
                quoted.push('\\');
            }
            quoted.push(letter);
            quoted
        })
    };
    let texts: Vec<String> = texts.into_iter().map(|text| escaped(&literal(text))).collect();
    texts.join("|")
}
