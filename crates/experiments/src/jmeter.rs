//! Load from JMeter: a plan is run without a window, and what it did is read, judged and refused when it is no load.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

mod command;
mod error;
mod lifeline;
mod program;
mod report;

pub use error::LoadError;
pub use report::{LabelReport, Latency, LoadReport, PageSample, page_samples};

use command::Files;
use lifeline::Lifeline;

/// How long a load that is stopped may take to end before it is killed.
const STOPPING: Duration = Duration::from_secs(5);

/// Where JMeter is and which loads are accepted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JMeterConfig {
    /// The program `jmeter`, or the folder of an installation; found on the `PATH` when absent.
    pub program: Option<PathBuf>,
    /// The folder that holds the plans.
    pub plans: PathBuf,
    /// Seconds beyond the load's own duration after which JMeter is stopped: its start, and what it waits for at the end.
    pub grace_seconds: u64,
    /// The largest share of samples that may fail, in [0, 1].
    pub max_error_ratio: f64,
    /// The smallest share of the samples that the users' think times give that must have been reached, in [0, 1].
    pub min_reached: f64,
}

impl Default for JMeterConfig {
    fn default() -> Self {
        Self {
            program: None,
            plans: PathBuf::from("jmeter"),
            grace_seconds: 60,
            max_error_ratio: 0.01,
            min_reached: 0.5,
        }
    }
}

/// One load that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadRequest {
    /// The name of a plan in the folder of plans (`browsing`), or the path of a file that ends in `.jmx`.
    pub plan: PathBuf,
    /// Host of the application's entry.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Concurrent users; at the peak of a plan whose load varies.
    pub users: u32,
    /// Time in which the users begin one after another; whole seconds.
    pub ramp: Duration,
    /// How long the load lasts, ramp included; whole seconds.
    pub duration: Duration,
    /// Mean pause of a user before each page.
    pub think_time: Duration,
    /// Further properties of the plan, such as `max_rps`.
    pub properties: BTreeMap<String, String>,
    /// Where JMeter's log, output and samples are kept; made when absent, earlier ones are replaced.
    pub results: PathBuf,
}

/// A JMeter that was found.
#[derive(Debug, Clone)]
pub struct JMeter {
    program: PathBuf,
    config: JMeterConfig,
}

impl JMeter {
    /// Finds JMeter where `config` or the `PATH` says.
    ///
    /// Fails when there is none, or a bound is out of its range.
    pub fn new(config: JMeterConfig) -> Result<Self, LoadError> {
        for (key, value) in
            [("max_error_ratio", config.max_error_ratio), ("min_reached", config.min_reached)]
        {
            if !(0.0..=1.0).contains(&value) {
                return Err(LoadError::Bound { key, value });
            }
        }
        let program = program::find(config.program.as_deref())?;
        Ok(Self { program, config })
    }

    /// Puts the load on the application and tells what it did; nothing of it runs any more afterwards.
    ///
    /// The load also ends when the future is dropped or this process dies. Fails when JMeter cannot run the plan, ends
    /// with an error, does not end, or is stopped, and when the load is none: without samples, with too many errors,
    /// or with too few samples for its users.
    pub async fn run(
        &self,
        request: &LoadRequest,
        stop: &CancellationToken,
    ) -> Result<LoadReport, LoadError> {
        request.check()?;
        let plan = self.plan(&request.plan)?;
        let files = Files::prepare(&request.results)?;
        let arguments = command::arguments(&plan, request, &files);
        let lifeline = Lifeline::start(&self.program, &arguments, &files.output, STOPPING)
            .map_err(|source| LoadError::Start { program: self.program.clone(), source })?;
        lifeline.ended(self.deadline(request), stop, &files.log).await?;
        let report = report::read(&files.samples, &files.log)?;
        self.judge(report, request)
    }

    /// Whether there is such a plan; fails when there is not.
    pub fn knows(&self, named: &Path) -> Result<(), LoadError> {
        self.plan(named).map(drop)
    }

    /// The file of a plan that is named by its name or path.
    fn plan(&self, named: &Path) -> Result<PathBuf, LoadError> {
        let is_path = named.extension().is_some_and(|ending| ending == "jmx");
        let path = if is_path {
            named.to_owned()
        } else {
            self.config.plans.join(named).with_extension("jmx")
        };
        let path = std::path::absolute(&path).unwrap_or(path);
        if path.is_file() { Ok(path) } else { Err(LoadError::NoPlan(path)) }
    }

    /// The last visits of an open plan begin at the end of its duration.
    fn deadline(&self, request: &LoadRequest) -> Duration {
        let grace = Duration::from_secs(self.config.grace_seconds);
        request.duration + 10 * request.think_time + grace
    }

    fn judge(
        &self,
        mut report: LoadReport,
        request: &LoadRequest,
    ) -> Result<LoadReport, LoadError> {
        let allowed = self.config.max_error_ratio;
        if report.error_ratio > allowed {
            return Err(LoadError::Errors {
                example: report.example(),
                allowed,
                report: Box::new(report),
            });
        }
        report.reached = report.samples as f64 / request.samples(report.mean_seconds);
        let wanted = self.config.min_reached;
        if report.reached < wanted {
            return Err(LoadError::TooFew { wanted, report: Box::new(report) });
        }
        Ok(report)
    }
}

/// Mean of the plan `day` over its duration, as a share of its peak; see its schedule.
const DAY_LEVEL: f64 = 0.5925;

impl LoadRequest {
    fn check(&self) -> Result<(), LoadError> {
        let problem = if self.users == 0 {
            "it has no users"
        } else if self.duration.is_zero() {
            "it has no duration"
        } else if self.ramp > self.duration {
            "its ramp is longer than its duration"
        } else {
            return Ok(());
        };
        Err(LoadError::NoLoad(problem))
    }

    /// How many samples the users' think times give, when each page is answered after `answer` seconds.
    fn samples(&self, answer: f64) -> f64 {
        let (ramp, duration) = (self.ramp.as_secs_f64(), self.duration.as_secs_f64());
        let (users, think) = (f64::from(self.users), self.think_time.as_secs_f64());
        let asked = if self.plan.file_stem().is_some_and(|name| name == "day") {
            // Visits arrive by the clock, however long the answers take.
            users * duration * DAY_LEVEL / think.max(f64::EPSILON)
        } else {
            users * (duration - ramp / 2.0) / (think + answer).max(f64::EPSILON)
        };
        let limit = self.properties.get("max_rps").and_then(|limit| limit.parse::<f64>().ok());
        limit.map_or(asked, |limit| asked.min(limit * duration))
    }
}

#[cfg(test)]
mod tests;
