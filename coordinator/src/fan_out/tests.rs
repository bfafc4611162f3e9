use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use jiff::Timestamp;
use mora_core::{Quantile, RiskPrice, Rung, Signal, SignalForecast, Skill, Step};
use tokio::time::sleep;

use super::*;

/// What a scripted worker does when asked.
#[derive(Clone, Copy)]
enum Behaviour {
    Answer,
    AfterMillis(u64),
    Fail(bool),
    Nonsense,
}

use Behaviour::{AfterMillis, Answer, Fail, Nonsense};

/// Longer than any limit.
const NEVER: Behaviour = AfterMillis(3_600_000);

/// Workers that follow a script per workload, one entry per call; the last entry repeats.
#[derive(Clone)]
struct Scripted(Arc<Script>);

struct Script {
    steps: BTreeMap<WorkloadRef, Vec<Behaviour>>,
    calls: Mutex<BTreeMap<WorkloadRef, usize>>,
    apart: Mutex<usize>,
    running: Mutex<(usize, usize)>,
}

impl Scripted {
    fn new(steps: BTreeMap<WorkloadRef, Vec<Behaviour>>) -> Self {
        let (calls, apart, running) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self(Arc::new(Script { steps, calls, apart, running }))
    }

    fn of(scripts: &[(&str, &[Behaviour])]) -> Self {
        Self::new(scripts.iter().map(|(name, script)| (workload(name), script.to_vec())).collect())
    }

    /// `count` workers that answer after 100 ms, and those of `others`.
    fn crowd(count: usize, others: &[(&str, &[Behaviour])]) -> Self {
        let crowd =
            (0..count).map(|index| (workload(&format!("w{index}")), vec![AfterMillis(100)]));
        let others = others.iter().map(|(name, script)| (workload(name), script.to_vec()));
        Self::new(crowd.chain(others).collect())
    }

    fn workers(&self) -> BTreeMap<WorkloadRef, Endpoint> {
        let endpoint = |w: &WorkloadRef| Endpoint(format!("http://{}", w.name()));
        self.0.steps.keys().map(|w| (w.clone(), endpoint(w))).collect()
    }

    fn calls(&self, name: &str) -> usize {
        self.0.calls.lock().unwrap().get(&workload(name)).copied().unwrap_or(0)
    }

    fn all_calls(&self) -> usize {
        self.0.calls.lock().unwrap().values().sum()
    }

    fn calls_apart(&self) -> usize {
        *self.0.apart.lock().unwrap()
    }

    fn most_at_once(&self) -> usize {
        self.0.running.lock().unwrap().1
    }

    fn next(&self, ask: &Ask) -> Behaviour {
        let script = &self.0.steps[&ask.workload];
        *self.0.apart.lock().unwrap() += usize::from(ask.apart);
        let mut calls = self.0.calls.lock().unwrap();
        let call = calls.entry(ask.workload.clone()).or_default();
        *call += 1;
        script[(*call - 1).min(script.len() - 1)]
    }
}

impl Service<Ask> for Scripted {
    type Response = Forecast;
    type Error = AskError;
    type Future = BoxFuture<'static, Result<Forecast, AskError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), AskError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, ask: Ask) -> Self::Future {
        let workers = self.clone();
        async move {
            {
                let mut running = workers.0.running.lock().unwrap();
                running.0 += 1;
                running.1 = running.1.max(running.0);
            }
            let step = workers.next(&ask);
            if let AfterMillis(millis) = step {
                sleep(Duration::from_millis(millis)).await;
            }
            workers.0.running.lock().unwrap().0 -= 1;
            match step {
                Answer | AfterMillis(_) => Ok(forecast(&ask, 1.0)),
                Nonsense => Ok(forecast(&ask, f64::NAN)),
                Fail(true) => Err(AskError::Transient("it restarts".to_owned())),
                Fail(false) => Err(AskError::Permanent("it has no model".to_owned())),
            }
        }
        .boxed()
    }
}

fn workload(name: &str) -> WorkloadRef {
    WorkloadRef::deployment("shop", name).unwrap()
}

fn forecast(ask: &Ask, value: f64) -> Forecast {
    let request = &ask.request;
    let cpu = SignalForecast {
        paths: [(Quantile::new(0.99).unwrap(), vec![value; request.slots])].into(),
        requests: vec![1.0; request.slots],
        request_records: Vec::new(),
        rung: Rung::Ensemble,
        members: Vec::new(),
        skill: Skill { pinball_ratio: None, origins: 0 },
        confidence: None,
    };
    Forecast {
        workload: ask.workload.clone(),
        model_version: "v1".to_owned(),
        start: request.start,
        slot: request.slot,
        data_until: request.start,
        replicas: 1,
        signals: [(Signal::Cpu, cpu)].into(),
        warnings: Vec::new(),
    }
}

fn request() -> ForecastRequest {
    ForecastRequest {
        start: Timestamp::UNIX_EPOCH,
        slot: Step::HOUR,
        slots: 24,
        quantiles: Vec::new(),
        risk_price: RiskPrice::DEFAULT,
    }
}

/// The answers and how long they took.
async fn ask(workers: &Scripted, limits: FanOutLimits) -> (Answers, Duration) {
    again(&FanOut::new(workers.clone(), limits)).await
}

async fn again(fan_out: &FanOut<Scripted>) -> (Answers, Duration) {
    let began = Instant::now();
    let answers = fan_out.ask(fan_out.caller.workers(), &request()).await;
    (answers, began.elapsed())
}

/// Only retries and deadlines.
fn plain() -> FanOutLimits {
    FanOutLimits { straggler_share: 1.0, hedge_factor: 0.0, ..FanOutLimits::default() }
}

fn reason(answers: &Answers, name: &str) -> String {
    answers[&workload(name)].clone().unwrap_err()
}

fn answered(answers: &Answers) -> usize {
    answers.values().filter(|answer| answer.is_ok()).count()
}

#[tokio::test(start_paused = true)]
async fn one_failing_worker_does_not_take_the_others_answers_away() {
    let workers = Scripted::of(&[
        ("cart", &[Answer]),
        ("ad", &[Fail(false)]),
        ("email", &[NEVER]),
        ("payment", &[Nonsense]),
    ]);
    let (answers, _) = ask(&workers, plain()).await;
    assert!(answers[&workload("cart")].is_ok());
    assert!(reason(&answers, "ad").contains("http://ad failed: it has no model"));
    assert!(reason(&answers, "email").contains("did not answer within 3s"));
    assert!(reason(&answers, "payment").contains("holds NaN in slot 0"));
}

#[tokio::test(start_paused = true)]
async fn a_passing_failure_is_asked_again_and_a_lasting_one_is_not() {
    let workers = Scripted::of(&[
        ("cart", &[Fail(true), Answer]),
        ("slow", &[NEVER, Answer]),
        ("ad", &[Fail(false), Answer]),
        ("down", &[Fail(true)]),
    ]);
    let (answers, _) = ask(&workers, plain()).await;
    assert!(answers[&workload("cart")].is_ok() && answers[&workload("slow")].is_ok());
    assert!(reason(&answers, "down").contains("it restarts"));
    assert_eq!((workers.calls("ad"), workers.calls("down")), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn when_all_fail_no_more_is_repeated_than_the_budget_allows() {
    let names: Vec<String> = (0..100).map(|index| format!("w{index}")).collect();
    let steps = names.iter().map(|name| (workload(name), vec![Fail(true)])).collect();
    let workers = Scripted::new(steps);
    let limits = FanOutLimits { retries: 3, retry_share: 0.2, breaker_failures: 0, ..plain() };
    let (answers, _) = ask(&workers, limits).await;
    assert_eq!((answers.len(), answered(&answers)), (100, 0));
    assert_eq!(workers.all_calls(), 100 + 20 + 10, "a fifth of the workers, and ten");
}

#[tokio::test(start_paused = true)]
async fn when_the_time_for_all_is_up_the_answers_so_far_are_kept() {
    let workers = Scripted::of(&[
        ("a-quick", &[AfterMillis(2000)]),
        ("b-slow", &[AfterMillis(3500)]),
        ("c-quick", &[AfterMillis(500)]),
        ("d-slow", &[NEVER]),
        ("e-waits", &[Answer]),
    ]);
    let limits = FanOutLimits {
        per_call: Duration::from_secs(9),
        overall: Duration::from_secs(3),
        concurrency: 2,
        ..plain()
    };
    let (answers, taken) = ask(&workers, limits).await;
    assert_eq!((taken, answered(&answers)), (Duration::from_secs(3), 2));
    assert!(answers[&workload("a-quick")].is_ok() && answers[&workload("c-quick")].is_ok());
    let slow = reason(&answers, "b-slow");
    assert!(slow.contains("not answered after 3000 ms: the 3s for all workers were up"), "{slow}");
    let waiting = reason(&answers, "e-waits");
    assert!(waiting.contains("was not asked: the 3s for all workers were up"), "{waiting}");
}

#[tokio::test(start_paused = true)]
async fn no_more_workers_are_asked_at_once_than_allowed() {
    let workers = Scripted::crowd(50, &[]);
    let (answers, taken) = ask(&workers, FanOutLimits { concurrency: 8, ..plain() }).await;
    assert_eq!((workers.most_at_once(), answered(&answers)), (8, 50));
    assert_eq!(taken, Duration::from_millis(700), "seven rounds of at most eight");
}

#[tokio::test(start_paused = true)]
async fn a_call_much_slower_than_the_others_is_made_a_second_time_and_the_faster_one_answers() {
    let workers = Scripted::crowd(20, &[("late", &[NEVER, AfterMillis(30)])]);
    let limits = FanOutLimits { hedge_factor: 1.25, ..plain() };
    let (answers, taken) = ask(&workers, limits).await;
    assert_eq!(answered(&answers), 21);
    assert_eq!((workers.calls("late"), workers.calls_apart(), workers.all_calls()), (2, 1, 22));
    assert_eq!(taken, Duration::from_millis(125 + 30));
}

#[tokio::test(start_paused = true)]
async fn the_first_of_two_calls_answers_where_the_second_fails() {
    let workers = Scripted::crowd(20, &[("late", &[AfterMillis(500), Fail(true)])]);
    let limits = FanOutLimits { hedge_factor: 1.25, ..plain() };
    let (answers, taken) = ask(&workers, limits).await;
    assert_eq!((answered(&answers), taken), (21, Duration::from_millis(500)));
    assert_eq!(workers.calls("late"), 2);
}

#[tokio::test(start_paused = true)]
async fn second_calls_are_a_bounded_share_of_all() {
    let names: Vec<String> = (0..4).map(|index| format!("late{index}")).collect();
    let late: Vec<(&str, &[Behaviour])> =
        names.iter().map(|name| (name.as_str(), [AfterMillis(900)].as_slice())).collect();
    let workers = Scripted::crowd(56, &late);
    let limits = FanOutLimits { hedge_factor: 1.25, hedge_share: 0.05, ..plain() };
    let (answers, _) = ask(&workers, limits).await;
    assert_eq!((answered(&answers), workers.calls_apart()), (60, 3), "a twentieth of 60");
}

#[tokio::test(start_paused = true)]
async fn the_last_few_do_not_hold_up_the_others_for_long() {
    let workers = Scripted::crowd(99, &[("late", &[NEVER])]);
    let limits = FanOutLimits { straggler_share: 0.95, ..plain() };
    let (answers, taken) = ask(&workers, limits).await;
    assert_eq!(answered(&answers), 99);
    let least = limits.straggler_least.mul_f64(100.0 / 95.0);
    assert_eq!(taken.as_millis(), 100 + least.as_millis() + 1, "timers go by whole milliseconds");
    let late = reason(&answers, "late");
    assert!(late.contains("http://late was too slow"), "{late}");
    assert!(late.contains("95 of 100 workers had answered within 100 ms"), "{late}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_keeps_failing_is_left_alone_and_tried_again_after_a_pause() {
    let script = [Fail(true), Fail(true), Fail(true), Fail(true), Answer];
    let workers = Scripted::of(&[("down", &script), ("cart", &[Answer])]);
    let limits = FanOutLimits { retries: 0, breaker_failures: 3, ..plain() };
    let fan_out = FanOut::new(workers.clone(), limits);
    for _ in 0..3 {
        again(&fan_out).await;
    }
    let (answers, _) = again(&fan_out).await;
    assert_eq!((workers.calls("down"), workers.calls("cart")), (3, 4));
    let left = reason(&answers, "down");
    assert!(
        left.contains("it failed 3 times in a row and is left alone for another 30 s"),
        "{left}"
    );
    assert!(left.contains("it restarts"), "{left}");

    sleep(limits.breaker_pause).await;
    again(&fan_out).await;
    again(&fan_out).await;
    assert_eq!(workers.calls("down"), 4, "one trial, which failed");

    sleep(limits.breaker_pause).await;
    assert_eq!(answered(&again(&fan_out).await.0), 2);
    assert_eq!(answered(&again(&fan_out).await.0), 2, "closed after a success");
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_too_slow_again_and_again_is_left_alone_too() {
    let workers = Scripted::crowd(20, &[("late", &[NEVER])]);
    let limits = FanOutLimits { straggler_share: 0.9, breaker_failures: 2, ..plain() };
    let fan_out = FanOut::new(workers.clone(), limits);
    let (_, first) = again(&fan_out).await;
    again(&fan_out).await;
    let (answers, third) = again(&fan_out).await;
    assert!(first > Duration::from_secs(1) && third == Duration::from_millis(100));
    assert_eq!(workers.calls("late"), 2);
    assert!(reason(&answers, "late").contains("is left alone"));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_does_not_count_as_a_failing_worker() {
    let workers = Scripted::of(&[("ad", &[Fail(false)])]);
    let fan_out = FanOut::new(workers.clone(), FanOutLimits { breaker_failures: 1, ..plain() });
    again(&fan_out).await;
    again(&fan_out).await;
    assert_eq!(workers.calls("ad"), 2);
}
