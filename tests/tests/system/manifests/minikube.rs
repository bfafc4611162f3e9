//! What `scripts/minikube-up` asks of Minikube and of the cluster, seen by stand-ins that write it down.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use super::root;

/// Runs until it was started once, as Minikube does.
const MINIKUBE: &str = r#"#!/usr/bin/env bash
echo "minikube $*" >>"$CALLS"
case $1 in
    status) [ -e "$CALLS.started" ] ;;
    start) touch "$CALLS.started" ;;
esac
"#;

/// A cluster on which all is ready as soon as it is applied, with one worker.
const KUBECTL: &str = r#"#!/usr/bin/env bash
echo "kubectl $*" >>"$CALLS"
case "$*" in
    *"get secret grafana-admin"*) [ -e "$CALLS.secret" ] ;;
    *"create -f -"*) cat >"$CALLS.secret" ;;
    *"get --raw /api/"*) echo '{"data":{"result":[{}]}}' ;;
    *"get deployments --output"*) echo frontend 1 1 ;;
    *"get deployment "*) echo '2/2 1/1/1' ;;
    *"get pods --selector app.kubernetes.io/name=mora-model-worker --output jsonpath={range .items[*]}{.status"*) echo true ;;
    *"get cronjob"* | *"get pods"* | *rightsizingplans*) ;;
    *"get configmaps"*) echo "$CONFIGURATION" ;;
esac
"#;

struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("minikube", MINIKUBE), ("kubectl", KUBECTL)] {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { folder }
    }

    fn calls(&self) -> &Path {
        self.folder.path()
    }

    /// Runs a script; what it asked for, and what came of it.
    fn run(&self, script: &str, arguments: &[&str]) -> (Vec<String>, Output) {
        let calls = self.calls().join("calls");
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH").unwrap());
        let output = Command::new(root().join("scripts").join(script))
            .args(arguments)
            .env("PATH", path)
            .env("CALLS", &calls)
            .env("CONFIGURATION", "the same")
            .output()
            .unwrap();
        let asked = fs::read_to_string(&calls).unwrap_or_default();
        fs::write(&calls, "").unwrap();
        (asked.lines().map(str::to_owned).collect(), output)
    }
}

/// Where each of `expected` is in `asked`, which must be in that order.
fn assert_in_order(asked: &[String], expected: &[&str]) {
    let mut rest = asked.iter();
    for one in expected {
        assert!(
            rest.any(|call| call.contains(one)),
            "no `{one}` in its place in\n{}",
            asked.join("\n")
        );
    }
}

#[test]
fn everything_comes_up_in_order_and_a_second_run_keeps_what_is_there() {
    let host = Host::new();
    let arguments = ["--driver", "docker", "--profile", "trial"];
    let (asked, output) = host.run("minikube-up", &arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}\n{}", asked.join("\n"));
    assert_in_order(
        &asked,
        &[
            "minikube start --profile trial --cpus 4 --memory 8g --cni calico --driver docker",
            "minikube addons enable metrics-server",
            "minikube image build --profile trial --tag mora/model-worker:0.1.0",
            "mora/collector:0.1.0",
            "mora/coordinator:0.1.0",
            "mora/cli:0.1.0",
            "kubectl --context trial apply -k",
            "kubectl --context trial create -f -",
            "deploy/overlays/monitoring",
            "deploy/base/crds.yaml",
            "--for=condition=Established",
            "deploy/overlays/minikube",
        ],
    );
    for progress in ["1 of 1 Deployments of hipster-shop are ready", "1 of 1 workers have started"]
    {
        assert!(told.contains(progress), "{told}");
    }
    let password = fs::read_to_string(host.calls().join("calls.secret")).unwrap();
    let (asked, output) = host.run("minikube-up", &arguments);
    assert!(output.status.success());
    let is_kept = |call: &&String| {
        call.contains("minikube start")
            || call.contains("create -f -")
            || call.contains("rollout restart")
    };
    assert_eq!(asked.iter().find(is_kept), None);
    assert_eq!(fs::read_to_string(host.calls().join("calls.secret")).unwrap(), password);
}

#[test]
fn the_password_of_grafana_is_neither_told_nor_an_argument() {
    let host = Host::new();
    let (asked, output) = host.run("monitoring-up", &[]);
    let secret = fs::read_to_string(host.calls().join("calls.secret")).unwrap();
    let password = secret.lines().find_map(|line| line.trim().strip_prefix("password: ")).unwrap();
    let password = password.trim_matches('"');
    assert!(password.len() >= 32, "{secret}");
    let told = [output.stdout, output.stderr].concat();
    assert!(!String::from_utf8_lossy(&told).contains(password));
    assert!(!asked.join("\n").contains(password));
}
