//! Bad input: a message that says what to do next, and a non-zero exit.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use mora_tests::{Prometheus, free_port, mora, tools};

fn run(binary: &str, arguments: &[&str]) -> Output {
    let path = tools::binary(binary).unwrap_or_else(|error| panic!("{error}"));
    Command::new(path).args(arguments).output().unwrap()
}

/// Asserts that the command failed with 1, said each of `parts`, and printed nothing as data.
fn assert_refused(output: &Output, parts: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    println!("{message}");
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(output.stdout.is_empty());
    for part in parts {
        assert!(message.contains(part), "no `{part}` in: {message}");
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_prometheus_that_cannot_be_reached_is_named() {
    let url = format!("http://127.0.0.1:{}", free_port().unwrap());
    let output = mora(&["recommend", "--prometheus", &url, "--namespace", "shop"]).unwrap();
    assert_refused(&output, &[&url, "check"]);
}

#[test]
fn a_prometheus_that_wants_credentials_says_how_to_give_them() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let read = stream.read(&mut request).unwrap();
        let refusal =
            b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(refusal).unwrap();
        read
    });
    let output = mora(&["recommend", "--prometheus", &url, "--namespace", "shop"]).unwrap();
    assert_refused(&output, &["401", "bearer_token_file"]);
    assert!(server.join().unwrap() > 0);
}

#[test]
fn a_namespace_without_data_is_named() {
    let prometheus = Prometheus::shared().unwrap_or_else(|error| panic!("{error}"));
    let url = prometheus.url();
    let output = mora(&["graph", "--prometheus", &url, "--namespace", "nowhere"]).unwrap();
    assert_refused(&output, &["`nowhere`"]);
}

#[test]
fn a_bad_timestamp_in_a_recording_is_named_by_file_line_and_text() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "workload,ts,cpu_cores\ncart,1767225600,0.1\ncart,yesterday,0.2\n";
    let csv = write(folder.path(), "usage.csv", rows);
    let config = format!("source:\n  recorded:\n    path: {csv}\n");
    let config = write(folder.path(), "collector.yaml", &config);
    let output = run("mora-collector", &["--listen", "127.0.0.1:0", "--once", "--config", &config]);
    assert_refused(&output, &["usage.csv", "line 3", "yesterday", "RFC 3339"]);
}

#[test]
fn an_unknown_configuration_key_is_named_with_its_file_and_the_keys_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), "coordinator.yaml", "policy:\n  cpa: 0.7\n");
    let output = run("mora-coordinator", &["--config", &config]);
    assert_refused(&output, &["cpa", "`cap`", "coordinator.yaml"]);
}

#[test]
fn an_unknown_variable_of_the_environment_is_named_too() {
    let path = tools::binary("mora-coordinator").unwrap();
    let output = Command::new(path).env("MORA__POLICY__CPA", "0.7").output().unwrap();
    assert_refused(&output, &["cpa", "environment"]);
}

#[test]
fn a_port_in_use_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let library = folder.path().to_str().unwrap();
    let listen = address.to_string();
    let arguments = ["--workload", "shop/cart", "--library", library, "--listen", &listen];
    let output = run("mora-model-worker", &arguments);
    assert_refused(&output, &[&address.port().to_string(), "already in use", "--listen"]);
}

#[test]
fn a_coordinator_without_anything_to_plan_for_says_what_to_set() {
    assert_refused(&run("mora-coordinator", &[]), &["`collector`", "`workers.endpoints`"]);
}
