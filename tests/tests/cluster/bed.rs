//! The cluster of the test, and what is run in it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use mora_tests::Process;
use serde_json::Value;
use tempfile::TempDir;

/// The exit code of `scripts/cluster` where the host cannot run one.
const IMPOSSIBLE: i32 = 3;
/// Set where a host that cannot run the cluster is a failure, as on the project's CI.
const REQUIRED: &str = "MORA_REQUIRE_CLUSTER";
/// How often a state is asked for that is waited for.
const AGAIN: Duration = Duration::from_millis(500);

/// A running cluster; taken down when dropped.
pub(crate) struct Bed {
    begun: Instant,
    folder: TempDir,
}

impl Bed {
    /// Brings the cluster up with all images; `None` where the host cannot run one, which standard output says.
    pub(crate) fn up() -> Option<Self> {
        let bed = Self { begun: Instant::now(), folder: TempDir::new().unwrap() };
        let tools = script("cluster-tools").output().unwrap();
        if tools.status.code() == Some(IMPOSSIBLE) {
            let reason = String::from_utf8_lossy(&tools.stderr).trim().to_owned();
            assert!(std::env::var_os(REQUIRED).is_none(), "{REQUIRED} is set, but: {reason}");
            tell(&format!("SKIPPED, this host cannot run a cluster: {reason}"));
            return None;
        }
        check("cluster-tools", &tools);
        bed.step("tools are there");
        let images = bed.path("images");
        run(script("images").args(["--profile", profile(), "--output"]).arg(&images));
        bed.step("images are assembled");
        let owner = std::process::id().to_string();
        run(bed.cluster(&["up", "--owner", &owner, "--volumes", "8", "--images"]).arg(&images));
        bed.step("the cluster is up");
        std::fs::remove_dir_all(images).unwrap();
        Some(bed)
    }

    /// Tells what is done, and when.
    pub(crate) fn step(&self, what: &str) {
        tell(&format!("[{:6.1} s] {what}", self.begun.elapsed().as_secs_f64()));
    }

    /// A path in the test's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn cluster(&self, arguments: &[&str]) -> Command {
        let mut command = script("cluster");
        command.args(&arguments[..1]).arg("--dir").arg(self.path("cluster")).args(&arguments[1..]);
        command
    }

    /// A command that runs within the cluster's network, with its programs and its kubeconfig.
    pub(crate) fn inside(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.cluster(&["exec", "--"]);
        command.arg(program);
        command
    }

    /// Asks `kubectl`.
    pub(crate) fn tried(&self, arguments: &[&str]) -> Output {
        self.inside("kubectl").args(arguments).output().unwrap()
    }

    /// Asks `kubectl`, which succeeds; what it printed.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let output = self.tried(arguments);
        check(&arguments.join(" "), &output);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Asks `kubectl` for JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_str(&self.kubectl(&[arguments, &["-o", "json"]].concat())).unwrap()
    }

    /// Applies a folder of the repository.
    pub(crate) fn apply(&self, folder: &Path) {
        let folder = folder.to_str().unwrap();
        // As kubectl's own advice for resources whose definition is applied in the same call.
        if !self.tried(&["apply", "-k", folder]).status.success() {
            self.kubectl(&["apply", "-k", folder]);
        }
    }

    /// Applies a folder of the repository with a component that it does not have by itself.
    pub(crate) fn apply_together(&self, overlay: &Path, component: &Path) {
        let folder = self.path("together");
        std::fs::create_dir_all(&folder).unwrap();
        // kustomize takes folders by relative paths only.
        let up = "../".repeat(folder.components().count() - 1);
        let relative = |path: &Path| format!("{up}{}", path.strip_prefix("/").unwrap().display());
        let text =
            format!("resources: [{}]\ncomponents: [{}]\n", relative(overlay), relative(component));
        std::fs::write(folder.join("kustomization.yaml"), text).unwrap();
        self.apply(&folder);
    }

    /// Applies the manifests of `text`.
    pub(crate) fn apply_text(&self, text: &str) {
        let path = self.path("applied.yaml");
        std::fs::write(&path, text).unwrap();
        self.kubectl(&["apply", "-f", path.to_str().unwrap()]);
    }

    /// Waits until all Deployments of `namespace` but those in `without` are available.
    pub(crate) fn available(&self, namespace: &str, without: &[&str], within: Duration) {
        let listed = self.kubectl(&["-n", namespace, "get", "deployments", "-o", "name"]);
        for name in listed.lines().filter(|name| !without.iter().any(|one| name.ends_with(one))) {
            let seconds = format!("--timeout={}s", within.as_secs());
            let output = self.tried(&["-n", namespace, "rollout", "status", name, &seconds]);
            assert!(output.status.success(), "{name}: {}\n{}", said(&output), self.state());
        }
    }

    /// Asks until there is an answer.
    pub(crate) fn eventually<T>(
        &self,
        what: &str,
        within: Duration,
        mut ask: impl FnMut() -> Option<T>,
    ) -> T {
        let deadline = Instant::now() + within;
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(Instant::now() < deadline, "waited for {what} in vain\n{}", self.state());
            std::thread::sleep(AGAIN);
        }
    }

    /// Asks Prometheus, through the API server; the values by the label `by`.
    pub(crate) fn query(&self, expression: &str, by: &str) -> Vec<(String, f64)> {
        let encoded = percent_encoded(expression);
        let path = format!("{PROMETHEUS}/api/v1/query?query={encoded}");
        let output = self.tried(&["get", "--raw", &path]);
        let Ok(answer) = serde_json::from_slice::<Value>(&output.stdout) else { return Vec::new() };
        let elements = answer["data"]["result"].as_array().cloned().unwrap_or_default();
        let value = |element: &Value| Some(element["value"][1].as_str()?.parse().unwrap());
        let label = |element: &Value| element["metric"][by].as_str().unwrap_or("").to_owned();
        elements.iter().filter_map(|element| Some((label(element), value(element)?))).collect()
    }

    /// Stops the API server for some seconds; the command ends when it answers again.
    pub(crate) fn pause_api(&self, seconds: u32) -> Process {
        let mut command = self.cluster(&["pause-api", &seconds.to_string()]);
        Process::spawn("pause of the API server", &mut command).unwrap()
    }

    /// What a reader of a failure wants to know.
    fn state(&self) -> String {
        let pods = self.tried(&["get", "pods", "-A", "-o", "wide"]);
        let events = self.tried(&["get", "events", "-A", "--sort-by=.lastTimestamp"]);
        let events = said(&events);
        let newest: Vec<_> = events.lines().rev().take(30).collect();
        format!("{}\nnewest events first:\n{}", said(&pods), newest.join("\n"))
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        // A second panic would hide the first.
        match self.cluster(&["down"]).output() {
            Ok(output) if output.status.success() => self.step("nothing is left of the cluster"),
            Ok(output) => tell(&format!("the cluster is not down: {}", said(&output))),
            Err(error) => tell(&format!("the cluster cannot be taken down: {error}")),
        }
    }
}

const PROMETHEUS: &str = "/api/v1/namespaces/monitoring/services/prometheus:9090/proxy";

/// The folder of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn script(name: &str) -> Command {
    Command::new(repository().join("scripts").join(name))
}

/// The profile this test was built with, whose binaries stand beside it.
fn profile() -> &'static str {
    if cfg!(debug_assertions) { "debug" } else { "release" }
}

/// Runs a command that succeeds; its standard output.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    check(&format!("{command:?}"), &output);
    String::from_utf8(output.stdout).unwrap()
}

#[track_caller]
fn check(what: &str, output: &Output) {
    assert!(output.status.success(), "{what}: {}", said(output));
}

pub(crate) fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text)).concat()
}

/// Tells past the test harness, which keeps what `println!` writes to itself.
pub(crate) fn tell(line: &str) {
    let told = writeln!(std::io::stdout(), "cluster: {line}");
    told.unwrap();
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(encode).collect()
}
