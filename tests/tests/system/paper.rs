//! The paper is built from the committed results, and a number without a source ends its build.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mora_tests::tools;
use tempfile::TempDir;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A copy of the paper's sources to spoil.
struct Copied {
    folder: TempDir,
}

impl Copied {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&root().join("docs/paper"), folder.path());
        Self { folder }
    }

    /// Replaces what is there once in one file of it.
    fn replace(&self, file: &str, old: &str, new: &str) {
        let path = self.folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches(old).count(), 1, "`{old}` in {file}");
        fs::write(path, text.replace(old, new)).unwrap();
    }

    /// What the script says to `arguments`, which it must refuse.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = paper(self.folder.path(), arguments);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{told}");
        told
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Runs `scripts/paper` over the sources in `folder`.
fn paper(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(root().join("scripts/paper"));
    command.args(arguments).env("MORA_PAPER_SOURCE", folder).output().unwrap()
}

fn mora() -> PathBuf {
    tools::binary("mora").unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_paper_builds_from_the_committed_results_which_the_table_of_runs_gives() {
    let built = tempfile::tempdir().unwrap();
    let (to, mora) = (built.path().to_str().unwrap(), mora());
    let arguments = ["--to", to, "--mora", mora.to_str().unwrap()];
    let output = paper(&root().join("docs/paper"), &arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    assert!(told.contains("paper.pdf"), "{told}");
    assert!(fs::read(built.path().join("paper.pdf")).unwrap().starts_with(b"%PDF-"));
}

#[test]
fn a_number_that_was_typed_into_the_text_is_refused_with_its_line() {
    let copied = Copied::new();
    let path = copied.folder.path().join("sections/conclusion.typ");
    let text = fs::read_to_string(&path).unwrap();
    let first = text.lines().count() + 1;
    let planted = [
        ("It asks for 42.5 % more.", "42.5"),
        ("It asks for twice as much.", "twice"),
        ("It was three times faster.", "three times faster"),
        ("#figure([], caption: [Of 17 runs])", "17"),
        ("#if has(\"runs\") [of 18 runs]", "18"),
        ("#emph(\"in 19 runs\")", "19"),
        ("#(21)", "21"),
        ("$x > 0.93$", "0.93"),
    ];
    let lines: Vec<&str> = planted.iter().map(|(line, _)| *line).collect();
    fs::write(&path, text + &lines.join("\n") + "\n").unwrap();
    let told = copied.refused(&["--check"]);
    for (index, (_, what)) in planted.iter().enumerate() {
        let expected = format!("conclusion.typ:{}: {what}: a number by hand", first + index);
        assert!(told.contains(&expected), "{expected}\n{told}");
    }
}

#[test]
fn a_fact_that_its_source_does_not_state_is_refused() {
    let copied = Copied::new();
    let quote = "takes away at most 20 % at a time";
    copied.replace("facts.json", quote, "takes away at most 25 % at a time");
    let told = copied.refused(&["--check"]);
    assert!(told.contains("gate.step: docs/change-gate.md does not say"), "{told}");

    let copied = Copied::new();
    copied.replace("facts.json", "\"value\": 80,", "\"value\": 81,");
    let told = copied.refused(&["--check"]);
    assert!(
        told.contains("forecast.price: value is 81, which the quoted passage does not state"),
        "{told}"
    );
}

#[test]
fn a_document_with_another_figure_than_the_results_is_refused_and_renewed() {
    let repository = tempfile::tempdir().unwrap();
    for folder in ["docs", "scripts"] {
        fs::create_dir(repository.path().join(folder)).unwrap();
        copy(&root().join(folder), &repository.path().join(folder));
    }
    let run = |option: &str| {
        let mut command = Command::new(repository.path().join("scripts/paper"));
        let output = command.arg(option).env_remove("MORA_PAPER_SOURCE").output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let path = repository.path().join("docs/evaluation.md");
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.matches("| realistic | mora-static | ").count(), 1);
    let spoilt = text.replace("| realistic | mora-static | ", "| realistic | mora-static | 1");
    fs::write(&path, spoilt).unwrap();
    let told = run("--check");
    assert!(told.contains("docs/evaluation.md: its tables are stale"), "{told}");
    assert_eq!(run("--tables"), "");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert!(!run("--check").contains("stale"));
}

#[test]
fn results_that_the_table_of_runs_does_not_give_are_stale() {
    let copied = Copied::new();
    let path = copied.folder.path().join("results.json");
    let mut results: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let mean = &mut results["scenarios"]["realistic"]["arms"]["mora"]["violations"]["mean"];
    *mean = (mean.as_f64().unwrap() + 0.5).into();
    fs::write(&path, results.to_string()).unwrap();
    let told = copied.refused(&["--check", "--mora", mora().to_str().unwrap()]);
    assert!(told.contains("results.json is stale"), "{told}");
}

#[test]
fn a_key_that_is_missing_in_the_results_ends_the_build_with_its_name() {
    let copied = Copied::new();
    let path = copied.folder.path().join("results.json");
    let mut results: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let arm = results["scenarios"]["realistic"]["arms"]["mora"].as_object_mut().unwrap();
    assert!(arm.remove("violations").is_some());
    fs::write(&path, results.to_string()).unwrap();
    let to = copied.folder.path().join("built");
    let told = copied.refused(&["--to", to.to_str().unwrap()]);
    let missing = "results.json has nothing at `scenarios.realistic.arms.mora.violations`";
    assert!(told.contains(missing), "{told}");
    assert!(!to.join("paper.pdf").exists());
}
