use std::time::Instant;

use mora_core::ResourceClaim;
use mora_simulation::{Boutique, BoutiqueOptions};

use super::*;
use crate::embedded::processors;

/// What is seen of the simulated boutique, which does not change.
struct Seen(Vec<Dataset>);

impl View for Seen {
    fn datasets(&self, _: &Lookback) -> Vec<Dataset> {
        self.0.clone()
    }

    fn pods(&self, _: &WorkloadRef) -> (Vec<(f64, f64)>, u32) {
        (Vec::new(), 0)
    }

    fn replicas(&self, _: &WorkloadRef) -> u32 {
        1
    }

    fn claim(&self, _: &WorkloadRef) -> ResourceClaim {
        ResourceClaim::default()
    }

    fn workloads(&self) -> Vec<WorkloadRef> {
        self.0.iter().map(|dataset| dataset.workload.clone()).collect()
    }

    fn scales(&self, _: &WorkloadRef) -> bool {
        true
    }
}

#[tokio::test]
async fn measure() {
    let now: Timestamp = "2026-03-03T00:00:00Z".parse().unwrap();
    let days = 14;
    let options = BoutiqueOptions { days, step: Step::MINUTE, ..BoutiqueOptions::new(1, now) };
    let boutique = Boutique::new(options).unwrap();
    let begin = Instant::now();
    let view = Seen(boutique.datasets());
    eprintln!("datasets {:?}", begin.elapsed());
    let options = MoraOptions {
        seed: 1,
        history_days: days,
        members: Member::ALL.into(),
        requests: RequestShape::Schedule,
        graph: true,
        capacity: boutique.capacity(),
        every: SignedDuration::from_hours(1),
        fits_until: now,
        processors: processors(),
    };
    let folder = tempfile::tempdir().unwrap();
    let libraries = Arc::new(Libraries::new(folder.path().join("models")));
    let mut arm = MoraArm::new(ArmName::Mora, options, 1000, libraries);
    arm.decide(&view, now).await.unwrap();
    {
        let lookback = arm.lookback(now);
        let system = arm.system.as_ref().unwrap();
        for _ in 0..3 {
            system.measure(lookback, view.datasets(&lookback)).await;
        }
    }
    for _ in 0..2 {
        let begin = Instant::now();
        let changes = arm.decide(&view, now).await.unwrap();
        eprintln!("{} changes {:?}", changes.len(), begin.elapsed());
    }
}
