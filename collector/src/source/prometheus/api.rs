//! Asking the HTTP API: who asks, how long to wait, when to try again.

mod metadata;

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use mora_runtime::with_causes;
use prometheus_http_query::Client;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, ClientBuilder, Response, StatusCode, Url};
use tokio::time::Instant;

use super::answer::{self, Answer, Arriving, Labelled};
use super::config::PrometheusConfig;
use super::error::PrometheusError;
use super::points::{Span, split};
use crate::Lookback;

pub(super) use metadata::Metadata;

const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
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
}

/// One question.
#[derive(Debug, Clone, Copy, Hash)]
enum Question<'a> {
    Instant { query: &'a str, second: i64 },
    Range { query: &'a str, start: i64, end: i64, step: u32 },
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
        })
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
        let mut parts = Vec::new();
        for Span { start, end } in split(lookback, most) {
            let question = Question::Range { query, start, end, step: lookback.step.seconds() };
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
        let response = match question {
            Question::Instant { query, second } => {
                self.client.query(query).at(second).get_raw().await
            }
            Question::Range { query, start, end, step } => {
                self.client.query_range(query, start, end, f64::from(step)).get_raw().await
            }
        };
        let response = response.map_err(|error| self.unreachable(attempt, error))?;
        let status = response.status();
        if status.is_success() {
            return self.answer(response, attempt).await;
        }
        let body = response.bytes().await.map_err(|error| self.unreachable(attempt, error))?;
        Err(self.failed(question, attempt, status, &body))
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

    fn unreachable(
        &self,
        attempt: u32,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Failure {
        Failure::Passing(PrometheusError::Unreachable {
            url: self.url.clone(),
            attempts: attempt,
            source: Box::new(source),
        })
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
    const fn query(&self) -> &str {
        match self {
            Self::Instant { query, .. } | Self::Range { query, .. } => query,
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

fn base_url(text: &str) -> Result<Url, PrometheusError> {
    if text.is_empty() {
        return Err(PrometheusError::NoUrl);
    }
    let refuse = |problem: String| PrometheusError::Url { url: without_credentials(text), problem };
    let url: Url = text.parse().map_err(|error| refuse(format!("{error}")))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        other => Err(refuse(format!("it starts with `{other}:` and not with http:// or https://"))),
    }
}

/// `url` as it may be shown.
pub(super) fn without_credentials(url: &str) -> String {
    let Ok(mut parsed) = url.parse::<Url>() else {
        // What cannot be taken apart is cut off after all that could be a password.
        return url.rsplit_once('@').map_or(url, |(_, address)| address).to_owned();
    };
    // Both fail only where a URL cannot have credentials, and then there is nothing to hide.
    let _password = parsed.set_password(None);
    let _username = parsed.set_username("");
    parsed.to_string().trim_end_matches('/').to_owned()
}

/// A client of `url` with the credentials, certificates and deadlines of `config`.
fn builder(config: &PrometheusConfig, url: &Url) -> Result<ClientBuilder, PrometheusError> {
    let builder = reqwest::Client::builder()
        .default_headers(headers(config)?)
        .timeout(Duration::from_secs(config.timeout_seconds.max(1)))
        .connect_timeout(CONNECT_TIMEOUT);
    let builder = trusting(builder, config, url)?;
    // A proxy of the environment knows nothing of this machine's ports, and must not learn the secret.
    let is_local = config.tunnel.as_ref().is_some_and(|tunnel| tunnel.is_local());
    Ok(if is_local { builder.no_proxy() } else { builder })
}

fn trusting(
    builder: ClientBuilder,
    config: &PrometheusConfig,
    url: &Url,
) -> Result<ClientBuilder, PrometheusError> {
    const KEY: &str = "source.prometheus.ca_file";
    match &config.ca_file {
        Some(path) => {
            let pem = read(path, KEY)?;
            let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| {
                PrometheusError::Setting { key: KEY.to_owned(), problem: with_causes(&error) }
            })?;
            Ok(builder.tls_certs_only(certificates))
        }
        // Plain HTTP must work where the system has no certificates, as in an image with nothing else in it.
        None if url.scheme() == "http" => Ok(builder.tls_certs_only([])),
        None => Ok(builder),
    }
}

fn headers(config: &PrometheusConfig) -> Result<HeaderMap, PrometheusError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        let key = || format!("source.prometheus.headers.{name}");
        let refuse = |problem: String| PrometheusError::Setting { key: key(), problem };
        let header = HeaderName::try_from(name).map_err(|error| refuse(error.to_string()))?;
        let value = HeaderValue::from_str(value.reveal());
        let mut value = value.map_err(|error| refuse(error.to_string()))?;
        // Some gateways take a key in a header of their own.
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    if let Some((key, credentials)) = credentials(config)? {
        let mut value = HeaderValue::from_str(&credentials).map_err(|error| {
            PrometheusError::Setting { key: key.to_owned(), problem: error.to_string() }
        })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// The value of the `Authorization` header and the key it comes from.
fn credentials(
    config: &PrometheusConfig,
) -> Result<Option<(&'static str, String)>, PrometheusError> {
    const TOKEN_FILE: &str = "source.prometheus.bearer_token_file";
    const PASSWORD_FILE: &str = "source.prometheus.basic_auth.password_file";
    match (&config.bearer_token, &config.bearer_token_file, &config.basic_auth) {
        (None, None, None) => Ok(None),
        (Some(token), None, None) => {
            Ok(Some(("source.prometheus.bearer_token", format!("Bearer {}", token.reveal()))))
        }
        (None, Some(path), None) => {
            Ok(Some((TOKEN_FILE, format!("Bearer {}", read(path, TOKEN_FILE)?.trim()))))
        }
        (None, None, Some(basic)) => {
            let password = read(&basic.password_file, PASSWORD_FILE)?;
            let pair = format!("{}:{}", basic.username, password.trim_end_matches(['\r', '\n']));
            Ok(Some((PASSWORD_FILE, format!("Basic {}", base64_of(&pair)))))
        }
        _ => Err(PrometheusError::SeveralCredentials),
    }
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn read(path: &Path, key: &'static str) -> Result<String, PrometheusError> {
    std::fs::read_to_string(path).map_err(|source| PrometheusError::File {
        path: path.to_owned(),
        key,
        source,
    })
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

    #[test]
    fn credentials_in_an_address_are_not_shown() {
        assert_eq!(
            without_credentials("https://me:secret@example.org/prom/"),
            "https://example.org/prom"
        );
        assert_eq!(without_credentials("not an address"), "not an address");
        assert_eq!(without_credentials("http://me:secret@no host/"), "no host/");
    }
}
