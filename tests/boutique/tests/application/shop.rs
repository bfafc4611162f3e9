//! An application that runs for one test, and those who ask it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// How long a state is waited for.
const DEADLINE: Duration = Duration::from_mins(1);

/// Names and values, as a browser sends them.
pub(crate) type Form = &'static [(&'static str, &'static str)];

/// A running application, killed when dropped.
pub(crate) struct Shop {
    supervisor: Child,
    frontend: String,
    control: String,
    metrics: String,
    client: reqwest::Client,
}

/// An answer of HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    location: String,
    body: String,
}

/// A browser with its cookies.
pub(crate) struct Visitor {
    frontend: String,
    client: reqwest::Client,
    cookies: Vec<String>,
}

/// A page of metrics.
pub(crate) struct Metrics(String);

/// Asks until there is an answer.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited for {what} in vain");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whether a process of that number has a command line: one that has ended but was not waited for has none.
pub(crate) fn is_running(number: u64) -> bool {
    let line = std::fs::read(Path::new("/proc").join(number.to_string()).join("cmdline"));
    line.is_ok_and(|line| !line.is_empty())
}

/// Sends SIGKILL.
pub(crate) fn kill(number: u64) {
    signal("-KILL", number);
}

fn signal(name: &str, number: u64) {
    let status = Command::new("kill").args([name, &number.to_string()]).status().unwrap();
    assert!(status.success(), "no process {number}");
}

/// What the program says when it refuses its arguments, in an environment without addresses.
pub(crate) fn refused(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_boutique"));
    let output = command.args(arguments).env_remove("REDIS_ADDR").output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

impl Shop {
    pub(crate) async fn start() -> Self {
        let _again = rustls::crypto::ring::default_provider().install_default();
        let mut supervisor = Command::new(env!("CARGO_BIN_EXE_boutique"))
            .arg("run")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let output = supervisor.stdout.take().unwrap();
        let first_line = || BufReader::new(output).lines().next().unwrap().unwrap();
        let line = tokio::task::spawn_blocking(first_line).await.unwrap();
        let told: Value = serde_json::from_str(&line).unwrap();
        let [frontend, control, metrics] =
            ["frontend", "control", "metrics"].map(|key| told[key].as_str().unwrap().to_owned());
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(DEADLINE)
            .build()
            .unwrap();
        Self { supervisor, frontend, control, metrics, client }
    }

    pub(crate) fn visitor(&self) -> Visitor {
        let (frontend, client) = (self.frontend.clone(), self.client.clone());
        Visitor { frontend, client, cookies: Vec::new() }
    }

    pub(crate) async fn metrics(&self) -> Metrics {
        Metrics(Answer::of(self.client.get(&self.metrics)).await.expect(200))
    }

    pub(crate) async fn control(&self, path: &str) -> Answer {
        Answer::of(self.client.get(format!("{}{path}", self.control))).await
    }

    pub(crate) async fn put(&self, workload: &str, body: &str) -> Answer {
        let request = self.client.put(format!("{}/workloads/{workload}", self.control));
        Answer::of(request.header("content-type", "application/json").body(body.to_owned())).await
    }

    /// Waits until so many replicas are ready.
    pub(crate) async fn ready(&self, workload: &str, replicas: u64) {
        let path = format!("/workloads/{workload}");
        eventually("ready replicas", async || {
            let ready = self.control(&path).await.json()["ready"] == replicas;
            ready.then_some(())
        })
        .await;
    }

    /// The numbers of the processes of a workload.
    pub(crate) async fn processes(&self, workload: &str) -> Vec<u64> {
        let pods = self.control(&format!("/workloads/{workload}/pods")).await.json();
        pods.as_array().unwrap().iter().filter_map(|pod| pod["process"].as_u64()).collect()
    }

    pub(crate) async fn all_processes(&self) -> Vec<u64> {
        let workloads = self.control("/workloads").await.json();
        let mut all = Vec::new();
        for workload in workloads.as_array().unwrap() {
            all.extend(self.processes(workload["name"].as_str().unwrap()).await);
        }
        all
    }

    pub(crate) fn kill(&mut self) {
        self.supervisor.kill().unwrap();
    }

    pub(crate) fn close_input(&mut self) {
        drop(self.supervisor.stdin.take());
    }

    pub(crate) fn terminate(&mut self) {
        signal("-TERM", self.supervisor.id().into());
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.supervisor.try_wait().unwrap().is_some()
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        // One that is gone cannot be killed, and its processes end with it.
        let _gone = self.supervisor.kill();
        let _gone = self.supervisor.wait();
    }
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        Self::read(request.send().await.unwrap()).await
    }

    async fn read(response: reqwest::Response) -> Self {
        let location = response.headers().get("location");
        let location = location.map_or("", |value| value.to_str().unwrap()).to_owned();
        Self { status: response.status().as_u16(), location, body: response.text().await.unwrap() }
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Where it leads.
    #[track_caller]
    pub(crate) fn expect_redirect(self) -> String {
        assert_eq!(self.status, 302, "{}", self.body);
        self.location
    }

    #[track_caller]
    pub(crate) fn json(self) -> Value {
        serde_json::from_str(&self.expect(200)).unwrap()
    }
}

impl Visitor {
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.frontend));
        self.send(request).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let encode = |text: &str| text.replace('@', "%40").replace(' ', "+");
        let pair = |(name, value): &(&str, &str)| format!("{name}={}", encode(value));
        let body = form.iter().map(pair).collect::<Vec<_>>().join("&");
        let request = self.client.post(format!("{}{path}", self.frontend)).body(body);
        self.send(request.header("content-type", "application/x-www-form-urlencoded")).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let response = request.header("cookie", self.cookies.join("; ")).send().await.unwrap();
        for set in response.headers().get_all("set-cookie") {
            let pair = set.to_str().unwrap().split(';').next().unwrap();
            let (name, _) = pair.split_once('=').unwrap();
            self.cookies.retain(|cookie| !cookie.starts_with(&format!("{name}=")));
            self.cookies.push(pair.to_owned());
        }
        Answer::read(response).await
    }
}

impl Metrics {
    /// The samples of a metric with these labels, each with the text of its labels.
    pub(crate) fn samples(&self, name: &str, labels: &[(&str, &str)]) -> Vec<(&str, f64)> {
        let sample = |line| -> Option<(&str, f64)> {
            let (found, rest): (&str, &str) = str::split_once(line, '{')?;
            let (text, value) = rest.rsplit_once("} ")?;
            let with = |(label, value): &(&str, &str)| {
                let pair = format!("{label}=\"{value}\"");
                text.starts_with(&pair) || text.contains(&format!(",{pair}"))
            };
            let asked = found == name && labels.iter().all(with);
            asked.then(|| (text, value.parse().unwrap()))
        };
        self.0.lines().filter_map(sample).collect()
    }

    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.samples(name, labels).iter().map(|(_, value)| value).sum()
    }

    /// The sum, of what is counted in whole numbers.
    pub(crate) fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.sum(name, labels).round() as u64
    }

    pub(crate) fn has(&self, name: &str, labels: &[(&str, &str)]) -> bool {
        !self.samples(name, labels).is_empty()
    }

    /// The different values of `label`, sorted.
    pub(crate) fn values(&self, name: &str, labels: &[(&str, &str)], label: &str) -> Vec<String> {
        let start = format!("{label}=\"");
        let value = |(text, _): (&str, f64)| {
            let pair = text.split(',').find_map(|pair| pair.strip_prefix(&start))?;
            Some(pair.trim_end_matches('"').to_owned())
        };
        let mut values: Vec<String> =
            self.samples(name, labels).into_iter().filter_map(value).collect();
        values.sort();
        values.dedup();
        values
    }
}
