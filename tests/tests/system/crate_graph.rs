//! The crate graph is the one ARCHITECTURE.md states.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

type Graph = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Normal dependencies between packages of the workspace.
fn of_cargo() -> Graph {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let own = |dependency: &&Value| dependency["kind"].is_null() && !dependency["path"].is_null();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let packages = metadata["packages"].as_array().unwrap().iter();
    packages
        .map(|p| {
            (name(p), p["dependencies"].as_array().unwrap().iter().filter(own).map(name).collect())
        })
        .collect()
}

/// The table under "Who may depend on whom".
fn of_the_document() -> Graph {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let table = text.split("Who may depend on whom").nth(1).unwrap().split("## ").next().unwrap();
    let names = |cell: &str| {
        cell.split('`').map(str::to_owned).filter(|n| n.starts_with("mora-")).collect()
    };
    table
        .lines()
        .filter(|line| line.starts_with("| `mora-"))
        .filter_map(|line| {
            let cells: Vec<&str> = line.split('|').collect();
            let package: Vec<String> = names(cells.get(1)?);
            Some((package.into_iter().next()?, names(cells.get(2)?).into_iter().collect()))
        })
        .collect()
}

#[test]
fn packages_depend_on_one_another_as_the_architecture_states() {
    assert_eq!(of_cargo(), of_the_document());
}
