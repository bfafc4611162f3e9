//! From what was remembered and what is seen now to what is known.

use jiff::Timestamp;
use mora_core::{Dataset, Recommendation};

use super::regression::Aftermath;
use super::resource::Resource;
use super::rules::GateRules;
use super::state::{Agreement, ContainerState, Hold, Requests, Watch};

/// What is seen of one container in this run.
#[derive(Clone, Copy)]
pub(super) struct Sighting<'a> {
    pub(super) recommendation: &'a Recommendation,
    pub(super) dataset: Option<&'a Dataset>,
    pub(super) now: Timestamp,
}

impl Sighting<'_> {
    /// Whether it is known what is in force: where nothing was observed, no request is no statement.
    pub(super) fn known(&self) -> bool {
        let container = &self.recommendation.container;
        Requests::in_force(self.recommendation) != Requests::default()
            || self.dataset.is_some_and(|dataset| dataset.containers.contains_key(container))
    }

    /// What is known of the container now; `None` where nothing was known and nothing is seen.
    pub(super) fn observe(
        &self,
        remembered: Option<&ContainerState>,
        rules: &GateRules,
    ) -> Option<ContainerState> {
        let seen = Requests::in_force(self.recommendation);
        let mut state = match remembered {
            Some(remembered) => remembered.clone(),
            None if !self.known() => return None,
            None => ContainerState::new(seen, self.now),
        };
        if self.known() {
            state.see(seen, self.now);
        }
        state.settle(rules, self.now);
        self.judge(&mut state, rules);
        Some(state)
    }

    /// Turns a watched decrease that did harm into a hold.
    fn judge(&self, state: &mut ContainerState, rules: &GateRules) {
        let (Some(watch), Some(dataset)) = (&state.watch, self.dataset) else { return };
        let container = &self.recommendation.container;
        let requests = state.requests;
        let aftermath = Aftermath { watch, requests, container, dataset, now: self.now };
        let Some(reason) = aftermath.regression(&rules.regression) else { return };
        let until = self.now.saturating_add(rules.hold()).unwrap_or(Timestamp::MAX);
        state.hold = Some(Hold { until, reason, restore: Some(watch.before) });
        state.watch = None;
    }
}

impl ContainerState {
    /// Takes note of what is in force: a difference is a change, whoever made it.
    fn see(&mut self, seen: Requests, now: Timestamp) {
        let before = self.requests;
        if seen != before {
            if seen.below(before) {
                let unchanged_at = self.seen_at;
                self.watch = Some(Watch { before, unchanged_at, changed_at: now });
            }
            for resource in Resource::ALL {
                if seen.get(resource) != before.get(resource) {
                    *self.agreement(resource) = Agreement::default();
                }
            }
            self.previous = Some(before);
            self.requests = seen;
            self.changed_at = Some(now);
            self.decided = None;
        }
        self.seen_at = now;
    }

    /// Drops what is over: a decrease that was taken back or did well, a hold that has ended.
    fn settle(&mut self, rules: &GateRules, now: Timestamp) {
        let requests = self.requests;
        let watched = |watch: &Watch| {
            requests.below(watch.before)
                && now.duration_since(watch.changed_at) <= rules.regression.watch()
        };
        self.watch = self.watch.take().filter(watched);
        self.hold = self.hold.take().filter(|hold| now < hold.until);
        if let Some(hold) = &mut self.hold {
            hold.restore = hold.restore.filter(|restore| requests.below(*restore));
        }
        self.decided = self.decided.filter(|d| now.duration_since(d.at) < rules.cool_down());
    }
}
