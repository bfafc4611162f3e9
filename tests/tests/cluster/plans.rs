//! Plans that the CronJob leaves.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::LONG;
use crate::application::{NAMESPACE, WORKLOADS};
use crate::bed::Bed;

/// The plans in the cluster, oldest first.
pub(crate) fn all(bed: &Bed) -> Vec<Value> {
    let listed = bed.json(&[
        "-n",
        "mora",
        "get",
        "rightsizingplans",
        "--sort-by=.metadata.creationTimestamp",
    ]);
    listed["items"].as_array().unwrap().clone()
}

/// The first plan with a status that the CronJob leaves by itself after this instant.
pub(crate) fn of_the_cron_job(bed: &Bed) -> Value {
    let known = all(bed).len();
    bed.step(&format!("waiting for the CronJob to fire; it left {known} plans so far"));
    let plan = newer_than(bed, known);
    let jobs = bed.json(&["-n", "mora", "get", "jobs"]);
    let by_cron = |job: &Value| job["metadata"]["ownerReferences"][0]["kind"] == "CronJob";
    assert!(jobs["items"].as_array().unwrap().iter().any(by_cron), "{jobs}");
    bed.step(&format!("the CronJob left the plan {}", plan["metadata"]["name"]));
    bed.step(&bed.kubectl(&["-n", "mora", "get", "rightsizingplans"]));
    plan
}

/// The newest plan once there are more than `known` and it says how it came out.
fn newer_than(bed: &Bed, known: usize) -> Value {
    bed.eventually("a plan", LONG, || {
        let plans = all(bed);
        let newest = plans.last()?.clone();
        (plans.len() > known && newest["status"]["conditions"].is_array()).then_some(newest)
    })
}

/// A plan made now, by a Job from the CronJob.
pub(crate) fn now(bed: &Bed, name: &str) -> Value {
    let known = all(bed).len();
    let job = format!("{name}-{}", SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
    bed.kubectl(&["-n", "mora", "create", "job", &job, "--from=cronjob/mora-coordinator"]);
    newer_than(bed, known)
}

/// Asserts that a plan is about every workload, each from a forecast, and fits.
pub(crate) fn assert_complete(bed: &Bed, plan: &Value) {
    let status = &plan["status"];
    let recommendations = status["recommendations"].as_array().unwrap();
    assert_eq!(recommendations.len(), WORKLOADS, "{status:#}");
    assert_eq!(condition(plan, "Complete"), Some("True"), "{status:#}");
    assert_eq!(condition(plan, "WithinCapacity"), Some("True"), "{status:#}");
    for recommendation in recommendations {
        let workload = recommendation["workload"].as_str().unwrap();
        assert!(workload.starts_with(&format!("{NAMESPACE}/")), "{recommendation}");
    }
    bed.step("it is complete, and fits the node");
}

/// The state of a condition.
pub(crate) fn condition<'a>(plan: &'a Value, kind: &str) -> Option<&'a str> {
    let conditions = plan["status"]["conditions"].as_array()?;
    conditions.iter().find(|one| one["type"] == kind)?["status"].as_str()
}
