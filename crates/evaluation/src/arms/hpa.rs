//! The HorizontalPodAutoscaler, on CPU.

mod autoscaler;

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::{self, BoxFuture};
use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::{Application, Change};
use mora_core::{Millicores, WorkloadRef};

use autoscaler::{Autoscaler, Bounds, Pods};

use crate::setup::MOST_REPLICAS;
use crate::{Arm, ArmError, ArmName, View};

/// The controller's `--horizontal-pod-autoscaler-sync-period`.
const SYNC: SignedDuration = SignedDuration::from_secs(15);

/// One `autoscaling/v2` HorizontalPodAutoscaler on CPU utilisation for each workload that scales, with the documented
/// defaults, from 1 to four times the replicas of the manifest; requests and limits stay.
#[derive(Debug)]
pub struct Hpa {
    name: ArmName,
    autoscalers: BTreeMap<WorkloadRef, Autoscaler>,
}

impl Hpa {
    /// For the microservices of `application`; the target of `name` is divided by `margin`, above 0, and rounded to whole
    /// percents.
    #[must_use]
    pub fn new(name: ArmName, margin: f64, application: &Application) -> Self {
        let target = match name {
            ArmName::Hpa50 => 50.0,
            ArmName::Hpa80 => 80.0,
            _ => 70.0,
        };
        let target = (target / margin).round().max(1.0) as u32;
        let scaling = application.microservices.iter().filter(|microservice| microservice.scales);
        let autoscalers = scaling.map(|microservice| {
            let bounds = Bounds { least: 1, most: MOST_REPLICAS * microservice.replicas, target };
            (microservice.workload.clone(), Autoscaler::new(bounds))
        });
        Self { name, autoscalers: autoscalers.collect() }
    }

    fn changes(&mut self, view: &dyn View, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        for (workload, autoscaler) in &mut self.autoscalers {
            let current = view.replicas(workload);
            let (ready, unready) = view.pods(workload);
            let request = view.claim(workload).cpu_request.map_or(0.0, Millicores::cores);
            let pods = Pods { ready: &ready, unready, request };
            let replicas = autoscaler.desired(now, current, &pods);
            if replicas != current {
                changes.push(Change::Scale { workload: workload.clone(), replicas });
            }
        }
        changes
    }
}

impl Arm for Hpa {
    fn name(&self) -> ArmName {
        self.name
    }

    fn every(&self) -> Option<SignedDuration> {
        Some(SYNC)
    }

    fn decide<'a>(
        &'a mut self,
        view: &'a dyn View,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Change>, ArmError>> {
        future::ready(Ok(self.changes(view, now))).boxed()
    }
}
