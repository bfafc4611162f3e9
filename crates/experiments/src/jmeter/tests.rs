//! A scripted `jmeter` stands in for the real one, for what must go wrong; the real one runs in the system tests.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use jiff::Timestamp;

use super::*;

const HEADER: &str =
    "timeStamp,elapsed,label,responseCode,responseMessage,threadName,success,failureMessage,bytes";
const LONG: Duration = Duration::from_mins(1);

/// A folder with a plan and a `jmeter` that does what `script` says; `$samples` and `$log` are its files.
struct Fake {
    folder: tempfile::TempDir,
}

impl Fake {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("jmeter");
        let text = format!("#!/bin/sh\nsamples=$5 log=$7 arguments=\"$*\"\n{script}\n");
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.path().join("browsing.jmx"), "").unwrap();
        Self { folder }
    }

    /// One that writes these lines below a header.
    fn writing(lines: &[&str]) -> Self {
        let text = lines.join("\n");
        Self::new(&format!("cat >\"$samples\" <<'END'\n{HEADER}\n{text}\nEND"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn jmeter(&self, change: impl FnOnce(&mut JMeterConfig)) -> JMeter {
        let mut config = JMeterConfig {
            program: Some(self.path("jmeter")),
            plans: self.folder.path().to_owned(),
            ..JMeterConfig::default()
        };
        change(&mut config);
        JMeter::new(config).unwrap()
    }

    /// Two users for two seconds who think for one: four samples, less what the answers take.
    fn request(&self) -> LoadRequest {
        LoadRequest {
            plan: "browsing".into(),
            host: "127.0.0.1".to_owned(),
            port: 8080,
            users: 2,
            ramp: Duration::ZERO,
            duration: Duration::from_secs(2),
            think_time: Duration::from_secs(1),
            properties: BTreeMap::new(),
            results: self.path("results"),
        }
    }

    async fn run(&self) -> Result<LoadReport, LoadError> {
        self.jmeter(|_| {}).run(&self.request(), &CancellationToken::new()).await
    }

    /// Waits for a file that the script writes, with the number of a process.
    async fn process(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let number = async || fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n'));
        until(async || number().await.is_some()).await;
        Path::new("/proc").join(number().await.unwrap().trim())
    }
}

async fn until(holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < LONG, "waited in vain");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether a process has ended, be it that nobody has asked yet how.
fn is_gone(process: &Path) -> bool {
    let status = fs::read_to_string(process.join("status"));
    status.map_or(true, |status| status.contains("\nState:\tZ"))
}

const GOOD: [&str; 4] = [
    "1700000000000,10,Home,200,OK,visitors 1-1,true,,900",
    "1700000000500,30,Product,200,OK,visitors 1-2,true,,900",
    "1700000001000,20,Home,200,OK,visitors 1-1,true,,900",
    "1700000001500,500,Product,200,\"O,K\",visitors 1-2,true,,900",
];

#[tokio::test]
async fn the_samples_of_a_load_are_counted_and_timed() {
    let fake = Fake::writing(&GOOD);
    let report = fake.run().await.unwrap();
    assert_eq!((report.samples, report.errors), (4, 0));
    assert_eq!(report.started, Timestamp::from_millisecond(1_700_000_000_000).unwrap());
    assert!((report.seconds - 2.0).abs() < 1e-9 && (report.throughput - 2.0).abs() < 1e-9);
    let Latency { p50_ms, p95_ms, p99_ms } = report.latency;
    assert_eq!([p50_ms, p95_ms, p99_ms].map(|ms| ms as u64), [20, 500, 500]);
    assert_eq!(report.labels["Home"], LabelReport { samples: 2, errors: 0, first_error: None });
    // Two users, two seconds, a page every 1 s + 140 ms.
    assert!((report.reached - 4.0 / (4.0 / 1.14)).abs() < 1e-9, "{}", report.reached);
}

#[tokio::test]
async fn jmeter_is_told_the_plan_and_every_property() {
    let fake = Fake::new("echo \"JMeter: Version 5.6.3\" >\"$log\"; echo \"$arguments\"; exit 0");
    let mut request = fake.request();
    request.ramp = Duration::from_millis(1500);
    request.properties.insert("max_rps".to_owned(), "3".to_owned());
    let ended = fake.jmeter(|_| {}).run(&request, &CancellationToken::new()).await;
    assert!(matches!(ended, Err(LoadError::Empty { .. })));
    let told = fs::read_to_string(fake.path("results/jmeter.out")).unwrap();
    let plan = format!("-n -t {} -l ", fake.path("browsing.jmx").display());
    for part in
        [&*plan, "-Jhost=127.0.0.1", "-Jusers=2", "-Jramp=2", "-Jthink_time_ms=1000", "-Jmax_rps=3"]
    {
        assert!(told.contains(part), "no {part} in {told}");
    }
}

#[tokio::test]
async fn a_load_without_samples_is_refused_with_and_without_a_file() {
    for fake in [Fake::new("exit 0"), Fake::writing(&[])] {
        let refused = fake.run().await.unwrap_err();
        assert!(matches!(refused, LoadError::Empty { .. }), "{refused}");
    }
}

#[tokio::test]
async fn wrong_pages_are_refused_and_one_is_quoted() {
    let wrong =
        "1700000001200,9,Home,200,OK,visitors 1-1,false,\"Test failed: text, expected\",900";
    let fake = Fake::writing(&[&GOOD[..], &[wrong]].concat());
    let refused = fake.run().await.unwrap_err().to_string();
    assert!(refused.starts_with("1 of 5 samples failed, 20.0 % where 1.0 %"), "{refused}");
    assert!(refused.ends_with("`Home`: Test failed: text, expected"), "{refused}");
    let lenient = fake.jmeter(|config| config.max_error_ratio = 0.2);
    let report = lenient.run(&fake.request(), &CancellationToken::new()).await.unwrap();
    assert_eq!((report.errors, report.labels["Home"].errors), (1, 1));
}

#[tokio::test]
async fn fewer_samples_than_the_users_must_give_are_refused() {
    let fake = Fake::writing(&GOOD);
    let (jmeter, mut request) = (fake.jmeter(|_| {}), fake.request());
    request.users = 20;
    let refused = jmeter.run(&request, &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(refused, LoadError::TooFew { .. }), "{refused}");
    request.properties.insert("max_rps".to_owned(), "2".to_owned());
    let limited = jmeter.run(&request, &CancellationToken::new()).await.unwrap();
    assert!(
        (limited.reached - 1.0).abs() < 1e-9,
        "a limit is no lack of users: {}",
        limited.reached
    );
}

#[tokio::test]
async fn a_failed_jmeter_is_refused_with_the_end_of_its_log() {
    let fake = Fake::new("echo 'ERROR no such element' >\"$log\"; exit 3");
    let refused = fake.run().await.unwrap_err().to_string();
    assert!(refused.contains("exit status: 3") && refused.contains("no such element"), "{refused}");
}

#[tokio::test]
async fn samples_that_are_none_are_refused_by_line_and_column() {
    let fake = Fake::writing(&[GOOD[0], "1700000000500,soon,Home,200,OK,visitors 1-1,true,,900"]);
    let refused = fake.run().await.unwrap_err().to_string();
    assert!(refused.contains("line 3") && refused.contains("`elapsed`"), "{refused}");
    let torn = Fake::writing(&["1700000000000,10,Home"]).run().await.unwrap_err();
    assert!(matches!(torn, LoadError::Unreadable { .. }), "{torn}");
}

#[tokio::test]
async fn samples_of_an_earlier_load_are_not_counted() {
    let fake = Fake::writing(&GOOD);
    fake.run().await.unwrap();
    fs::write(fake.path("jmeter"), "#!/bin/sh\nexit 0\n").unwrap();
    assert!(matches!(fake.run().await, Err(LoadError::Empty { .. })));
}

/// Like the distribution's start script: a shell that waits for what does the work.
const HANGS: &str =
    "echo $$ >\"$(dirname \"$0\")/shell\"\nsleep 600 &\necho $! >\"$(dirname \"$0\")/java\"\nwait";

#[tokio::test]
async fn a_stopped_load_leaves_no_process() {
    let fake = Fake::new(HANGS);
    let stop = CancellationToken::new();
    let (jmeter, request) = (fake.jmeter(|_| {}), fake.request());
    let (ended, processes) = tokio::join!(jmeter.run(&request, &stop), async {
        let processes = [fake.process("shell").await, fake.process("java").await];
        stop.cancel();
        processes
    });
    assert!(matches!(ended, Err(LoadError::Stopped)));
    until(async || processes.iter().all(|process| is_gone(process))).await;
}

#[tokio::test]
async fn a_load_that_does_not_end_is_ended_at_its_deadline() {
    let fake = Fake::new(&format!("trap '' TERM\n{HANGS}"));
    let mut request = fake.request();
    request.duration = Duration::from_secs(1);
    request.think_time = Duration::ZERO;
    let jmeter = fake.jmeter(|config| config.grace_seconds = 0);
    let refused = jmeter.run(&request, &CancellationToken::new()).await.unwrap_err();
    assert!(matches!(refused, LoadError::TooLong { seconds: 1, .. }), "{refused}");
    let shell = fake.process("shell").await;
    until(async || is_gone(&shell)).await;
}

#[tokio::test]
async fn a_load_nobody_waits_for_any_more_ends() {
    let fake = Fake::new(HANGS);
    let (jmeter, request) = (fake.jmeter(|_| {}), fake.request());
    let processes = async { [fake.process("shell").await, fake.process("java").await] };
    let stop = CancellationToken::new();
    let processes = tokio::select! {
        ended = jmeter.run(&request, &stop) => panic!("{ended:?}"),
        processes = processes => processes,
    };
    until(async || processes.iter().all(|process| is_gone(process))).await;
}

#[tokio::test]
async fn loads_that_are_none_and_plans_that_are_not_there_are_refused_before_anything_starts() {
    let fake = Fake::new("exit 0");
    let jmeter = fake.jmeter(|_| {});
    let changes: [fn(&mut LoadRequest); 4] = [
        |request| request.users = 0,
        |request| request.duration = Duration::ZERO,
        |request| request.ramp = Duration::from_secs(3),
        |request| request.plan = "buying".into(),
    ];
    for change in changes {
        let mut request = fake.request();
        change(&mut request);
        let refused = jmeter.run(&request, &CancellationToken::new()).await.unwrap_err();
        assert!(matches!(refused, LoadError::NoLoad(_) | LoadError::NoPlan(_)), "{refused}");
    }
    assert!(!fake.path("results").exists());
    let config = JMeterConfig { min_reached: 1.5, ..JMeterConfig::default() };
    assert!(matches!(JMeter::new(config), Err(LoadError::Bound { key: "min_reached", .. })));
}
