//! What must stay secret is in no log, however much is logged and whatever fails.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;

use mora_tests::{free_port, tools};

/// In none of the words that are logged anyway.
const SECRET: &str = "xylophone-2718281828";

/// A Prometheus that answers every request with one status, and keeps what was sent to it.
struct Failing {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    seen: Arc<std::sync::Mutex<String>>,
    answered: Arc<AtomicUsize>,
    serving: Option<JoinHandle<()>>,
}

impl Failing {
    fn start(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let seen = Arc::<std::sync::Mutex<String>>::default();
        let serving = std::thread::spawn({
            let (stop, seen, answered) = (stop.clone(), seen.clone(), answered.clone());
            move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let sent = stream.map(|stream| answer(stream, status)).unwrap_or_default();
                    seen.lock().unwrap_or_else(PoisonError::into_inner).push_str(&sent);
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { address, stop, seen, answered, serving: Some(serving) }
    }

    fn seen(&self) -> String {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // It waits for a connection.
        let _woken = TcpStream::connect(self.address);
        if let Some(serving) = self.serving.take() {
            let _ended = serving.join();
        }
    }
}

/// Reads the head of one request and answers it.
fn answer(mut stream: TcpStream, status: &str) -> String {
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
            _ => break,
        }
    }
    let body = r#"{"status":"error","errorType":"internal","error":"out of order"}"#;
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    // A client that is gone does not matter.
    let _sent = stream.write_all(answer.as_bytes());
    String::from_utf8_lossy(&request).into_owned()
}

/// Collects once with everything logged.
fn collect(folder: &Path, url: &str, credentials: &str) -> Output {
    let config = folder.join("collector.yaml");
    let text = format!(
        "source:\n  prometheus:\n    url: \"{url}\"\n    namespaces: [shop]\n    retries: 1\n    retry_pause_milliseconds: 1\n{credentials}"
    );
    std::fs::write(&config, text).unwrap();
    Command::new(tools::binary("mora-collector").unwrap_or_else(|error| panic!("{error}")))
        .args(["--listen", "127.0.0.1:0", "--once", "--config"])
        .arg(config)
        .env("MORA_LOG", "trace")
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

/// The secret in the ways in which it is sent.
fn disguises() -> [String; 2] {
    // `ali:xylophone-2718281828` in base64, from another program: `printf ... | base64`.
    [SECRET.to_owned(), "YWxpOnh5bG9waG9uZS0yNzE4MjgxODI4".to_owned()]
}

/// Asserts that the process failed, logged much, and showed the secret nowhere.
fn assert_silent(output: &Output, case: &str) {
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{case}: {log}");
    assert!(log.contains("TRACE") && log.contains("error: "), "{case}: {log}");
    for disguise in disguises() {
        assert!(!log.contains(&disguise), "{case}: {log}");
        assert!(!String::from_utf8_lossy(&output.stdout).contains(&disguise), "{case}");
    }
}

#[test]
fn credentials_of_a_prometheus_that_fails_are_nowhere_in_a_log_of_everything() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let file = file.display();
    let credentials = [
        ("token", format!("    bearer_token: {SECRET}\n")),
        ("token file", format!("    bearer_token_file: {file}\n")),
        ("basic", format!("    basic_auth: {{username: ali, password_file: {file}}}\n")),
        ("header", format!("    headers: {{X-Api-Key: {SECRET}}}\n")),
    ];
    for status in
        ["401 Unauthorized", "403 Forbidden", "500 Internal Server Error", "404 Not Found"]
    {
        for (case, credentials) in &credentials {
            let prometheus = Failing::start(status);
            let url = format!("http://{}", prometheus.address);
            let output = collect(folder.path(), &url, credentials);
            assert_silent(&output, &format!("{case}, {status}"));
            assert!(prometheus.answered.load(Ordering::SeqCst) > 0, "{case}, {status}");
            let seen = prometheus.seen();
            assert!(disguises().iter().any(|disguise| seen.contains(disguise)), "{case}: {seen}");
        }
    }
}

#[test]
fn a_password_in_an_address_is_nowhere_in_a_log_of_everything() {
    let folder = tempfile::tempdir().unwrap();
    let prometheus = Failing::start("500 Internal Server Error");
    let closed = free_port().unwrap();
    for address in
        [prometheus.address.to_string(), format!("127.0.0.1:{closed}"), "no host".to_owned()]
    {
        let output = collect(folder.path(), &format!("http://ali:{SECRET}@{address}/"), "");
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{address}: {log}");
        assert!(log.contains("error: "), "{address}: {log}");
        for disguise in disguises() {
            assert!(!log.contains(&disguise), "{address}: {log}");
        }
    }
}

#[test]
fn a_secret_of_the_wrong_type_is_not_shown_where_its_key_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for credentials in
        [format!("    basic_auth: {SECRET}\n"), format!("    bearer_token: {{a: {SECRET}}}\n")]
    {
        let output = collect(folder.path(), "http://127.0.0.1:1", &credentials);
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{log}");
        assert!(log.contains("source.prometheus.b"), "{log}");
        assert!(!log.contains(SECRET), "{log}");
    }
}
