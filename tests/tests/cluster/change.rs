//! Plans put in force, and taken back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mora_tests::tools;
use serde_json::{Value, json};

use crate::LONG;
use crate::application::{NAMESPACE, WORKLOADS, volume};
use crate::bed::{Bed, run};
use crate::plans;

/// Whose running pods the policy lets the coordinator resize.
const RESIZED: &str = "currencyservice";
/// Where the kubelet keeps the CPU quota of containers.
const CGROUPS: &str = "/sys/fs/cgroup/cpu/kubepods";
/// Microseconds of the scheduler's period for each millicore.
const QUOTA_PER_MILLICORE: i64 = 100;

/// The state of the one pod of a workload.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Running {
    uid: String,
    restarts: u64,
    quota: i64,
    limit: String,
}

/// Lets the coordinator resize one workload's pods, and plan with the whole node: under the usual cap, which the application alone
/// exceeds here, every raise would wait for decreases, on which two runs must agree.
pub(crate) fn permit(bed: &Bed) {
    bed.apply_text(&format!(
        "apiVersion: mora.dev/v1alpha1\nkind: RightsizingPolicy\nmetadata:\n  name: default\n  namespace: mora\nspec:\n  cap: 1\n  apply:\n    defaultMode: \"Off\"\n    modes:\n      - workload: {NAMESPACE}/{RESIZED}\n        mode: InPlace\n"
    ));
}

/// The pod of the workload that is resized, and the quota its kernel enforces.
pub(crate) fn running(bed: &Bed) -> Running {
    let pods = bed.json(&["-n", NAMESPACE, "get", "pods", "-l", &format!("app={RESIZED}")]);
    let [pod] = &pods["items"].as_array().unwrap()[..] else { panic!("one pod: {pods}") };
    let status = &pod["status"]["containerStatuses"][0];
    let id = status["containerID"].as_str().unwrap().trim_start_matches("containerd://");
    let uid = pod["metadata"]["uid"].as_str().unwrap();
    let class = pod["status"]["qosClass"].as_str().unwrap().to_lowercase();
    let path = Path::new(CGROUPS).join(class).join(format!("pod{uid}")).join(id);
    let quota = fs::read_to_string(path.join("cpu.cfs_quota_us")).unwrap();
    Running {
        uid: uid.to_owned(),
        restarts: status["restartCount"].as_u64().unwrap(),
        quota: quota.trim().parse().unwrap(),
        limit: status["resources"]["limits"]["cpu"].as_str().unwrap_or("none").to_owned(),
    }
}

/// Asserts that a plan's change of CPU was made in the running pod: another quota, the same pod, no restart.
pub(crate) fn assert_in_place(bed: &Bed, before: &Running) {
    let in_force = |plan: &Value| plans::condition(plan, "Applied") == Some("True");
    let plan = bed.eventually("a plan to be in force", LONG, || {
        plans::all(bed).into_iter().find(|plan| in_force(plan))
    });
    let applied = plan["status"]["applied"].as_array().unwrap();
    let resized = |one: &Value| one["workload"].as_str().unwrap().ends_with(RESIZED);
    assert!(applied.iter().any(resized), "{plan:#}");
    let after = running(bed);
    assert_eq!((&after.uid, after.restarts), (&before.uid, before.restarts));
    assert_ne!(after.quota, before.quota);
    assert_eq!(after.quota, QUOTA_PER_MILLICORE * millicores(&after.limit), "{after:?}");
    bed.step(&format!(
        "in place: {RESIZED} has a CPU limit of {} instead of {}, cpu.cfs_quota_us {} instead of {}, the same pod, {} restarts",
        after.limit, before.limit, after.quota, before.quota, after.restarts
    ));
}

fn millicores(quantity: &str) -> i64 {
    match quantity.strip_suffix('m') {
        Some(number) => number.parse().unwrap(),
        None => (quantity.parse::<f64>().unwrap() * 1000.0).round() as i64,
    }
}

/// Puts a step down of ten Deployments in force with `mora apply`, takes it back with `mora rollback`, and asserts that the
/// specifications are what they were, to the byte.
pub(crate) fn assert_rolled_back_to_the_byte(bed: &Bed) {
    // Nothing else may change them meanwhile.
    let suspended = r#"{"spec":{"suspend":true}}"#;
    bed.kubectl(&["-n", "mora", "patch", "cronjob", "mora-coordinator", "-p", suspended]);
    let (before, plan) = (specs(bed), lowered(bed));
    let mora = tools::binary("mora").unwrap();
    let state = bed.path("applied");
    let apply = |more: &[&str]| {
        let mut command = bed.inside(&mora);
        command.args(["apply", "--mode", "patch", "--state"]).arg(&state).args(more).arg(&plan);
        command
    };
    let dry = run(&mut apply(&["--dry-run"]));
    assert!(dry.contains("\n+"), "{dry}");
    assert_eq!(specs(bed), before, "a dry run changes nothing");
    run(&mut apply(&[]));
    let changed = specs(bed);
    let differ = before.iter().filter(|(name, spec)| changed[*name] != **spec).count();
    assert_eq!(differ, WORKLOADS - 1);
    run(bed.inside(&mora).args(["rollback", STEP, "--state"]).arg(&state));
    assert_eq!(specs(bed), before);
    bed.step(&format!(
        "mora apply changed {differ} Deployments, mora rollback set them back to the byte"
    ));
}

const STEP: &str = "step";

/// The newest plan of the coordinator, but with a fifth less CPU as this run's step of all that were not resized, one wave each:
/// the node has room for one more pod at a time.
fn lowered(bed: &Bed) -> PathBuf {
    let plans = volume(bed, "mora", "mora-state").join("plans");
    let newest = fs::read_dir(plans).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    let record: Value = serde_json::from_slice(&fs::read(newest).unwrap()).unwrap();
    let mut plan = record["plan"].clone();
    plan["id"] = STEP.into();
    let recommendations = plan["recommendations"].as_array_mut().unwrap();
    recommendations.retain(|one| !one["workload"].to_string().contains(RESIZED));
    for (wave, one) in (1..).zip(recommendations) {
        let cpu = millicores(one["cpu"]["current"].as_str().unwrap()) * 8 / 10;
        one["decision"] = json!({
            "verdict": "lower",
            "cpu": format!("{cpu}m"),
            "memory": one["memory"]["current"],
            "wave": wave,
            "reason": "A step down, for this test.",
        });
    }
    let path = bed.path("step.json");
    fs::write(&path, plan.to_string()).unwrap();
    path
}

/// The specification of every Deployment of the application, as the API gives it.
fn specs(bed: &Bed) -> BTreeMap<String, String> {
    let listed = bed.json(&["-n", NAMESPACE, "get", "deployments"]);
    let spec = |one: &Value| {
        let name = one["metadata"]["name"].as_str().unwrap().to_owned();
        (name, serde_json::to_string(&one["spec"]).unwrap())
    };
    listed["items"].as_array().unwrap().iter().map(spec).collect()
}
