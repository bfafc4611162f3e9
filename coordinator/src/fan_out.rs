//! Asking every worker at once, within bounds of time and number.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use mora_core::{Forecast, WorkloadRef};
use thiserror::Error;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use mora_planning::{ForecastRequest, validate};

/// Wait before the first repetition; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// Where a worker listens: a URL such as `http://cart-worker:50051`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(pub String);

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Why one call to a worker gave no forecast; the text is a sentence without a full stop.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AskError {
    /// The worker may answer if asked again: it could not be reached, was busy or restarting.
    #[error("{0}")]
    Transient(String),
    /// Asking again would not help.
    #[error("{0}")]
    Permanent(String),
}

/// A way to ask one worker for its forecast.
pub trait AskWorker {
    /// Asks the worker at `endpoint` to forecast `workload`; bounded in time by the caller.
    fn ask(
        &self,
        workload: &WorkloadRef,
        endpoint: &Endpoint,
        request: &ForecastRequest,
    ) -> impl Future<Output = Result<Forecast, AskError>> + Send;
}

/// Bounds of one fan-out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FanOutLimits {
    /// Longest time for one call.
    pub per_call: Duration,
    /// Longest time for all workers together.
    pub overall: Duration,
    /// Most calls under way at once; 0 counts as 1.
    pub concurrency: usize,
    /// How often a call that failed for a passing reason is repeated.
    pub retries: u32,
}

impl Default for FanOutLimits {
    fn default() -> Self {
        Self {
            per_call: Duration::from_secs(5),
            overall: Duration::from_secs(30),
            concurrency: 32,
            retries: 1,
        }
    }
}

/// Asks all `workers` and returns, for each, its forecast or the reason there is none.
///
/// When the overall time is up, the answers that arrived are kept. A forecast that is not an answer
/// to `request`, or not possible, is refused with its reason.
pub async fn fan_out<A: AskWorker>(
    asker: &A,
    workers: BTreeMap<WorkloadRef, Endpoint>,
    request: &ForecastRequest,
    limits: FanOutLimits,
) -> BTreeMap<WorkloadRef, Result<Forecast, String>> {
    let deadline = Instant::now() + limits.overall;
    let late = format!("no answer came within the {:?} for all workers", limits.overall);
    let mut answers: BTreeMap<WorkloadRef, Result<Forecast, String>> =
        workers.keys().map(|workload| (workload.clone(), Err(late.clone()))).collect();
    let calls = workers.into_iter().map(|(workload, endpoint)| async move {
        let answer = ask_patiently(asker, &workload, &endpoint, (request, limits)).await;
        (workload, answer)
    });
    let mut calls = futures::stream::iter(calls).buffer_unordered(limits.concurrency.max(1));
    while let Ok(Some((workload, answer))) = timeout_at(deadline, calls.next()).await {
        answers.insert(workload, answer);
    }
    answers
}

/// Asks one worker, again after a passing failure, and checks what it says.
async fn ask_patiently<A: AskWorker>(
    asker: &A,
    workload: &WorkloadRef,
    endpoint: &Endpoint,
    (request, limits): (&ForecastRequest, FanOutLimits),
) -> Result<Forecast, String> {
    let mut pause = FIRST_PAUSE;
    for attempt in 0..=limits.retries {
        let call = timeout(limits.per_call, asker.ask(workload, endpoint, request));
        match call.await {
            Ok(Ok(forecast)) => {
                validate(&forecast, workload, request).map_err(|error| error.to_string())?;
                return Ok(forecast);
            }
            Ok(Err(AskError::Transient(_))) | Err(_) if attempt < limits.retries => {}
            Ok(Err(error)) => return Err(format!("its worker at {endpoint} failed: {error}")),
            Err(_) => break,
        }
        sleep(pause).await;
        pause *= 2;
    }
    Err(format!("its worker at {endpoint} did not answer within {:?}", limits.per_call))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use mora_core::{Rung, Signal, SignalForecast, Skill};

    use super::*;

    /// What a scripted worker does when asked.
    #[derive(Clone, Copy)]
    enum Behaviour {
        Answer,
        After(u64),
        Fail(bool),
        Nonsense,
    }

    /// Workers that follow a script per workload, one entry per call; the last entry repeats.
    #[derive(Default)]
    struct Scripted {
        scripts: BTreeMap<WorkloadRef, Vec<Behaviour>>,
        calls: Mutex<BTreeMap<WorkloadRef, usize>>,
        running: Mutex<(usize, usize)>,
    }

    impl Scripted {
        fn new(scripts: &[(&str, &[Behaviour])]) -> Self {
            let scripts = scripts.iter().map(|(name, script)| (workload(name), script.to_vec()));
            Self { scripts: scripts.collect(), ..Self::default() }
        }

        fn workers(&self) -> BTreeMap<WorkloadRef, Endpoint> {
            let endpoint = |w: &WorkloadRef| Endpoint(format!("http://{}", w.name()));
            self.scripts.keys().map(|w| (w.clone(), endpoint(w))).collect()
        }

        fn calls(&self, name: &str) -> usize {
            self.calls.lock().unwrap().get(&workload(name)).copied().unwrap_or(0)
        }

        fn most_at_once(&self) -> usize {
            self.running.lock().unwrap().1
        }

        fn next(&self, workload: &WorkloadRef) -> Behaviour {
            let script = &self.scripts[workload];
            let mut calls = self.calls.lock().unwrap();
            let call = calls.entry(workload.clone()).or_default();
            *call += 1;
            script[(*call - 1).min(script.len() - 1)]
        }
    }

    impl AskWorker for Scripted {
        async fn ask(
            &self,
            workload: &WorkloadRef,
            _: &Endpoint,
            request: &ForecastRequest,
        ) -> Result<Forecast, AskError> {
            {
                let mut running = self.running.lock().unwrap();
                running.0 += 1;
                running.1 = running.1.max(running.0);
            }
            let step = self.next(workload);
            if let Behaviour::After(seconds) = step {
                sleep(Duration::from_secs(seconds)).await;
            }
            self.running.lock().unwrap().0 -= 1;
            match step {
                Behaviour::Answer | Behaviour::After(_) => Ok(forecast(workload, request, 1.0)),
                Behaviour::Nonsense => Ok(forecast(workload, request, f64::NAN)),
                Behaviour::Fail(true) => Err(AskError::Transient("it restarts".to_owned())),
                Behaviour::Fail(false) => Err(AskError::Permanent("it has no model".to_owned())),
            }
        }
    }

    fn workload(name: &str) -> WorkloadRef {
        WorkloadRef::deployment("shop", name).unwrap()
    }

    fn forecast(workload: &WorkloadRef, request: &ForecastRequest, value: f64) -> Forecast {
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
            workload: workload.clone(),
            model_version: "v1".to_owned(),
            start: request.start,
            slot: request.slot,
            data_until: request.start,
            replicas: 1,
            signals: [(Signal::Cpu, cpu)].into(),
            warnings: Vec::new(),
        }
    }

    async fn ask(
        workers: &Scripted,
        limits: FanOutLimits,
    ) -> BTreeMap<WorkloadRef, Result<Forecast, String>> {
        let request = ForecastRequest {
            start: Timestamp::UNIX_EPOCH,
            slot: Step::HOUR,
            slots: 24,
            quantiles: Vec::new(),
            risk_price: RiskPrice::DEFAULT,
        };
        fan_out(workers, workers.workers(), &request, limits).await
    }

    fn reason(answers: &BTreeMap<WorkloadRef, Result<Forecast, String>>, name: &str) -> String {
        answers[&workload(name)].clone().unwrap_err()
    }

    #[tokio::test(start_paused = true)]
    async fn one_failing_worker_does_not_take_the_others_answers_away() {
        let workers = Scripted::new(&[
            ("cart", &[Behaviour::Answer]),
            ("ad", &[Behaviour::Fail(false)]),
            ("email", &[Behaviour::After(3600)]),
            ("payment", &[Behaviour::Nonsense]),
        ]);
        let answers = ask(&workers, FanOutLimits::default()).await;
        assert!(answers[&workload("cart")].is_ok());
        assert!(reason(&answers, "ad").contains("http://ad failed: it has no model"));
        assert!(reason(&answers, "email").contains("did not answer within 5s"));
        assert!(reason(&answers, "payment").contains("holds NaN in slot 0"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_passing_failure_is_asked_again_and_a_lasting_one_is_not() {
        let workers = Scripted::new(&[
            ("cart", &[Behaviour::Fail(true), Behaviour::Answer]),
            ("slow", &[Behaviour::After(6), Behaviour::Answer]),
            ("ad", &[Behaviour::Fail(false), Behaviour::Answer]),
            ("down", &[Behaviour::Fail(true)]),
        ]);
        let answers = ask(&workers, FanOutLimits::default()).await;
        assert!(answers[&workload("cart")].is_ok() && answers[&workload("slow")].is_ok());
        assert!(reason(&answers, "down").contains("it restarts"));
        assert_eq!((workers.calls("ad"), workers.calls("down")), (1, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_time_for_all_is_up_the_answers_so_far_are_kept() {
        let workers = Scripted::new(&[
            ("quick", &[Behaviour::After(2)]),
            ("slow", &[Behaviour::After(4)]),
            ("waiting", &[Behaviour::Answer]),
        ]);
        let limits = FanOutLimits {
            overall: Duration::from_secs(3),
            concurrency: 2,
            ..FanOutLimits::default()
        };
        let began = Instant::now();
        let answers = ask(&workers, limits).await;
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        assert!(answers[&workload("quick")].is_ok() && answers[&workload("waiting")].is_ok());
        assert!(reason(&answers, "slow").contains("within the 3s for all workers"));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_calls_run_at_once_than_allowed() {
        let names: Vec<String> = (0..50).map(|i| format!("w{i}")).collect();
        let scripts: Vec<(&str, &[Behaviour])> =
            names.iter().map(|name| (name.as_str(), [Behaviour::After(1)].as_slice())).collect();
        let workers = Scripted::new(&scripts);
        let limits = FanOutLimits { concurrency: 8, ..FanOutLimits::default() };
        let answers = ask(&workers, limits).await;
        assert_eq!(workers.most_at_once(), 8);
        assert!(answers.values().all(Result::is_ok));
    }
}
