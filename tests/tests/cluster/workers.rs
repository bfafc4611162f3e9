//! The workers behind their Services.

use serde_json::Value;

use crate::LONG;
use crate::application::{NAMESPACE, WORKLOADS};
use crate::bed::{Bed, run};

const SELECTOR: &str = "app.kubernetes.io/name=mora-model-worker";

/// Pods of workers, and how many are ready.
fn pods(bed: &Bed) -> (usize, usize) {
    let pods = bed.json(&["-n", "mora", "get", "pods", "-l", SELECTOR]);
    let pods = pods["items"].as_array().unwrap();
    let ready = |pod: &&Value| pod["status"]["containerStatuses"][0]["ready"] == true;
    (pods.len(), pods.iter().filter(ready).count())
}

/// Asserts that workers come up without a model, are trained by the collector, and are ready then.
pub(crate) fn assert_unready_until_trained(bed: &Bed) {
    bed.eventually("workers to run", LONG, || {
        let running = [
            "-n",
            "mora",
            "get",
            "pods",
            "-l",
            SELECTOR,
            "-o",
            "jsonpath={range .items[*]}{.status.containerStatuses[0].started}{\"\\n\"}{end}",
        ];
        (bed.kubectl(&running).matches("true").count() == WORKLOADS).then_some(())
    });
    let (_, ready) = pods(bed);
    bed.step(&format!("{WORKLOADS} workers run, {ready} of them have a model"));
    bed.eventually("the first training", LONG, || (pods(bed).1 > 0).then_some(()));
    bed.step("the first training is done: a worker is ready");
    bed.available("mora", &[], LONG);
    assert_eq!(pods(bed), (WORKLOADS, WORKLOADS));
    bed.step("all workers are trained and ready");
}

/// Asserts that grpcurl, which knows nothing of MOrA, lists a worker's services and gets a forecast through its Service.
pub(crate) fn assert_answer_a_foreign_client(bed: &Bed) {
    let service = bed.json(&["-n", "mora", "get", "service", "mora-worker-frontend"]);
    let address = service["spec"]["clusterIP"].as_str().unwrap();
    let address = format!("{address}:50061");
    let services = run(bed.inside("grpcurl").args(["-plaintext", &address, "list"]));
    for service in ["mora.v1.ForecastService", "mora.v1.TrainingService", "grpc.health.v1.Health"] {
        assert!(services.lines().any(|line| line == service), "{services}");
    }
    let asked = format!(
        r#"{{"workload": {{"namespace": "{NAMESPACE}", "kind": "WORKLOAD_KIND_DEPLOYMENT", "name": "frontend"}}}}"#
    );
    let call = ["-plaintext", "-d", &asked, &address, "mora.v1.ForecastService/ForecastPeak"];
    let answer = run(bed.inside("grpcurl").args(call));
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert!(answer["modelVersion"].as_str().is_some_and(|version| !version.is_empty()), "{answer}");
    bed.step(&format!(
        "grpcurl lists {} services of a worker and gets a forecast of version {}",
        services.lines().count(),
        answer["modelVersion"]
    ));
}
