//! Options that cannot be, and places that cannot be written to.

use super::{AT, Refused};

#[test]
fn what_the_command_line_does_not_take_is_wrong_usage() {
    let cases: &[(&str, &[&str])] = &[
        ("unknown-command", &["recomend"]),
        ("unknown-option", &["recommend", "--namespaces", "shop"]),
        ("unknown-format", &["recommend", "-o", "tabel"]),
        ("no-time", &["recommend", "--at", "yesterday"]),
        ("no-quantity", &["recommend", "--cpu-min", "10x"]),
        ("no-percentile", &["recommend", "--cpu-percentile", "101"]),
        ("no-price", &["recommend", "--cpu-price", "-1"]),
        ("no-severity", &["recommend", "--fail-on", "bad"]),
        ("no-hours", &["recommend", "--hours", "Mon-Fri 25-26"]),
        ("cluster-and-none", &["recommend", "--cluster", "--no-cluster"]),
        ("no-supposition", &["whatif", "--entry", "frontend"]),
        ("no-mode", &["apply", "--mode", "restart"]),
        ("no-length", &["backtest", "--data", "usage.csv", "--history", "7"]),
        ("no-seeds", &["evaluate", "run", "--results", "evaluation", "--seeds", "0"]),
    ];
    for (name, arguments) in cases {
        assert_eq!(Refused::new().is_told(name, arguments), 2, "{name}");
    }
}

#[test]
fn a_lookback_that_cannot_be_asked_for_is_told_with_what_can() {
    let refused = Refused::new();
    let arguments =
        ["recommend", "--no-cluster", "--prometheus", "http://p", "--lookback-hours", "0"];
    assert_eq!(refused.is_told("no-lookback", &arguments), 1);
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_is_asked() {
    let refused = Refused::new();
    let scan = ["recommend", "--no-cluster", "--prometheus", "http://p", "-n", "shop", "--at", AT];
    let to = |path| [&scan[..], &["-o", "csv", "--to", path]].concat();
    assert_eq!(refused.is_told("no-folder-to-write-to", &to("absent/recommendations.csv")), 1);
    assert_eq!(refused.is_told("a-folder-to-write-to", &to(".")), 1);
    let report = [&scan[..], &["--report", "absent/report.html"]].concat();
    assert_eq!(refused.is_told("no-folder-for-a-report", &report), 1);
    let pages = Refused::new().file("pages", "a file");
    assert_eq!(pages.is_told("no-folder-for-pages", &["man", "--to", "pages"]), 1);
}

#[test]
fn files_that_are_not_there_or_are_something_else_are_named() {
    let refused = Refused::new().file("plan.json", "{\"rows\": []}");
    assert_eq!(refused.is_told("no-plan-file", &["apply", "absent.json", "--dry-run"]), 1);
    assert_eq!(
        refused.is_told("another-file-than-a-plan", &["apply", "plan.json", "--dry-run"]),
        1
    );
    assert_eq!(refused.is_told("no-recording", &["backtest", "--data", "absent.csv"]), 1);
    assert_eq!(refused.is_told("no-library", &["models", "list"]), 1);
    assert_eq!(refused.is_told("no-state", &["explain", "cart", "--state", "absent"]), 1);
}

#[test]
fn an_evaluation_of_what_is_not_known_is_told_what_is_and_makes_no_folder() {
    let refused = Refused::new();
    let run = |option, value| ["evaluate", "run", "--results", "evaluation", option, value];
    for (name, option, value) in [
        ("no-arm", "--arms", "moar"),
        ("no-evaluation-scenario", "--scenarios", "calm"),
        ("no-shape", "--scenarios", "file:absent.csv"),
        ("no-margin", "--margins", "0"),
        ("no-judged-time", "--days", "0.1"),
        ("no-application", "--application", "absent.yaml"),
    ] {
        assert_eq!(refused.is_told(name, &run(option, value)), 1, "{name}");
    }
    assert!(!refused.path("evaluation").exists());
}

#[test]
fn a_folder_without_an_evaluation_is_named() {
    let refused = Refused::new().file("other/notes.txt", "");
    for (name, command) in [("nothing-to-resume", "resume"), ("nothing-to-report", "report")] {
        let arguments = ["evaluate", command, "--results", "other"];
        assert_eq!(refused.is_told(name, &arguments), 1);
    }
    let damaged = Refused::new().file("evaluation/configuration.json", "{}");
    let arguments = ["evaluate", "resume", "--results", "evaluation"];
    assert_eq!(damaged.is_told("no-evaluation", &arguments), 1);
}
