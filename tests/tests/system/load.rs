//! Real JMeter puts every plan's load on the real processes of the test application.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use mora_experiments::{JMeter, JMeterConfig, LoadError, LoadReport, LoadRequest};
use mora_tests::tools::{binary, jmeter};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// How far the calls of a service may be from the documented ones, beside the last visit of each user, which is cut short.
const TOLERANCE: f64 = 0.05;
/// How many of the samples that the think times give must be made. A quiet machine makes 0.96 of them; this one may be
/// busy with other tests while JMeter, whose users begin by the clock, starts.
const REACHED: std::ops::RangeInclusive<f64> = 0.5..=1.2;
const USERS: u32 = 5;
/// One load at a time, so that one does not slow another down.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The running test application, which stops when its standard input ends.
struct Shop {
    process: Child,
    port: u16,
    metrics: String,
    client: reqwest::Client,
}

impl Shop {
    fn start() -> Self {
        let mut command = Command::new(binary("boutique").unwrap());
        command.arg("run").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap();
        let text = |key: &str| ready[key].as_str().unwrap().to_owned();
        let port = text("frontend").rsplit(':').next().unwrap().parse().unwrap();
        // An error says that one is installed already, which serves as well.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { process, port, metrics: text("metrics"), client }
    }

    /// Requests that each service has received.
    async fn calls(&self) -> BTreeMap<String, f64> {
        let page = self.client.get(&self.metrics).send().await.unwrap().text().await.unwrap();
        let mut calls = BTreeMap::new();
        for line in page.lines().filter(|line| line.starts_with("istio_requests_total{")) {
            let (_, rest) = line.split_once("destination_workload=\"").unwrap();
            let (workload, _) = rest.split_once('"').unwrap();
            let (_, count) = line.rsplit_once(' ').unwrap();
            *calls.entry(workload.to_owned()).or_default() += count.parse::<f64>().unwrap();
        }
        calls
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        // It ends by itself; what is left of it then is nobody's any more.
        let _ended = self.process.wait();
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What docs/load.md says of a plan.
struct Documented {
    pages: f64,
    calls: BTreeMap<String, f64>,
}

/// The cells of the rows of tables of `columns` columns.
fn rows(text: &str, columns: usize) -> impl Iterator<Item = Vec<&str>> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.map(|row| row.split(" | ").collect::<Vec<_>>()).filter(move |row| row.len() == columns)
}

/// The plans of docs/load.md, each with pages and calls per visit.
fn documented() -> BTreeMap<String, Documented> {
    let text = fs::read_to_string(root().join("docs/load.md")).unwrap();
    let plan = |row: &[&str]| row[0].strip_prefix('`')?.strip_suffix('`').map(str::to_owned);
    let (_, patterns) = text.split_once("<!-- The test reads this table. -->").unwrap();
    let services = rows(patterns, 11).next().unwrap();
    let mut plans = BTreeMap::new();
    for row in rows(patterns, 11).filter(|row| row[0].starts_with('`')) {
        let name = plan(&row).unwrap();
        let pages = rows(&text, 3).find(|row| plan(row).as_ref() == Some(&name)).unwrap()[2];
        // "28 / 28.1": what the code gives, and what was measured.
        let computed = |cell: &str| cell.split(" / ").next().unwrap().parse().unwrap();
        let calls = services.iter().zip(&row).skip(1);
        let calls = calls.map(|(service, cell)| ((*service).to_owned(), computed(cell))).collect();
        plans.insert(name, Documented { pages: pages.parse().unwrap(), calls });
    }
    plans
}

fn request(plan: &str, port: u16, results: &Path) -> LoadRequest {
    LoadRequest {
        plan: plan.into(),
        host: "127.0.0.1".to_owned(),
        port,
        users: USERS,
        ramp: Duration::from_secs(2),
        duration: Duration::from_secs(15),
        think_time: Duration::from_millis(100),
        properties: BTreeMap::new(),
        results: results.to_owned(),
    }
}

fn loader() -> JMeter {
    let program = Some(jmeter().unwrap());
    let config = JMeterConfig { program, plans: root().join("jmeter"), ..JMeterConfig::default() };
    JMeter::new(config).unwrap()
}

async fn run(plan: &str, port: u16, results: &Path) -> Result<LoadReport, LoadError> {
    let mut request = request(plan, port, results);
    if plan == "day" {
        // Its quiet hours need some seconds to be told from its peak.
        request.duration *= 2;
    }
    loader().run(&request, &CancellationToken::new()).await
}

/// The calls of each service per visit are those of the table.
fn check_calls(plan: &str, wanted: &Documented, visits: f64, calls: impl Fn(&str) -> f64) {
    assert!(visits >= 4.0 * f64::from(USERS), "{plan}: {visits} visits are too few to tell");
    let tolerance = TOLERANCE + f64::from(USERS) / visits;
    for (service, wanted) in &wanted.calls {
        let seen = calls(service) / visits;
        println!("{plan:<14}{service:<24}{wanted:>8.1}{seen:>8.2}");
        let off = (seen - wanted).abs();
        assert!(off <= tolerance * wanted, "{plan}, {service}: {seen}, not {wanted}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_plan_stresses_the_services_as_documented_and_no_page_is_wrong() {
    let _alone = ALONE.lock().await;
    let shop = Shop::start();
    let plans = documented();
    let mut files: Vec<_> = fs::read_dir(root().join("jmeter")).unwrap().collect();
    files.retain(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "jmx"));
    assert_eq!(plans.len(), files.len(), "every plan is documented");
    for (plan, wanted) in plans {
        let results = tempfile::tempdir().unwrap();
        let before = shop.calls().await;
        let report =
            run(&plan, shop.port, results.path()).await.unwrap_or_else(|e| panic!("{plan}: {e}"));
        let after = shop.calls().await;
        println!(
            "{plan}: {} samples, {} errors, {:.1}/s, {:.2} of those asked for, p95 {} ms",
            report.samples, report.errors, report.throughput, report.reached, report.latency.p95_ms
        );
        assert_eq!((report.errors, &*report.by), (0, "JMeter 5.6.3"));
        assert!(REACHED.contains(&report.reached), "{}", report.reached);
        let visits = report.samples as f64 / wanted.pages;
        let count = |calls: &BTreeMap<String, f64>, service: &str| {
            calls.get(service).copied().unwrap_or(0.0)
        };
        check_calls(&plan, &wanted, visits, |service| {
            count(&after, service) - count(&before, service)
        });
        if plan == "day" {
            check_day(&results.path().join("samples.csv"));
        }
    }
}

/// Tenths of the time from the first page to the last: few at night and in the evening, most at midday.
fn check_day(samples: &Path) {
    let text = fs::read_to_string(samples).unwrap();
    let time = |line: &str| line.split(',').next().unwrap().parse::<u64>().unwrap();
    let times: Vec<u64> = text.lines().skip(1).map(time).collect();
    let (first, last) = (*times.iter().min().unwrap(), *times.iter().max().unwrap());
    let mut tenths = [0; 10];
    for time in times {
        tenths[((time - first) * 10 / (last - first + 1)) as usize] += 1;
    }
    println!("pages in each tenth of the day: {tenths:?}");
    let peak = *tenths.iter().max().unwrap();
    // The first visits of a JMeter that starts late come at once.
    assert!(2 * peak > 3 * tenths[0] && peak > 2 * tenths[9]);
    assert!(tenths[3..=7].contains(&peak), "the peak is at midday");
}

/// A server that answers every request with status 200 and a page that is not the shop's.
async fn another_site() -> u16 {
    let router = axum::Router::new().fallback(async || "<html><h1>It works!</h1></html>");
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    // Ends with the test's runtime.
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

/// Runs `scripts/load`.
async fn script(port: u16, plan: &str) -> Output {
    let port = port.to_string();
    let plan = plan.to_owned();
    let run = move || {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(root().join("scripts/load"));
        command.args([
            &plan,
            "--host",
            "127.0.0.1",
            "--port",
            &port,
            "--users",
            "2",
            "--ramp",
            "0",
        ]);
        command.args(["--duration", "3", "--think-time-ms", "50", "--results"]).arg(folder.path());
        command.env("JMETER", jmeter().unwrap()).output().unwrap()
    };
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_not_the_shops_is_no_load_though_its_status_is_200() {
    let _alone = ALONE.lock().await;
    let port = another_site().await;
    for (plan, page) in [("search", "`Product`"), ("checkout", "`Home`")] {
        let results = tempfile::tempdir().unwrap();
        let mut request = request(plan, port, results.path());
        request.duration = Duration::from_secs(3);
        let refused = loader().run(&request, &CancellationToken::new()).await.unwrap_err();
        println!("{refused}");
        let LoadError::Errors { report, example, .. } = refused else { panic!("{refused}") };
        assert!(report.samples > 0 && report.errors == report.samples && example.starts_with(page));
    }
    let output = script(port, "browsing").await;
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("100.00 % failed, 1.00 % are allowed; first: Home: 200"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_prints_what_a_load_did() {
    let _alone = ALONE.lock().await;
    let shop = Shop::start();
    let output = script(shop.port, "registration").await;
    let (printed, told) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{printed}");
    assert_eq!(output.status.code(), Some(0), "{told}");
    for page in ["Home", "Set currency", "Product", "Add to cart", "all"] {
        let line = printed.lines().find(|line| line.starts_with(page)).unwrap();
        let numbers: Vec<u64> =
            line[page.len()..].split_whitespace().map_while(|word| word.parse().ok()).collect();
        assert!(numbers.len() == 2 && numbers[0] > 0 && numbers[1] == 0, "{line}");
    }
}
