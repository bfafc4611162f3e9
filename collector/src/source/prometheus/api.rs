//! Asking the HTTP API: who asks, how long to wait, when to try again.

mod connection;
mod metadata;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use mora_core::Step;
use mora_runtime::with_causes;
use prometheus_http_query::Client;
use reqwest::{Response, StatusCode};
use tokio::time::Instant;

use super::answer::{self, Answer, Arriving, ArrivingLabels, Labelled, Labels};
use super::config::PrometheusConfig;
use super::error::PrometheusError;
use super::points::{Span, split, split_between};
use crate::Lookback;

use connection::{base_url, builder};

pub(super) use connection::without_credentials;
pub(super) use metadata::Metadata;

const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Steps of a query that loads much: a day of minutes.
const SMALL_PART: usize = 1_440;

/// A connection to one Prometheus, with credentials as they were when it was made.
#[derive(Clone)]
pub(super) struct Api {
    client: Client,
    url: String,
    max_points: usize,
    attempts: u32,
    pause: Duration,
    /// Of the time, the share in which a question may be open.
    busy_share: f64,
    asked: Arc<AtomicU64>,
}

/// One question.
#[derive(Debug, Clone, Copy, Hash)]
enum Question<'a> {
    Instant {
        query: &'a str,
        second: i64,
    },
    Range {
        query: &'a str,
        start: i64,
        end: i64,
        step: u32,
    },
    /// Which series there are.
    Series {
        selectors: &'a [String],
        start: i64,
        end: i64,
    },
}

/// How an attempt ended that did not succeed.
enum Failure {
    Final(PrometheusError),
    /// It may go better next time.
    Passing(PrometheusError),
}

impl Api {
    /// Reads credentials and certificates; asks nothing yet.
    pub(super) fn connect(config: &PrometheusConfig) -> Result<Self, PrometheusError> {
        mora_runtime::install_crypto_provider();
        let url = base_url(&config.url)?;
        let setting = |key: &str, error: &(dyn std::error::Error + 'static)| {
            PrometheusError::Setting { key: key.to_owned(), problem: with_causes(error) }
        };
        let http =
            builder(config, &url)?.build().map_err(|error| setting("source.prometheus", &error))?;
        let client = Client::from(http, url.as_str().trim_end_matches('/'))
            .map_err(|error| setting("source.prometheus.url", &error))?;
        Ok(Self {
            client,
            url: config.shown(),
            max_points: config.max_points_per_query,
            attempts: config.retries.saturating_add(1),
            pause: Duration::from_millis(config.retry_pause_milliseconds),
            busy_share: busy_share(config)?,
            asked: Arc::default(),
        })
    }

    /// How often it was asked, with every part and every repetition.
    pub(super) fn asked(&self) -> u64 {
        self.asked.load(Ordering::Relaxed)
    }

    /// What `query` is at every step of `lookback`.
    pub(super) async fn range(
        &self,
        query: &str,
        lookback: &Lookback,
    ) -> Result<Vec<Labelled>, PrometheusError> {
        self.range_in_parts(query, lookback, self.max_points).await
    }

    /// As [`Api::range`], in parts small enough for histograms, which have many times the series of a counter: what one
    /// query may load is limited too.
    pub(super) async fn range_in_small_parts(
        &self,
        query: &str,
        lookback: &Lookback,
    ) -> Result<Vec<Labelled>, PrometheusError> {
        self.range_in_parts(query, lookback, self.max_points.min(SMALL_PART)).await
    }

    async fn range_in_parts(
        &self,
        query: &str,
        lookback: &Lookback,
        most: usize,
    ) -> Result<Vec<Labelled>, PrometheusError> {
        self.range_over(query, split(lookback, most), lookback.step).await
    }

    /// What `query` is every `step` from `start` to `end`, in seconds since the Unix epoch, both included.
    pub(super) async fn range_between(
        &self,
        query: &str,
        (start, end): (i64, i64),
        step: Step,
    ) -> Result<Vec<Labelled>, PrometheusError> {
        self.range_over(query, split_between((start, end), step, self.max_points), step).await
    }

    async fn range_over(
        &self,
        query: &str,
        spans: Vec<Span>,
        step: Step,
    ) -> Result<Vec<Labelled>, PrometheusError> {
        let mut parts = Vec::new();
        for Span { start, end } in spans {
            let question = Question::Range { query, start, end, step: step.seconds() };
            parts.extend(self.ask(question).await?);
        }
        Ok(answer::stitch(parts))
    }

    /// What `query` is at `time`.
    pub(super) async fn instant(
        &self,
        query: &str,
        time: Timestamp,
    ) -> Result<Vec<Labelled>, PrometheusError> {
        self.ask(Question::Instant { query, second: time.as_second() }).await
    }

    /// The labels of the series that one of `selectors` matches and that had a sample between `from` and `to`.
    pub(super) async fn series(
        &self,
        selectors: &[String],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Labels>, PrometheusError> {
        let (start, end) = (from.as_second(), to.as_second());
        let found = self.ask(Question::Series { selectors, start, end }).await?;
        Ok(found.into_iter().map(|series| series.labels).collect())
    }

    async fn ask(&self, question: Question<'_>) -> Result<Vec<Labelled>, PrometheusError> {
        let mut attempt = 1;
        loop {
            let began = Instant::now();
            let error = match self.attempt(question, attempt).await {
                Ok(answer) => {
                    tokio::time::sleep(rest(began.elapsed(), self.busy_share)).await;
                    return Ok(complete(answer, question));
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(error)) => error,
            };
            if attempt >= self.attempts {
                return Err(error);
            }
            let pause = pause(self.pause, attempt, RandomState::new().hash_one(question));
            tracing::debug!(attempt, ?pause, "asking Prometheus again: {error}");
            tokio::time::sleep(pause).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, question: Question<'_>, attempt: u32) -> Result<Answer, Failure> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let response = self.send(question, attempt).await?;
        let status = response.status();
        if status.is_success() {
            return match question {
                Question::Series { .. } => self.label_sets(response, attempt).await,
                Question::Instant { .. } | Question::Range { .. } => {
                    self.answer(response, attempt).await
                }
            };
        }
        let body = response.bytes().await.map_err(|error| self.unreachable(attempt, error))?;
        Err(self.failed(question, attempt, status, &body))
    }

    async fn send(&self, question: Question<'_>, attempt: u32) -> Result<Response, Failure> {
        let sent = match question {
            Question::Instant { query, second } => {
                self.client.query(query).at(second).get_raw().await
            }
            Question::Range { query, start, end, step } => {
                self.client.query_range(query, start, end, f64::from(step)).get_raw().await
            }
            Question::Series { selectors, start, end } => {
                let mut url = self.client.base_url().clone();
                url.set_path(&format!("{}/api/v1/series", url.path().trim_end_matches('/')));
                let selectors = selectors.iter().map(|selector| ("match[]", selector.as_str()));
                url.query_pairs_mut()
                    .extend_pairs(selectors)
                    .append_pair("start", &start.to_string())
                    .append_pair("end", &end.to_string());
                let sent = self.client.inner().get(url).send().await;
                return sent.map_err(|error| self.unreachable(attempt, error));
            }
        };
        sent.map_err(|error| self.unreachable(attempt, error))
    }

    async fn answer(&self, mut response: Response, attempt: u32) -> Result<Answer, Failure> {
        let refuse = |problem| {
            Failure::Final(PrometheusError::NotPrometheus { url: self.url.clone(), problem })
        };
        let mut arriving = Arriving::default();
        while let Some(piece) =
            response.chunk().await.map_err(|error| self.unreachable(attempt, error))?
        {
            arriving.feed(&piece).map_err(refuse)?;
        }
        arriving.finish().map_err(refuse)
    }

    async fn label_sets(&self, mut response: Response, attempt: u32) -> Result<Answer, Failure> {
        let refuse = |problem| {
            Failure::Final(PrometheusError::NotPrometheus { url: self.url.clone(), problem })
        };
        let mut arriving = ArrivingLabels::default();
        while let Some(piece) =
            response.chunk().await.map_err(|error| self.unreachable(attempt, error))?
        {
            arriving.feed(&piece).map_err(refuse)?;
        }
        let found = arriving.finish().map_err(refuse)?;
        let series = found.into_iter().map(|labels| Labelled { labels, samples: Vec::new() });
        Ok(Answer { series: series.collect(), warnings: Vec::new() })
    }

    fn unreachable(&self, attempt: u32, source: impl std::error::Error + 'static) -> Failure {
        match PrometheusError::no_connection(self.url.clone(), attempt, &source) {
            // It will not be trusted the next time either.
            untrusted @ PrometheusError::Untrusted { .. } => Failure::Final(untrusted),
            other => Failure::Passing(other),
        }
    }

    fn failed(
        &self,
        question: Question<'_>,
        attempt: u32,
        status: StatusCode,
        body: &[u8],
    ) -> Failure {
        let url = self.url.clone();
        let message = answer::error_message(body);
        let detail = message.as_ref().map(|said| format!(", saying `{said}`")).unwrap_or_default();
        match status {
            StatusCode::UNAUTHORIZED => Failure::Final(PrometheusError::Unauthorized { url }),
            StatusCode::FORBIDDEN => Failure::Final(PrometheusError::Forbidden { url }),
            status if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() => {
                let status = status.as_u16();
                Failure::Passing(PrometheusError::Unavailable {
                    url,
                    status,
                    attempts: attempt,
                    detail,
                })
            }
            status if message.is_none() => {
                let problem = format!("it answered with status {status} and no reason");
                Failure::Final(PrometheusError::NotPrometheus { url, problem })
            }
            status => Failure::Final(PrometheusError::Refused {
                query: question.query().to_owned(),
                status: status.as_u16(),
                detail,
            }),
        }
    }
}

impl Question<'_> {
    fn query(&self) -> &str {
        match self {
            Self::Instant { query, .. } | Self::Range { query, .. } => query,
            Self::Series { selectors, .. } => selectors.first().map_or("", String::as_str),
        }
    }
}

fn complete(answer: Answer, question: Question<'_>) -> Vec<Labelled> {
    for warning in &answer.warnings {
        tracing::warn!(query = question.query(), "Prometheus warns: {warning}");
    }
    answer.series
}

/// How long to ask nothing after a question that was open for `open`, so that questions are open for `share` of the time.
fn rest(open: Duration, share: f64) -> Duration {
    open.mul_f64((1.0 / share - 1.0).max(0.0))
}

fn busy_share(config: &PrometheusConfig) -> Result<f64, PrometheusError> {
    let share = config.busy_share;
    if share > 0.0 && share <= 1.0 {
        return Ok(share);
    }
    let problem = format!("{share} is no share; write a number above 0 and at most 1");
    Err(PrometheusError::Setting { key: "source.prometheus.busy_share".to_owned(), problem })
}

/// The pause after attempt number `attempt`, from 1: doubled each time, up to 30 s, of which a random
/// half is left out so that many askers do not come back at once.
fn pause(first: Duration, attempt: u32, random: u64) -> Duration {
    let doubled = first.saturating_mul(2u32.saturating_pow(attempt.saturating_sub(1)));
    let fraction = 0.5 + 0.5 * (random as f64 / u64::MAX as f64);
    doubled.min(LONGEST_PAUSE).mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_ceiling_and_lose_at_most_half() {
        let first = Duration::from_millis(100);
        assert_eq!(pause(first, 1, u64::MAX), Duration::from_millis(100));
        assert_eq!(pause(first, 3, u64::MAX), Duration::from_millis(400));
        assert_eq!(pause(first, 3, 0), Duration::from_millis(200));
        assert_eq!(pause(first, 200, u64::MAX), LONGEST_PAUSE);
    }

    #[test]
    fn questions_are_open_for_their_share_of_the_time() {
        let open = Duration::from_millis(300);
        assert_eq!(rest(open, 1.0), Duration::ZERO);
        assert_eq!(rest(open, 0.25), Duration::from_millis(900));
        for share in [0.0, -1.0, 1.5, f64::NAN] {
            let config = PrometheusConfig { busy_share: share, ..PrometheusConfig::default() };
            let error = busy_share(&config).unwrap_err().to_string();
            assert!(error.contains("source.prometheus.busy_share"), "{error}");
        }
    }
}
