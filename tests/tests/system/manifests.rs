//! The manifests as they are shipped: they render, Kubernetes takes them, and what is made from a list is up to date.

#[path = "manifests/configuration.rs"]
mod configuration;
#[path = "manifests/dashboards.rs"]
mod dashboards;
#[path = "manifests/minikube.rs"]
mod minikube;
#[path = "manifests/scripts.rs"]
mod scripts;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mora_tests::tools;

const VERSIONS: &str = "1.32,1.33,1.34,1.35,1.36";
const COMPONENTS: [&str; 3] = ["server", "apply", "vpa"];
const RELEASE: &str = "https://raw.githubusercontent.com/GoogleCloudPlatform/microservices-demo/";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Standard output of a command that is to succeed.
fn succeeded(output: &Output, what: &str) -> String {
    let told = String::from_utf8_lossy(&output.stderr);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{what} failed:\n{text}{told}");
    text
}

fn rendered(folder: &Path) -> String {
    let kubectl = tools::kubectl().unwrap_or_else(|error| panic!("{error}"));
    let output = Command::new(kubectl).arg("kustomize").arg(folder).output().unwrap();
    succeeded(&output, &folder.display().to_string())
}

/// A copy of `deploy`, in which Google's release is the test application's manifests, which have its names.
fn offline_copy(folder: &Path) -> PathBuf {
    let copied =
        Command::new("cp").arg("-R").arg(root().join("deploy")).arg(folder).status().unwrap();
    assert!(copied.success());
    let boutique = folder.join("deploy/overlays/boutique");
    let path = boutique.join("kustomization.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let remote = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("- ").filter(|l| l.starts_with(RELEASE)));
    let remote = remote.unwrap_or_else(|| panic!("no pinned release in\n{text}"));
    fs::write(&path, text.replace(remote, "release.yaml")).unwrap();
    fs::copy(root().join("tests/boutique/deploy/boutique.yaml"), boutique.join("release.yaml"))
        .unwrap();
    folder.join("deploy")
}

/// Every folder to render: base, overlays, and the base with each choice of components.
fn folders(deploy: &Path) -> Vec<PathBuf> {
    let overlays =
        fs::read_dir(deploy.join("overlays")).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = overlays.chain([deploy.join("base")]).collect();
    for choice in 1..1_usize << COMPONENTS.len() {
        let chosen = COMPONENTS.iter().enumerate().filter(|(bit, _)| choice & (1 << bit) != 0);
        let list: String = chosen.map(|(_, name)| format!("  - ../components/{name}\n")).collect();
        let folder = deploy.join(format!("choice-{choice}"));
        fs::create_dir(&folder).unwrap();
        let text = format!("resources:\n  - ../base\ncomponents:\n{list}");
        fs::write(folder.join("kustomization.yaml"), text).unwrap();
        folders.push(folder);
    }
    folders.sort();
    folders
}

fn validated(files: &[PathBuf], versions: &str) -> Output {
    let python = tools::python().unwrap_or_else(|error| panic!("{error}"));
    let script = root().join("tests/validate_manifests.py");
    Command::new(python).arg(script).arg(versions).args(files).output().unwrap()
}

#[test]
fn every_overlay_and_choice_of_components_is_valid_for_five_versions_of_kubernetes() {
    let work = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for folder in folders(&offline_copy(work.path())) {
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        let file = work.path().join(format!("{name}.yaml"));
        fs::write(&file, rendered(&folder)).unwrap();
        files.push(file);
    }
    let told = succeeded(&validated(&files, VERSIONS), "validating");
    println!("{} renderings: {told}", files.len());
    assert!(files.len() >= 6 + 7, "{files:?}");
}

#[test]
fn what_kubernetes_does_not_know_is_found() {
    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("wrong.yaml");
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n";
    let plan =
        "apiVersion: mora.dev/v1alpha1\nkind: RightsizingPlan\nmetadata: {name: b}\nspec: {}\n";
    fs::write(&file, format!("{service}spec: {{port: 80}}\n---\n{plan}")).unwrap();
    let output = validated(&[file], "1.36");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success());
    assert!(told.contains("'port' was unexpected"), "{told}");
    assert!(told.contains("no definition of it was given"), "{told}");
}

#[test]
fn the_workers_are_those_of_the_list() {
    let made = Command::new(root().join("scripts/workers")).output().unwrap();
    let made = succeeded(&made, "scripts/workers");
    let shipped = fs::read_to_string(root().join("deploy/base/workers.yaml")).unwrap();
    assert!(made == shipped, "run scripts/workers >deploy/base/workers.yaml");
    let list = fs::read_to_string(root().join("deploy/workers.list")).unwrap();
    let listed = list.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(made.matches("kind: Deployment").count(), listed);
    assert_eq!(made.matches("kind: Service").count(), listed);
}

#[test]
fn a_list_that_cannot_be_used_is_refused_with_its_line() {
    let work = tempfile::tempdir().unwrap();
    let list = work.path().join("list");
    let cases = [
        ("shop Deployment\n", "line 1: write NAMESPACE KIND NAME"),
        ("# a\nshop CronJob x\n", "line 2: 'CronJob' is none of"),
        ("shop Deployment Cart\n", "line 1: 'shop Cart' are no names"),
        (
            "shop Deployment a\nshop Deployment a\nshop Deployment a\n",
            "shop/Deployment/a is listed twice",
        ),
        ("# nothing\n", "names no workload"),
    ];
    for (text, expected) in cases {
        fs::write(&list, text).unwrap();
        let output = Command::new(root().join("scripts/workers")).arg(&list).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && told.contains(expected), "{text}: {told}");
    }
}

#[test]
fn workloads_of_one_name_have_workers_of_their_own() {
    let work = tempfile::tempdir().unwrap();
    let list = work.path().join("list");
    fs::write(&list, "shop Deployment cart\nother StatefulSet cart").unwrap();
    let output = Command::new(root().join("scripts/workers")).arg(&list).output().unwrap();
    let made = succeeded(&output, "scripts/workers");
    for name in ["mora-worker-cart", "mora-worker-other-statefulset-cart"] {
        assert_eq!(made.matches(&format!("  name: {name}\n")).count(), 2, "{name}");
    }
    assert!(made.contains("--workload=other/StatefulSet/cart\n"));
}

#[test]
fn the_dockerfile_makes_the_images_that_are_assembled_without_an_engine() {
    let output = Command::new(root().join("scripts/images")).arg("--check").output().unwrap();
    let said = succeeded(&output, "scripts/images --check");
    assert!(said.contains("agree on model-worker collector coordinator cli"), "{said}");
}

#[test]
fn no_right_is_granted_by_a_wildcard_or_on_secrets() {
    let work = tempfile::tempdir().unwrap();
    for folder in folders(&offline_copy(work.path())) {
        let text = rendered(&folder);
        let roles = text.split("\n---\n").filter(|one| one.contains("\nrules:\n"));
        for role in roles {
            let lines = role.lines().map(|line| line.trim().trim_start_matches("- "));
            let wrong = |line: &str| ["'*'", "\"*\"", "secrets"].contains(&line);
            assert_eq!(
                lines.filter(|line| wrong(line)).count(),
                0,
                "{}:\n{role}",
                folder.display()
            );
        }
    }
}
