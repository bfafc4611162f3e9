//! The shipped manifests on a real Kubernetes cluster: from nothing to a plan in force, through faults, and back.

use std::time::Duration;

#[path = "cluster/access.rs"]
mod access;
#[path = "cluster/application.rs"]
mod application;
#[path = "cluster/bed.rs"]
mod bed;
#[path = "cluster/change.rs"]
mod change;
#[path = "cluster/faults.rs"]
mod faults;
#[path = "cluster/mutual_tls.rs"]
mod mutual_tls;
#[path = "cluster/plans.rs"]
mod plans;
#[path = "cluster/recommend.rs"]
mod recommend;
#[path = "cluster/workers.rs"]
mod workers;

use bed::{Bed, repository};

/// The longest anything may take before the test fails; two cores run all of it.
const LONG: Duration = Duration::from_mins(10);

/// One test, because it is one cluster, and each step stands on those before.
#[test]
fn the_shipped_manifests_work_on_a_real_cluster() {
    let Some(bed) = Bed::up() else { return };
    let deploy = repository().join("deploy");

    application::start(&bed);
    application::monitor(&bed, &deploy);
    let mut load = application::load(&bed);
    application::assert_measured(&bed);

    bed.apply_together(&deploy.join("overlays/minikube"), &deploy.join("components/apply"));
    workers::assert_unready_until_trained(&bed);
    let before = change::running(&bed);
    change::permit(&bed);
    let plan = plans::of_the_cron_job(&bed);
    plans::assert_complete(&bed, &plan);
    change::assert_in_place(&bed, &before);

    workers::assert_answer_a_foreign_client(&bed);
    access::assert_least(&bed);
    recommend::assert_found(&bed);
    recommend::assert_healthy(&bed);

    faults::worker_killed(&bed);
    faults::api_server_stopped(&bed);
    faults::prometheus_down(&bed);

    change::assert_rolled_back_to_the_byte(&bed);
    faults::prometheus_up(&bed);
    mutual_tls::assert_required(&bed, &deploy);
    application::assert_served(&bed, &mut load);
    bed.step("all of it works");
}
