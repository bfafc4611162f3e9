//! `mora demo`: everything in one process.

use mora_core::{Plan, Source};
use mora_tests::mora;

#[test]
fn the_demo_plans_for_eleven_microservices_and_writes_a_report_the_same_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("demo.html");
    let run = || {
        let arguments =
            ["demo", "--days", "10", "--output", "json", "--report", report.to_str().unwrap()];
        let output = mora(&arguments).unwrap_or_else(|error| panic!("{error}"));
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{log}");
        serde_json::from_slice::<Plan>(&output.stdout).unwrap()
    };
    let plan = run();
    assert_eq!(plan.recommendations.len(), 11);
    let forecast = |source: &Source| matches!(source, Source::Forecast { .. });
    assert!(plan.recommendations.iter().all(|r| forecast(&r.source) && r.schedule.len() == 24));
    let html = std::fs::read_to_string(&report).unwrap();
    assert_eq!(html.matches("<svg").count(), 22);
    assert_eq!(run(), plan);
}
