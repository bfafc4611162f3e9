//! Decisions in words.

use jiff::Timestamp;
use mora_core::{Recommendation, Verdict};

use super::resource::Resource;
use super::wants::{Go, Way};

/// What becomes of a container: per resource the change and its amount, or why there is none.
#[derive(Debug, Clone)]
pub(super) struct Outcome<'a> {
    pub(super) recommendation: &'a Recommendation,
    /// In the order of [`Resource::ALL`].
    pub(super) parts: [(Option<(Go, u64)>, String); 2],
    /// What a decrease did that was taken back.
    pub(super) harm: Option<String>,
}

impl Outcome<'_> {
    pub(super) fn verdict(&self) -> Verdict {
        let goes =
            |way| self.parts.iter().any(|(made, _)| made.is_some_and(|(go, _)| go.way == way));
        if goes(Way::Back) {
            Verdict::RollBack
        } else if goes(Way::Up) {
            Verdict::Raise
        } else if goes(Way::Down) {
            Verdict::Lower
        } else {
            Verdict::Hold
        }
    }
}

/// Why a container is changed or left alone, a sentence without a full stop.
pub(super) fn reason(outcome: &Outcome<'_>) -> String {
    let parts = Resource::ALL.into_iter().zip(&outcome.parts);
    let parts = parts.map(|(resource, (change, why))| match change {
        Some((go, to)) => changed(resource, outcome, *go, *to),
        None => stays(resource, outcome.recommendation, why),
    });
    parts.collect::<Vec<_>>().join("; ")
}

fn stays(resource: Resource, recommendation: &Recommendation, why: &str) -> String {
    let name = resource.name();
    match resource.current(recommendation) {
        Some(current) => format!("{name} stays at {}: {why}", resource.text(current)),
        None => format!("{name} is not set: {why}"),
    }
}

fn changed(resource: Resource, outcome: &Outcome<'_>, go: Go, to: u64) -> String {
    let (name, goal) = (resource.name(), resource.text(to));
    let target = resource.target(outcome.recommendation);
    let rest = match go.way {
        Way::Back => {
            outcome.harm.as_ref().map_or_else(String::new, |harm| format!(", because {harm}"))
        }
        Way::Up if to < go.to => {
            format!(", which is all there is room for of {}", resource.text(go.to))
        }
        Way::Down if to > target => format!(", a step towards {}", resource.text(target)),
        Way::Up | Way::Down => String::new(),
    };
    let again = if go.repeated { ", as an earlier run decided" } else { "" };
    let verb = match go.way {
        Way::Back => "goes back",
        Way::Up => "is raised",
        Way::Down => "is lowered",
    };
    match resource.current(outcome.recommendation) {
        None => format!("{name} is set to {goal}, because none is in force{rest}{again}"),
        Some(current) => {
            format!("{name} {verb} from {} to {goal}{rest}{again}", resource.text(current))
        }
    }
}

/// An instant to the minute.
pub(super) fn when(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
