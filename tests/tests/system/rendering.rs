//! What a scan report becomes for other tools, given to those tools.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use mora_rendering::{OutputFormat, RenderOptions, render};
use mora_tests::tools;
use serde_json::Value;

#[path = "../../../crates/rendering/examples/sample/report.rs"]
pub(crate) mod sample;

fn rendered(format: OutputFormat) -> String {
    let options = RenderOptions {
        command: Some(format!("mora recommend -o {format}")),
        ..RenderOptions::default()
    };
    render(&sample::one_cluster(), format, &options).unwrap()
}

fn succeeded(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn kubectl() -> Command {
    Command::new(tools::kubectl().unwrap_or_else(|error| panic!("{error}")))
}

/// Pods of two containers, an image each, with what the scan found set, and a sidecar that no patch may touch.
const PODS: &str = "      spec:
        initContainers:
          - {name: migrate, image: m, resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 200m, memory: 64Mi}}}
        containers:
          - {name: other, image: o, resources: {limits: {cpu: 7}}}
          - {name: server, image: s, resources: {requests: {cpu: 1}, limits: {cpu: 2, memory: 1Gi}}}
";

/// A kustomization that has workloads of the sample's names and takes the component, if there is one.
fn base(folder: &Path, component: Option<&str>) {
    let mut text = "resources: [workloads.yaml]\n".to_owned();
    if let Some(component) = component {
        fs::create_dir(folder.join("mora")).unwrap();
        fs::write(folder.join("mora/kustomization.yaml"), component).unwrap();
        text += "components: [mora]\n";
    }
    fs::write(folder.join("kustomization.yaml"), text).unwrap();
    let object = |version: &str, kind: &str, name: &str, namespace: &str| {
        let pods = PODS.to_owned();
        let spec = match kind {
            "CronJob" => format!(
                "  schedule: '0 2 * * *'\n  jobTemplate:\n    spec:\n      template:\n{}",
                pods.replace("\n  ", "\n    ").replacen("  ", "    ", 1)
            ),
            _ => format!("  template:\n{}", pods.replace("\n  ", "\n").replacen("  ", "", 1)),
        };
        format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec:\n{spec}---\n"
        )
    };
    let workloads = [
        object("apps/v1", "Deployment", "cart", "shop"),
        object("apps/v1", "StatefulSet", "db", "shop"),
        object("batch/v1", "CronJob", "nightly", "shop"),
        object("apps/v1", "Deployment", "cart", "elsewhere"),
        object("apps/v1", "Deployment", "cartography", "shop"),
    ];
    fs::write(folder.join("workloads.yaml"), workloads.concat()).unwrap();
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple::<Value>(text).unwrap()
}

/// The containers of an object's pods by name.
fn containers<'a>(objects: &'a [Value], kind: &str, namespace: &str, name: &str) -> &'a Value {
    let is_it = |object: &&Value| {
        let metadata = &object["metadata"];
        object["kind"] == kind && metadata["namespace"] == namespace && metadata["name"] == name
    };
    let object =
        objects.iter().find(is_it).unwrap_or_else(|| panic!("no {kind} {namespace}/{name}"));
    let spec = &object["spec"];
    let spec = if kind == "CronJob" { &spec["jobTemplate"]["spec"] } else { spec };
    &spec["template"]["spec"]
}

#[test]
fn kustomize_takes_the_component_and_changes_what_it_names_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    base(folder.path(), Some(&rendered(OutputFormat::Kustomize)));
    let built = succeeded(&kubectl().arg("kustomize").arg(folder.path()).output().unwrap());
    let objects = documents(&built);
    assert_eq!(objects.len(), 5);
    let resources = |requests: Value, limits: Value| serde_json::json!({ "requests": requests, "limits": limits });
    let cart = containers(&objects, "Deployment", "shop", "cart");
    let of = |pods: &Value, list: &str, name: &str| {
        let found = pods[list].as_array().unwrap().iter().find(|one| one["name"] == name).cloned();
        found.unwrap_or_else(|| panic!("no {name} in {pods}"))
    };
    let server = of(cart, "containers", "server");
    assert_eq!(server["image"], "s");
    assert_eq!(
        server["resources"],
        resources(
            serde_json::json!({ "cpu": "138m", "memory": "256Mi" }),
            serde_json::json!({ "memory": "333Mi" })
        )
    );
    assert_eq!(of(cart, "containers", "other")["resources"]["limits"]["cpu"], 7);
    assert_eq!(
        of(cart, "initContainers", "migrate")["resources"]["limits"],
        serde_json::json!({ "memory": "90Mi" })
    );
    assert_eq!(cart["containers"].as_array().unwrap().len(), 2, "a container was added");
    let nightly = of(containers(&objects, "CronJob", "shop", "nightly"), "containers", "server");
    assert_eq!(nightly["resources"]["requests"]["cpu"], "1500m");
    assert_eq!(nightly["resources"]["limits"]["cpu"], "1500m");
    for (namespace, name) in [("elsewhere", "cart"), ("shop", "cartography")] {
        let server =
            of(containers(&objects, "Deployment", namespace, name), "containers", "server");
        assert_eq!(server["resources"]["limits"]["memory"], "1Gi", "{namespace}/{name}");
    }
}

/// The words of each `kubectl` call of the script, which a shell reads.
fn calls(script: &str) -> Vec<Vec<String>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("patches.sh");
    fs::write(&path, script).unwrap();
    let program =
        "kubectl() { for word; do printf '%s\\0' \"$word\"; done; printf '\\n\\0'; }; . \"$0\"";
    let output = Command::new("/bin/sh").args(["-c", program]).arg(&path).output().unwrap();
    let told = succeeded(&output);
    let words: Vec<&str> = told.split_terminator('\0').collect();
    words
        .split(|word| *word == "\n")
        .filter(|c| !c.is_empty())
        .map(|c| c.iter().map(|w| (*w).to_owned()).collect())
        .collect()
}

#[test]
fn kubectl_merges_each_patch_into_an_object_without_a_cluster() {
    let folder = tempfile::tempdir().unwrap();
    base(folder.path(), None);
    let built = succeeded(&kubectl().arg("kustomize").arg(folder.path()).output().unwrap());
    let mut tried = 0;
    for call in calls(&rendered(OutputFormat::Patch)) {
        let after =
            |flag: &str| call[call.iter().position(|word| word == flag).unwrap() + 1].clone();
        let (object, patch) = (after("patch"), after("--patch"));
        assert_eq!(
            [after("--context"), after("--namespace"), after("--type")],
            ["prod-eu", "shop", "strategic"]
        );
        let (kind, name) = object.split_once('/').unwrap();
        let is_it = |one: &&Value| {
            let kind_of = one["kind"].as_str().unwrap().to_lowercase();
            kind_of == kind
                && one["metadata"]["name"] == name
                && one["metadata"]["namespace"] == "shop"
        };
        let objects = documents(&built);
        let Some(before) = objects.iter().find(is_it) else { continue };
        let file = folder.path().join("object.json");
        fs::write(&file, before.to_string()).unwrap();
        let output = kubectl()
            .args([
                "patch",
                "--local",
                "--type",
                "strategic",
                "-o",
                "json",
                "--patch",
                &patch,
                "-f",
            ])
            .arg(&file)
            .output()
            .unwrap();
        let patched: Value = serde_json::from_str(&succeeded(&output)).unwrap();
        let pods = containers(
            std::slice::from_ref(&patched),
            before["kind"].as_str().unwrap(),
            "shop",
            name,
        );
        let servers = pods["containers"].as_array().unwrap();
        assert_eq!(servers.len(), 2, "{pods}");
        let server = servers.iter().find(|one| one["name"] == "server").unwrap();
        assert_eq!(server["image"], "s");
        let wanted = if name == "nightly" {
            "1500m"
        } else if name == "db" {
            "750m"
        } else {
            "138m"
        };
        assert_eq!(server["resources"]["requests"]["cpu"], wanted);
        tried += 1;
    }
    assert_eq!(tried, 3);
}

#[test]
fn the_autoscalers_are_what_their_definition_allows() {
    let folder = tempfile::tempdir().unwrap();
    let objects = folder.path().join("vpa.yaml");
    fs::write(&objects, rendered(OutputFormat::Vpa)).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let definition = root.join("tests/vpa_definition.yaml");
    let validated = |files: &[&Path]| {
        let python = tools::python().unwrap_or_else(|error| panic!("{error}"));
        let script = root.join("tests/validate_manifests.py");
        Command::new(python).arg(script).arg("1.36").args(files).output().unwrap()
    };
    let told = succeeded(&validated(&[&objects, &definition]));
    assert!(told.contains("validated 8 objects, 0 problems"), "{told}");
    let wrong = fs::read_to_string(&objects)
        .unwrap()
        .replace("\"Off\"", "Off")
        .replace("minAllowed", "least");
    fs::write(&objects, wrong).unwrap();
    let output = validated(&[&objects, &definition]);
    assert!(!output.status.success(), "a wrong object is valid");
}

#[test]
fn values_are_documents_that_any_reader_of_yaml_takes() {
    let values = documents(&rendered(OutputFormat::Helm));
    let shop = values.iter().find(|document| document.is_object()).unwrap();
    assert_eq!(shop["db"]["resources"]["requests"]["cpu"], "750m");
    assert!(shop["db"]["resources"]["limits"]["cpu"].is_null());
    assert_eq!(shop["cart"]["server"]["resources"]["limits"]["memory"], "333Mi");
}
