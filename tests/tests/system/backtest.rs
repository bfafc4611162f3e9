//! `mora backtest` on recordings of its own making.

use std::path::Path;
use std::process::Output;

use mora_tests::mora;
use serde_json::Value;

const RULES: &str = "oracle,krr,hour-of-day-maximum,holt-winters,mora,mora-static";

/// Twelve days of two services, every 10 minutes, one of them in RFC 3339.
fn recording() -> String {
    let mut text = "service,time,cpu,mem\n".to_owned();
    for tick in 0..12 * 144_i64 {
        let (second, hour) = (1_767_225_600 + 600 * tick, tick / 6 % 24);
        let noise = (tick * 7919 % 13) as f64 / 13.0;
        let load = 2.0 + (hour as f64 - 12.0).abs() / 6.0 + noise;
        text += &format!("cart,{second},{load},{}\n", 100.0 + noise);
        text += &format!("shop,{second}000,{},{}\n", 3.0 * load, 50.0 + load);
    }
    text
}

fn write(folder: &Path, text: &str) -> String {
    let path = folder.join("usage.csv");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn backtest(data: &str, more: &[&str]) -> Output {
    let fixed = ["backtest", "--data", data, "--history", "3d"];
    mora(&[&fixed[..], more].concat()).unwrap_or_else(|error| panic!("{error}"))
}

/// What a run that succeeded printed.
fn printed(output: Output) -> String {
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{log}");
    String::from_utf8(output.stdout).unwrap()
}

/// A report without what differs between runs: the times.
fn timeless(json: &str) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| name != "fit_seconds" && name != "forecast_seconds");
                fields.values_mut().for_each(strip);
            }
            Value::Array(items) => items.iter_mut().for_each(strip),
            _ => {}
        }
    }
    let mut report = serde_json::from_str(json).unwrap();
    strip(&mut report);
    report
}

#[test]
fn a_broken_off_run_goes_on_to_the_result_of_a_whole_one_on_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let data = write(folder.path(), &recording());
    let cells = folder.path().join("cells.jsonl");
    let fixed = ["--value", "cpu,mem", "--method", RULES, "--origins", "4", "-o", "json"];
    let run = |more: &[&str]| timeless(&printed(backtest(&data, &[&fixed[..], more].concat())));
    let whole = run(&["--jobs", "1"]);
    let resume = ["--resume", cells.to_str().unwrap(), "--jobs", "3"];
    assert_eq!(run(&resume), whole);
    let text = std::fs::read_to_string(&cells).unwrap();
    std::fs::write(&cells, &text[..text.len() * 2 / 3]).unwrap();
    assert_eq!(run(&resume), whole);
    assert_eq!(whole["schema"], 1);
    let names: Vec<&str> =
        whole["sets"].as_array().unwrap().iter().map(|s| s["set"].as_str().unwrap()).collect();
    assert_eq!(names, ["cpu", "mem"]);
    let methods = whole["sets"][0]["methods"].as_array().unwrap();
    assert_eq!(methods.len(), 7, "those asked for and the reference");
    let over = |name: &str| {
        let found = methods.iter().find(|m| m["method"] == name).unwrap();
        found["hindsight"]["over"].as_f64().unwrap()
    };
    assert!(over("oracle") < over("hour-of-day-maximum"), "{methods:?}");
    assert!(over("hour-of-day-maximum") < over("krr"), "{methods:?}");
    assert!(over("mora") < over("mora-static"), "{methods:?}");
}

#[test]
fn every_output_holds_every_method() {
    let folder = tempfile::tempdir().unwrap();
    let data = write(folder.path(), &recording());
    let fixed = ["--value", "cpu", "--only", "cart", "--method", "krr,p99"];
    let of = |output: &str| printed(backtest(&data, &[&fixed[..], &["-o", output]].concat()));
    for output in ["table", "csv", "html"] {
        let text = of(output);
        for method in ["seasonal-naive", "krr", "p99"] {
            assert!(text.contains(method), "{text}");
        }
    }
    assert_eq!(of("csv").lines().count(), 4);
    assert!(of("html").contains("<svg") && !of("html").contains("http"));
    let out = folder.path().join("page.html");
    let to_file = ["-o", "html", "--to", out.to_str().unwrap()];
    assert!(printed(backtest(&data, &[&fixed[..], &to_file].concat())).is_empty());
    assert!(std::fs::read_to_string(out).unwrap().ends_with("</html>\n"));
}

/// Asserts that the command failed with 1, said each of `parts`, and printed nothing as data.
fn assert_refused(output: &Output, parts: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(output.stdout.is_empty());
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

#[test]
fn what_cannot_be_judged_says_what_was_found_and_what_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let data = write(folder.path(), &recording());
    let refused = |more: &[&str], parts: &[&str]| assert_refused(&backtest(&data, more), parts);
    refused(&[], &["--value", "service, time, cpu, mem"]);
    refused(&["--value", "disk"], &["`disk`", "service, time, cpu, mem"]);
    refused(&["--value", "cpu", "--time", "at"], &["`at`", "--time"]);
    refused(&["--value", "cpu", "--only", "chart"], &["`chart`", "--only"]);
    refused(&["--value", "cpu", "--method", "p95"], &["`p95`", "hour-of-day-maximum"]);
    refused(&["--value", "cpu", "--slot", "7m"], &["420 s", "divides a day"]);
    let long = ["--value", "cpu", "--history", "20d", "--lookback", "21d"];
    let output = mora(&[&["backtest", "--data", &data][..], &long].concat()).unwrap();
    assert_refused(
        &output,
        &["cart (cpu) is left out: 12.0 days", "20 days of history", "--history"],
    );
}

#[test]
fn broken_recordings_are_named_by_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |text: &str, parts: &[&str]| {
        let data = write(folder.path(), text);
        assert_refused(&backtest(&data, &["--value", "cpu"]), parts);
    };
    refused("ts,cpu\n60,1\nsoon,2\n", &["usage.csv", "line 3", "soon"]);
    refused("ts,cpu\n60,1\n120,-2\n", &["line 3", "`cpu`", "at least 0"]);
    refused("ts,cpu\n60,1\n60,2\n", &["two values for 1970-01-01T00:01:00Z", "--series"]);
    refused("ts,cpu\n", &["none of 0 series"]);
    let absent = folder.path().join("absent.csv");
    assert_refused(&backtest(absent.to_str().unwrap(), &[]), &["absent.csv", "is there"]);
}
