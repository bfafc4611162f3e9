//! `mora models` over the library of two demos, a day apart.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use mora_tests::mora;
use serde_json::Value;

const WORKLOAD: &str = "hipster-shop/Deployment/cartservice";

/// A copy of a library in which every workload of the demo has two versions.
fn library() -> tempfile::TempDir {
    static TRAINED: OnceLock<tempfile::TempDir> = OnceLock::new();
    let trained = TRAINED.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        for end in ["2026-03-02T00:00:00Z", "2026-03-03T00:00:00Z"] {
            let (library, report) = (path("models"), path("demo.html"));
            let arguments =
                ["demo", "--days", "8", "--end", end, "--library", &library, "--report", &report];
            let output = mora(&arguments).unwrap_or_else(|error| panic!("{error}"));
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        folder
    });
    let copy = tempfile::tempdir().unwrap();
    let source = trained.path().join("models");
    let copied = Command::new("cp").arg("-r").arg(source).arg(copy.path()).status();
    assert!(copied.unwrap().success());
    copy
}

fn models(library: &Path, arguments: &[&str]) -> Output {
    let root = library.join("models");
    let fixed = ["models", "--library", root.to_str().unwrap()];
    mora(&[&fixed[..], arguments].concat()).unwrap_or_else(|error| panic!("{error}"))
}

/// What the command printed; it must have succeeded.
fn printed(library: &Path, arguments: &[&str]) -> String {
    let output = models(library, arguments);
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {log}");
    String::from_utf8(output.stdout).unwrap()
}

/// What the command said when it failed; it must have printed nothing as data.
fn refused(library: &Path, arguments: &[&str]) -> String {
    let output = models(library, arguments);
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {message}");
    assert!(output.stdout.is_empty());
    message
}

/// The versions of the workload, newest first, and the one that serves.
fn versions(library: &Path) -> (Vec<String>, String) {
    let listed = printed(library, &["list", "cartservice", "-o", "json"]);
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let name = |value: &Value| value["version"].as_str().unwrap().to_owned();
    let serves: Vec<String> = listed.iter().filter(|v| v["serves"] == true).map(name).collect();
    assert_eq!(serves.len(), 1);
    (listed.iter().map(name).collect(), serves[0].clone())
}

fn folder(library: &Path, version: &str) -> PathBuf {
    library.join("models/hipster-shop/Deployment.cartservice").join(version)
}

#[test]
fn the_list_names_every_version_and_a_card_says_what_it_is_made_of() {
    let library = library();
    let table = printed(library.path(), &["list"]);
    assert!(table.contains("hipster-shop/cartservice") && table.contains("serves"), "{table}");
    let all: Vec<Value> =
        serde_json::from_str(&printed(library.path(), &["list", "-o", "json"])).unwrap();
    assert_eq!(all.len(), 22);
    let card = printed(library.path(), &["show", WORKLOAD, "-o", "json"]);
    let card: Value = serde_json::from_str(&card).unwrap();
    assert_eq!((&card["seed"], &card["slot_seconds"]), (&7.into(), &3600.into()));
    assert!(card["signals"]["cpu"]["skill"]["origins"].as_u64() > Some(1), "{card}");
    assert!(card["decision"]["comparison"]["signals"]["cpu"]["slots"].as_u64() > Some(0), "{card}");
    assert!(card["files"]["cpu/back_test.json"]["sha256"].is_string());
    let text = printed(library.path(), &["show", "cartservice"]);
    assert!(text.contains("serves") && text.contains("pinball ratio"), "{text}");
    assert!(text.contains("requests by price of risk") && text.contains("; 80: "), "{text}");
    let markdown = printed(library.path(), &["show", "hipster-shop/cartservice", "-o", "markdown"]);
    assert!(markdown.starts_with("# Model card: ") && markdown.contains("| --- |"), "{markdown}");
    let page = library.path().join("card.html");
    printed(library.path(), &["show", WORKLOAD, "-o", "html", "--to", page.to_str().unwrap()]);
    let html = std::fs::read_to_string(page).unwrap();
    assert_eq!(html.matches("<svg").count(), 6);
    assert!(
        !html.contains("http://") && !html.contains("https://"),
        "the page must need no network"
    );
}

#[test]
fn two_versions_are_compared_on_the_same_slots_whichever_comes_first() {
    let library = library();
    let (names, _) = versions(library.path());
    let compare = |first: &str, second: &str| -> Value {
        let printed =
            printed(library.path(), &["compare", "cartservice", first, second, "-o", "json"]);
        serde_json::from_str(&printed).unwrap()
    };
    let (forth, back) = (compare(&names[0], &names[1]), compare(&names[1], &names[0]));
    let excess = |value: &Value| value["comparison"]["excess"].as_f64().unwrap();
    assert!((excess(&forth) + excess(&back)).abs() < 1e-9);
    let cpu = &forth["comparison"]["signals"]["cpu"];
    assert_eq!(cpu["since"], 24, "{cpu}");
    let table = printed(library.path(), &["compare", "cartservice", &names[1], &names[0]]);
    assert!(table.contains("pinball loss is") && table.contains("cores"), "{table}");
}

#[test]
fn a_rollback_switches_what_serves_and_refuses_a_corrupted_version() {
    let library = library();
    let (names, before) = versions(library.path());
    let [newer, older] = &names[..] else { panic!("{names:?}") };
    let other = if *newer == before { older } else { newer };
    let said = printed(library.path(), &["rollback", "cartservice", "--to", other]);
    assert!(said.contains(&format!("{before} -> {other}")), "{said}");
    assert_eq!(versions(library.path()).1, *other);
    let damaged = folder(library.path(), &before).join("cpu/model.json");
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[10] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    let message = refused(library.path(), &["rollback", "cartservice", "--to", &before]);
    assert!(message.contains("cpu/model.json is corrupted"), "{message}");
    assert!(message.contains("nothing was changed"), "{message}");
    assert_eq!(versions(library.path()).1, *other);
    refused(library.path(), &["export", "cartservice", "--version", &before, "--to", "out"]);
}

#[test]
fn an_export_is_whole_and_its_checksums_hold() {
    let library = library();
    let target = library.path().join("export");
    let to = target.to_str().unwrap();
    printed(library.path(), &["export", "cartservice", "--to", to]);
    let check = || {
        Command::new("sha256sum")
            .args(["--check", "--quiet", "SHA256SUMS"])
            .current_dir(&target)
            .output()
    };
    let checked = check().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    assert!(target.join("card.md").is_file() && target.join("manifest.json").is_file());
    let message = refused(library.path(), &["export", "cartservice", "--to", to]);
    assert!(message.contains("nothing is there yet"), "{message}");
    let archive = library.path().join("cart.tar");
    printed(library.path(), &["export", "cartservice", "--to", archive.to_str().unwrap()]);
    let listing = Command::new("tar").arg("-tf").arg(&archive).output().unwrap();
    let listing = String::from_utf8(listing.stdout).unwrap();
    assert!(listing.contains("cartservice-") && listing.contains("/cpu/model.json"), "{listing}");
}

#[test]
fn pruning_says_what_it_would_remove_and_never_removes_what_serves() {
    let library = library();
    let (names, serves) = versions(library.path());
    let [newer, older] = &names[..] else { panic!("{names:?}") };
    if serves != *older {
        printed(library.path(), &["rollback", "cartservice", "--to", older]);
    }
    let kept = printed(library.path(), &["prune", "cartservice", "--keep", "1"]);
    assert_eq!((kept.as_str(), versions(library.path()).0), ("", names.clone()));
    printed(library.path(), &["rollback", "cartservice", "--to", newer]);
    let would = printed(library.path(), &["prune", "cartservice", "--keep", "1", "--dry-run"]);
    assert!(would.contains(older.as_str()), "{would}");
    assert_eq!(versions(library.path()).0, names);
    let removed = printed(library.path(), &["prune", "cartservice", "--keep", "1"]);
    assert_eq!(removed, would);
    assert_eq!(versions(library.path()), (vec![newer.clone()], newer.clone()));
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    let library = library();
    let unknown = refused(library.path(), &["show", "basket"]);
    assert!(unknown.contains("`basket`") && unknown.contains(WORKLOAD), "{unknown}");
    let (names, _) = versions(library.path());
    let version = refused(library.path(), &["show", "cartservice", "--version", "v9"]);
    assert!(version.contains("v9") && version.contains(&names[0]), "{version}");
    let empty = tempfile::tempdir().unwrap();
    let message = refused(empty.path(), &["list"]);
    assert!(message.contains("mora demo --library"), "{message}");
    let usage = models(library.path(), &["prune", "--keep", "0"]);
    assert_eq!(usage.status.code(), Some(2));
}
