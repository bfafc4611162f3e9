//! Processes with certificates and a token.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use mora_core::{Plan, Source, WorkloadRef};
use mora_tests::{Process, mora, tools};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

const START: Duration = Duration::from_mins(1);
/// Training shares two cores with other tests.
const TRAINING: Duration = Duration::from_mins(10);
const TOKEN: &str = "b7c1f0a4e2d94c5b8a6f";

/// Certificates of one authority and what runs with them.
struct Secured {
    folder: tempfile::TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Secured {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = CertifiedIssuer::self_signed(params, key).unwrap();
        let secured = Self { folder: tempfile::tempdir().unwrap(), authority };
        secured.write("authority.pem", &secured.authority.pem());
        secured.write("tokens", &format!("{TOKEN}\n"));
        secured
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The block `tls` of a process with a certificate of its own, which is for this machine's loopback address.
    fn tls(&self, process: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        self.write(&format!("{process}.key"), &key.serialize_pem());
        self.write(&format!("{process}.pem"), &certificate.pem());
        format!(
            "tls:\n  certificate: {}\n  key: {}\n  authority: {}\n",
            self.path(&format!("{process}.pem")).display(),
            self.path(&format!("{process}.key")).display(),
            self.path("authority.pem").display()
        )
    }

    /// A process that serves, and its address.
    fn start(&self, name: &str, config: &str, arguments: &[&str]) -> (Process, SocketAddr) {
        let config = self.write(&format!("{name}.yaml"), config);
        let binary =
            tools::binary(&format!("mora-{name}")).unwrap_or_else(|error| panic!("{error}"));
        let mut command = Command::new(binary);
        command.args(["--listen", "127.0.0.1:0", "--config"]).arg(config).args(arguments);
        let process = Process::spawn(name, &mut command).unwrap();
        let address = process.listening_address(START).unwrap();
        (process, address)
    }

    /// `mora` with `arguments`, the certificate of `process` and the token of `token_file`.
    fn mora(&self, arguments: &[&str], process: &str, token_file: Option<&Path>) -> Output {
        let [certificate, key, authority] =
            [format!("{process}.pem"), format!("{process}.key"), "authority.pem".to_owned()]
                .map(|name| self.path(&name).display().to_string());
        let mut arguments = arguments.to_vec();
        arguments.extend(["--tls-certificate", &certificate]);
        arguments.extend(["--tls-key", &key, "--tls-authority", &authority]);
        let token_file = token_file.map(|path| path.display().to_string());
        if let Some(path) = &token_file {
            arguments.extend(["--token-file", path]);
        }
        mora(&arguments).unwrap()
    }
}

/// Asserts that a command failed and said each of `parts`.
fn assert_refused(output: &Output, parts: &[&str]) {
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{log}");
    for part in parts {
        assert!(log.contains(part), "no `{part}` in: {log}");
    }
}

#[test]
fn processes_with_certificates_train_and_plan_and_answer_only_who_proves_who_it_is() {
    let workload: WorkloadRef = "hipster-shop/cartservice".parse().unwrap();
    let secured = Secured::new();
    let library = secured.path("models").display().to_string();
    let worker = format!("{}origins: 3\n", secured.tls("model-worker"));
    let arguments = ["--workload", "hipster-shop/cartservice", "--library", &library];
    let (worker, address) = secured.start("model-worker", &worker, &arguments);
    let workers = format!("workers:\n  endpoints:\n    {workload}: https://{address}\n");
    let collector = format!(
        "source: {{simulated: {{}}}}\nlookback_hours: 240\ncollect_every_seconds: 3600\n{workers}{}",
        secured.tls("collector")
    );
    let (collector, address) = secured.start("collector", &collector, &[]);
    let round = collector.wait_for_line("training round done", TRAINING).unwrap();
    assert!(round.contains("1 trained"), "{round}: {}", worker.log());
    let collector = format!("https://{address}");
    let coordinator = format!(
        "collector: {collector}\n{workers}api: {{token_file: {}}}\n{}",
        secured.path("tokens").display(),
        secured.tls("coordinator")
    );
    let (_coordinator, address) = secured.start("coordinator", &coordinator, &[]);
    let coordinator = format!("https://{address}");

    let whatif = [
        "whatif",
        "--entry",
        "hipster-shop/frontend=1x",
        "--coordinator",
        &coordinator,
        "-o",
        "json",
    ];
    let output = secured.mora(&whatif, "collector", Some(&secured.path("tokens")));
    let log = String::from_utf8_lossy(&output.stderr);
    let plan: Plan =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {log}"));
    let found = plan.recommendations.iter().find(|found| found.workload == workload).unwrap();
    assert!(matches!(found.source, Source::Forecast { .. }), "{:?}", found.source);

    assert_refused(&secured.mora(&whatif, "collector", None), &["authorization: Bearer TOKEN"]);
    let wrong = secured.write("wrong", "0123456789abcdef");
    assert_refused(&secured.mora(&whatif, "collector", Some(&wrong)), &["token is not accepted"]);
    let plain = ["train", "status", "--collector", &collector];
    assert_refused(&mora(&plain).unwrap(), &["asks for TLS", "set `tls`"]);
    let stranger = Secured::new();
    stranger.tls("stranger");
    std::fs::copy(secured.path("authority.pem"), stranger.path("authority.pem")).unwrap();
    assert_refused(&stranger.mora(&plain, "stranger", None), &["authority it does not know"]);
    let output = secured.mora(&plain, "coordinator", None);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
