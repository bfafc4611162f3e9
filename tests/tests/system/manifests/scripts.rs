//! The scripts that bring things up say what they lack, and make certificates that verify.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::{root, succeeded};

/// Programs that are no part of what the scripts ask for.
const BASICS: [&str; 6] = ["bash", "env", "dirname", "basename", "cat", "head"];

/// A folder with the basics and nothing else.
fn bare(folder: &Path) -> &Path {
    for program in BASICS {
        let found = ["/usr/bin", "/bin"].map(|place| Path::new(place).join(program));
        let found = found.iter().find(|path| path.exists()).unwrap();
        std::os::unix::fs::symlink(found, folder.join(program)).unwrap();
    }
    folder
}

fn without_tools(script: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(root().join("scripts").join(script));
    command.env("PATH", bare(folder.path())).env("XDG_CACHE_HOME", folder.path()).output().unwrap()
}

#[test]
fn without_its_tools_a_script_says_what_to_install_and_fails() {
    let cases = [
        ("minikube-up", &["install minikube", "install kubectl", "install a driver"][..]),
        ("minikube-down", &["minikube is missing; install it"]),
        ("boutique-up", &["kubectl is missing; install it"]),
        ("monitoring-up", &["kubectl is missing; install it"]),
        ("mora-up", &["kubectl is missing; install it"]),
        ("status", &["kubectl is missing; install it"]),
        ("certificates", &["openssl is missing; install"]),
        ("book", &["mdbook is missing; install it", "cargo install mdbook"]),
    ];
    for (script, expected) in cases {
        let output = without_tools(script);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{script}: {told}");
        for one in expected {
            assert!(told.contains(one), "{script}: {told}");
        }
    }
}

#[test]
fn every_script_can_be_read_and_explains_itself() {
    for entry in fs::read_dir(root().join("scripts")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read(&path).unwrap_or_default();
        if text.starts_with(b"#!/usr/bin/env bash\n# ")
            || path.extension().is_some_and(|e| e == "bash")
        {
            let output = Command::new("bash").arg("-n").arg(&path).output().unwrap();
            succeeded(&output, &path.display().to_string());
        } else {
            assert!(
                !text.starts_with(b"#!/usr/bin/env bash"),
                "{} lacks its purpose",
                path.display()
            );
        }
    }
}

#[test]
fn certificates_verify_by_the_authority_and_name_every_service() {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(root().join("scripts/certificates"))
        .args(["--offline", "--folder"])
        .arg(folder.path())
        .output()
        .unwrap();
    succeeded(&output, "scripts/certificates");
    let openssl = |arguments: &[&str]| {
        let output =
            Command::new("openssl").args(arguments).current_dir(folder.path()).output().unwrap();
        succeeded(&output, "openssl")
    };
    let names = [
        ("worker", "mora-worker-redis-cart.mora.svc"),
        ("worker", "mora-workers.mora.svc"),
        ("collector", "mora-collector.mora.svc"),
        ("coordinator", "mora-coordinator-server.mora.svc"),
    ];
    for (component, name) in names {
        let certificate = format!("{component}.crt");
        openssl(&["verify", "-CAfile", "ca.crt", "-verify_hostname", name, &certificate]);
        let key = openssl(&["pkey", "-in", &format!("{component}.key"), "-pubout"]);
        assert_eq!(
            key,
            openssl(&["x509", "-in", &certificate, "-noout", "-pubkey"]),
            "{component}"
        );
    }
    openssl(&["verify", "-CAfile", "ca.crt", "-purpose", "sslclient", "client.crt"]);
    let stranger = Command::new("openssl")
        .args([
            "verify",
            "-CAfile",
            "ca.crt",
            "-verify_hostname",
            "mora-collector.mora.svc",
            "worker.crt",
        ])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(!stranger.status.success(), "a worker is no collector");
}
