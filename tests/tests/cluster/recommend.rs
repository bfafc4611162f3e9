//! What a newcomer does: one command with nothing but a kubeconfig.

use std::collections::BTreeMap;
use std::process::Output;

use mora_core::{Bytes, Millicores, OwnerKind, OwnerRef};
use mora_scan::{Row, SCHEMA, ScanReport};
use mora_tests::tools;
use serde_json::Value;

use crate::application::NAMESPACE;
use crate::bed::{Bed, said};

/// Whose workloads are looked for.
const NAMESPACES: [&str; 2] = [NAMESPACE, "mora"];
const KINDS: &str = "deployments,statefulsets,daemonsets,cronjobs";

/// What a container requests, as its owner states it.
type Requests = (Option<Millicores>, Option<Bytes>);

/// Asserts that `mora recommend` finds every workload with its requests, and the bed's Prometheus by itself.
pub(crate) fn assert_found(bed: &Bed) {
    let output = mora(bed, &["recommend", "--output", "json"]);
    assert!(output.status.success(), "{}", said(&output));
    let report: ScanReport = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report.schema, SCHEMA);
    let [cluster] = &report.clusters[..] else { panic!("one cluster: {:?}", report.clusters) };
    assert_eq!(cluster.prometheus, "Prometheus monitoring/prometheus (through the API server)");
    let stated = stated(bed);
    let found: BTreeMap<(OwnerRef, String), &Row> =
        report.rows.iter().map(|row| ((row.owner(), row.container.clone()), row)).collect();
    for (container, (cpu, memory)) in &stated {
        let row = found.get(container);
        let row = row.unwrap_or_else(|| panic!("no row for {container:?}: {:?}", found.keys()));
        let current = (row.cpu.request.current, row.memory.request.current);
        assert_eq!(current, (*cpu, *memory), "{container:?}");
    }
    let told: Vec<String> = NAMESPACES.map(|namespace| told(&report.rows, namespace)).into();
    bed.step(&format!("mora recommend found {} containers; {}", stated.len(), told.join("; ")));
}

/// How many containers of a namespace have a recommendation; at least one of the application has.
fn told(rows: &[Row], namespace: &str) -> String {
    let of_namespace = rows.iter().filter(|row| row.namespace == namespace);
    let known = of_namespace.clone().filter(|row| {
        let (cpu, memory) = (&row.cpu.request.recommended, &row.memory.request.recommended);
        cpu.value().is_some() && memory.value().is_some() && row.confidence.pods > 0
    });
    let known = known.count();
    assert!(known > 0 || namespace != NAMESPACE, "{rows:#?}");
    format!("{known} of {} in {namespace} with a recommendation", of_namespace.count())
}

/// Asserts that `mora doctor` finds the same, and nothing that prevents recommendations.
pub(crate) fn assert_healthy(bed: &Bed) {
    let output = mora(bed, &["doctor", "--output", "json"]);
    let code = output.status.code();
    // What is lacking, such as node_exporter here, is told by 3.
    assert!(matches!(code, Some(0 | 3)), "{code:?}: {}", said(&output));
    let diagnosis: Value = serde_json::from_slice(&output.stdout).unwrap();
    let shown = diagnosis["prometheus"].as_str();
    assert_eq!(shown, Some("Prometheus monitoring/prometheus (through the API server)"));
    bed.step("mora doctor finds nothing broken");
}

/// Runs the command with the kubeconfig of the cluster and nothing else.
fn mora(bed: &Bed, arguments: &[&str]) -> Output {
    let mut command = bed.inside(tools::binary("mora").unwrap());
    command.args(arguments).output().unwrap()
}

/// What every container of the workloads requests, as the cluster has it.
fn stated(bed: &Bed) -> BTreeMap<(OwnerRef, String), Requests> {
    let mut stated = BTreeMap::new();
    for namespace in NAMESPACES {
        let listed = bed.json(&["-n", namespace, "get", KINDS]);
        for object in listed["items"].as_array().unwrap() {
            let kind: OwnerKind = object["kind"].as_str().unwrap().parse().unwrap();
            let name = object["metadata"]["name"].as_str().unwrap();
            let owner = OwnerRef::new(namespace, kind, name);
            for container in containers(object) {
                let name = container["name"].as_str().unwrap().to_owned();
                let requests = requests(&container["resources"]["requests"]);
                stated.insert((owner.clone(), name), requests);
            }
        }
    }
    assert!(!stated.is_empty());
    stated
}

fn containers(object: &Value) -> &[Value] {
    let of_cron_job = "/spec/jobTemplate/spec/template/spec/containers";
    let containers = object.pointer("/spec/template/spec/containers");
    containers.or_else(|| object.pointer(of_cron_job)).unwrap().as_array().unwrap()
}

fn requests(stated: &Value) -> Requests {
    let cpu = stated["cpu"].as_str().map(|text| text.parse().unwrap());
    let memory = stated["memory"].as_str().map(|text| text.parse().unwrap());
    (cpu, memory)
}
