//! What happens by itself.

use jiff::SignedDuration;
use mora_core::WorkloadRef;

use super::Cluster;
use super::pod::Phase;
use crate::Event;

/// Seconds until pods of a node that is gone are created elsewhere. Kubernetes needs 40 s to notice and tolerates five
/// minutes by default; operators who replace nodes shorten the toleration, and what is compared here is the time after.
const RECREATED_SECONDS: i64 = 40;

impl Cluster {
    pub(super) fn events_happen(&mut self) {
        while let Some(event) = self.options.events.get(self.next_event) {
            if event.at.as_millisecond() > self.now {
                break;
            }
            let event = event.event.clone();
            self.next_event += 1;
            self.happen(&event);
        }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::NodeLost { node, lasts } => self.lose_node(*node, *lasts),
            Event::CallMix { caller, callee, factor } => {
                if let Some((service, place, stated)) = self.edge(caller, callee) {
                    self.services[service].callees[place].ratio = stated * factor;
                    self.services[service].calls_changed();
                }
            }
            Event::Leak { workload, per_hour } => {
                if let Some(service) = self.index.get(workload) {
                    self.services[*service].leak_per_hour = *per_hour;
                }
            }
        }
    }

    /// The caller, the place of the callee among its callees, and the ratio that the application states.
    pub(super) fn edge(
        &self,
        caller: &WorkloadRef,
        callee: &WorkloadRef,
    ) -> Option<(usize, usize, f64)> {
        let (caller, callee) = (*self.index.get(caller)?, *self.index.get(callee)?);
        let callees = &self.services[caller].callees;
        let place = callees.iter().position(|known| known.service == callee)?;
        Some((caller, place, self.application.calls[callees[place].edge].ratio))
    }

    fn lose_node(&mut self, node: usize, lasts: SignedDuration) {
        let lasts = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX / 4);
        self.nodes[node].gone = Some(self.now + lasts);
        for place in self.nodes[node].pods.clone() {
            self.leave_node(place);
            self.fail_inside(place);
            if matches!(self.pods[place].phase, Phase::Ending(_)) {
                self.remove(place);
            } else {
                self.pods[place].phase = Phase::Lost(self.in_seconds(RECREATED_SECONDS));
            }
        }
        self.balance_all();
    }
}
