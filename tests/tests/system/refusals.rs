//! What `mora` says to bad input, word by word: the command, its exit code and its message, in `snapshots/`.
//!
//! A message that changes is looked at and accepted with `INSTA_UPDATE=always`; see docs/testing.md. Each says what to do next,
//! nothing is printed as data, and nothing panics.

#[path = "refusals/answers.rs"]
mod answers;
#[path = "refusals/certificates.rs"]
mod certificates;
#[path = "refusals/configuration.rs"]
mod configuration;
#[path = "refusals/flags.rs"]
mod flags;
#[path = "refusals/kubeconfig.rs"]
mod kubeconfig;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mora_tests::tools;
use tempfile::TempDir;

/// The end of every history: what is told of it is then the same each time.
const AT: &str = "2026-03-02T00:00:00Z";

/// A command that is refused, in a folder that is its home, its working directory and the place of its files.
struct Refused {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
    replaced: Vec<(String, &'static str)>,
}

impl Refused {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new(), replaced: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// With the file `name`.
    fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// With a variable of the environment.
    fn variable(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// With what stands for the port of `address`, which is another each time.
    fn port(mut self, address: SocketAddr) -> Self {
        self.replaced.push((format!("127.0.0.1:{}", address.port()), "127.0.0.1:PORT"));
        self
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let program = tools::binary("mora").unwrap_or_else(|error| panic!("{error}"));
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path()).env_clear();
        command.env("HOME", self.folder.path()).env("PATH", std::env::var_os("PATH").unwrap());
        if arguments[0] == "recommend" {
            // Trying again is tested elsewhere, and takes its time.
            command.env("MORA__PROMETHEUS__RETRIES", "0");
        }
        command.envs(self.environment.iter().map(|(name, value)| (*name, value)));
        command.output().unwrap()
    }

    /// Compares what is said to `arguments` with the snapshot `name`, and gives the exit code.
    #[track_caller]
    fn is_told(&self, name: &str, arguments: &[&str]) -> i32 {
        let output = self.run(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let code = output.status.code().unwrap_or_else(|| panic!("it was killed: {stderr}"));
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(!stderr.contains("panicked"), "{stderr}");
        assert!(code != 0 && !stderr.is_empty(), "it was not refused: {stderr}");
        let mut text = String::new();
        for (variable, value) in &self.environment {
            writeln!(text, "{variable}={value}").unwrap();
        }
        let quoted = arguments.iter().map(|argument| {
            let plain = !argument.is_empty() && !argument.contains([' ', '*']);
            if plain { (*argument).to_owned() } else { format!("'{argument}'") }
        });
        let quoted: Vec<String> = quoted.collect();
        writeln!(text, "$ mora {}\nexit code {code}\n\n{stderr}", quoted.join(" ")).unwrap();
        let shown = self.without_what_differs(&text);
        let mut settings = insta::Settings::clone_current();
        settings.set_omit_expression(true);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_snapshot_path("snapshots");
        settings.bind(|| insta::assert_snapshot!(format!("refusal-{name}"), shown));
        code
    }

    fn without_what_differs(&self, text: &str) -> String {
        let folder = self.folder.path().to_str().unwrap();
        let text = text.replace(folder, "FOLDER");
        let text = self.replaced.iter().fold(text, |text, (is, shown)| text.replace(is, shown));
        // Several questions are open at a time, and one of them is refused first.
        let text = without(&text, "Prometheus refused `", "`");
        without(&text, "certificate expired: ", "\n")
    }
}

/// `text` with dots instead of what stands between `before` and `after`.
fn without(text: &str, before: &str, after: &str) -> String {
    let Some((head, rest)) = text.split_once(before) else { return text.to_owned() };
    let tail = rest.find(after).map_or("", |end| &rest[end..]);
    format!("{head}{before}...{tail}")
}

/// A recommendation from the Prometheus at `url` alone.
fn from_prometheus(url: &str) -> [&str; 8] {
    ["recommend", "--no-cluster", "--prometheus", url, "-n", "shop", "--at", AT]
}

#[test]
fn every_snapshot_is_of_a_command_that_is_refused_here() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/system");
    let sources: String = ["flags", "configuration", "kubeconfig", "certificates", "answers"]
        .map(|name| std::fs::read_to_string(root.join(format!("refusals/{name}.rs"))).unwrap())
        .concat();
    let names = std::fs::read_dir(root.join("snapshots")).unwrap();
    let mut count = 0;
    for name in names {
        let name = name.unwrap().file_name().into_string().unwrap();
        let Some(name) = name.strip_prefix("refusal-") else { continue };
        let name = name.strip_suffix(".snap").unwrap_or_else(|| panic!("{name} was not accepted"));
        assert!(sources.contains(&format!("\"{name}\"")), "no test makes the snapshot {name}");
        count += 1;
    }
    assert!(count >= 30, "{count}");
}
