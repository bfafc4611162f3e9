//! Who may use the public API, and how much of it.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::num::NonZeroU32;
use thiserror::Error;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use crate::limits::exhausted;
use crate::reloaded::{ReloadError, Reloaded};

const LOOK_EVERY: Duration = Duration::from_secs(10);
/// A shorter token can be guessed.
const LEAST_CHARACTERS: usize = 16;
const HEADER: &str = "authorization";
const SCHEME: &str = "Bearer ";

/// Who may use the public API, and how much of it; see `docs/security.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// File with the tokens that are accepted, one a line; absent means that none is asked for.
    pub token_file: Option<PathBuf>,
    /// Calls a minute, all clients together; 0 for any number.
    pub requests_per_minute: u32,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self { token_file: None, requests_per_minute: 300 }
    }
}

/// Why a token or a file with tokens cannot be used.
#[derive(Debug, Error)]
#[error("there is no token that can be used in the token file")]
pub struct TokenError(#[source] TokenProblem);

#[derive(Debug, Error)]
#[error(transparent)]
struct TokenProblem(#[from] ReloadError<BadTokens>);

#[derive(Debug, Error)]
enum BadTokens {
    #[error("it holds none; write at least one, one a line")]
    None,
    #[error(
        "the token in line {0} has a character that no header can have, or fewer than {LEAST_CHARACTERS}; make one with `openssl rand -hex 32`"
    )]
    Token(usize),
}

/// The tokens of one file, one a line, as it was at the last look.
fn tokens(contents: &[Vec<u8>; 1]) -> Result<Vec<MetadataValue<Ascii>>, BadTokens> {
    let mut tokens = Vec::new();
    for (index, line) in contents[0].split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        let usable = line.len() >= LEAST_CHARACTERS && line.iter().all(u8::is_ascii_graphic);
        let header = [SCHEME.as_bytes(), line].concat();
        let header = MetadataValue::try_from(header.as_slice()).ok().filter(|_| usable);
        tokens.push(header.ok_or(BadTokens::Token(index + 1))?);
    }
    if tokens.is_empty() { Err(BadTokens::None) } else { Ok(tokens) }
}

/// Digests, so that a comparison takes as long whatever is sent, and no token stays in memory.
fn digests(contents: &[Vec<u8>; 1]) -> Result<Vec<[u8; 32]>, BadTokens> {
    Ok(tokens(contents)?.iter().map(|header| digest(header.as_bytes())).collect())
}

fn digest(header: &[u8]) -> [u8; 32] {
    Sha256::digest(header).into()
}

/// Whether both are the same, found out in a time that does not depend on where they differ.
fn same(left: &[u8; 32], right: &[u8; 32]) -> bool {
    let differing = left.iter().zip(right).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(differing) == 0
}

/// Lets calls to the public API through that have a right to it, as many as may be.
#[derive(Clone)]
pub struct ApiGuard(Arc<Guard>);

struct Guard {
    tokens: Option<Reloaded<Vec<[u8; 32]>, BadTokens, 1>>,
    rate: Option<(u32, DefaultDirectRateLimiter)>,
}

impl ApiGuard {
    /// The guard that `config` wants. The token file is read again when it changes.
    ///
    /// Fails when the token file cannot be read or holds no token that can be used.
    pub fn open(config: &ApiConfig) -> Result<Self, TokenError> {
        Self::looking_every(config, LOOK_EVERY)
    }

    fn looking_every(config: &ApiConfig, every: Duration) -> Result<Self, TokenError> {
        let open = |path: &PathBuf| Reloaded::open([path.clone()], every, digests);
        let tokens = config.token_file.as_ref().map(open).transpose();
        let tokens = tokens.map_err(|error| TokenError(error.into()))?;
        let rate = NonZeroU32::new(config.requests_per_minute).map(|per_minute| {
            (per_minute.get(), DefaultDirectRateLimiter::direct(Quota::per_minute(per_minute)))
        });
        Ok(Self(Arc::new(Guard { tokens, rate })))
    }

    /// Whether a token is asked for.
    #[must_use]
    pub fn asks_for_tokens(&self) -> bool {
        self.0.tokens.is_some()
    }

    fn check_token<M>(&self, request: &Request<M>) -> Result<(), Status> {
        let Some(accepted) = &self.0.tokens else { return Ok(()) };
        let Some(sent) = request.metadata().get(HEADER) else {
            return Err(Status::unauthenticated(
                "a token is asked for; send it as the header `authorization: Bearer TOKEN`",
            ));
        };
        let sent = digest(sent.as_bytes());
        // All are compared, whichever it is.
        let known = accepted.current().iter().fold(false, |known, one| known | same(one, &sent));
        if known {
            return Ok(());
        }
        Err(Status::unauthenticated(
            "the token is not accepted; send one of `api.token_file` as the header `authorization: Bearer TOKEN`",
        ))
    }

    fn check_rate(&self) -> Result<(), Status> {
        let Some((per_minute, rate)) = &self.0.rate else { return Ok(()) };
        let Err(early) = rate.check() else { return Ok(()) };
        let after = early.wait_time_from(DefaultClock::default().now());
        let seconds = after.as_secs() + 1;
        Err(exhausted(
            format!(
                "more than {per_minute} calls a minute (`api.requests_per_minute`); try again in {seconds} s"
            ),
            Duration::from_secs(seconds),
        ))
    }
}

impl Interceptor for ApiGuard {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        // First the token: who has none takes nothing away from those who have one.
        self.check_token(&request)?;
        self.check_rate()?;
        Ok(request)
    }
}

impl fmt::Debug for ApiGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tokens = self.0.tokens.as_ref().map(Reloaded::names);
        f.debug_struct("ApiGuard").field("token_file", &tokens).finish_non_exhaustive()
    }
}

/// Sends a token with every call, where there is one.
#[derive(Clone, Default)]
pub struct Token(Option<Arc<Reloaded<MetadataValue<Ascii>, BadTokens, 1>>>);

impl Token {
    /// The first token in `file`, which is read again when it changes; without a file none is sent.
    ///
    /// Fails when the file cannot be read or holds no token that can be used.
    pub fn open(file: Option<&PathBuf>) -> Result<Self, TokenError> {
        let open = |path: &PathBuf| Reloaded::open([path.clone()], LOOK_EVERY, first_token);
        let token = file.map(open).transpose().map_err(|error| TokenError(error.into()))?;
        Ok(Self(token.map(Arc::new)))
    }
}

fn first_token(contents: &[Vec<u8>; 1]) -> Result<MetadataValue<Ascii>, BadTokens> {
    let mut first = tokens(contents)?.into_iter().next().ok_or(BadTokens::None)?;
    first.set_sensitive(true);
    Ok(first)
}

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert(HEADER, MetadataValue::clone(&token.current()));
        }
        Ok(request)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "a token" } else { "no token" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::StatusExt;

    const OLD: &str = "0123456789abcdef0123456789abcdef";
    const NEW: &str = "fedcba9876543210fedcba9876543210";

    fn guard(tokens: &str, requests_per_minute: u32) -> (tempfile::NamedTempFile, ApiGuard) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), tokens).unwrap();
        let config = ApiConfig { token_file: Some(file.path().to_owned()), requests_per_minute };
        let guard = ApiGuard::looking_every(&config, Duration::ZERO).unwrap();
        (file, guard)
    }

    fn call(guard: &ApiGuard, header: Option<&str>) -> Result<(), Status> {
        let mut request = Request::new(());
        if let Some(header) = header {
            request.metadata_mut().insert(HEADER, header.parse().unwrap());
        }
        guard.clone().call(request).map(drop)
    }

    #[test]
    fn each_token_of_the_file_is_accepted_and_nothing_else() {
        let (_file, guard) = guard(&format!("{OLD}\n\n {NEW} \n"), 0);
        for token in [OLD, NEW] {
            call(&guard, Some(&format!("Bearer {token}"))).unwrap();
        }
        let longer = format!("Bearer {OLD}x");
        for header in [None, Some(OLD), Some("Basic abc"), Some("Bearer "), Some(longer.as_str())] {
            let status = call(&guard, header).unwrap_err();
            assert_eq!(status.code(), tonic::Code::Unauthenticated, "{header:?}");
            assert!(status.message().contains("authorization: Bearer TOKEN"), "{status:?}");
            assert!(!status.message().contains(OLD), "{status:?}");
        }
    }

    #[test]
    fn a_token_is_withdrawn_by_changing_the_file_and_an_emptied_one_changes_nothing() {
        let (file, guard) = guard(OLD, 0);
        std::fs::write(file.path(), NEW).unwrap();
        call(&guard, Some(&format!("Bearer {NEW}"))).unwrap();
        call(&guard, Some(&format!("Bearer {OLD}"))).unwrap_err();
        std::fs::write(file.path(), "").unwrap();
        call(&guard, Some(&format!("Bearer {NEW}"))).unwrap();
        call(&guard, None).unwrap_err();
    }

    #[test]
    fn a_file_without_a_token_that_can_be_used_is_refused_without_showing_it() {
        for content in ["", "short", "0123456789 abcdef0123", "0123456789abcdef\u{7f}"] {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), content).unwrap();
            let config =
                ApiConfig { token_file: Some(file.path().to_owned()), ..ApiConfig::default() };
            let message = crate::with_causes(&ApiGuard::open(&config).unwrap_err());
            assert!(message.contains("one a line") || message.contains("line 1"), "{message}");
            assert!(content.is_empty() || !message.contains(content), "{message}");
        }
    }

    #[test]
    fn more_calls_than_a_minute_may_have_are_told_when_to_come_back() {
        let (_file, guard) = guard(OLD, 2);
        let header = format!("Bearer {OLD}");
        call(&guard, None).unwrap_err();
        call(&guard, Some(&header)).unwrap();
        call(&guard, Some(&header)).unwrap();
        let status = call(&guard, Some(&header)).unwrap_err();
        assert_eq!(status.code(), tonic::Code::ResourceExhausted);
        let retry = status.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert!((1..=31).contains(&retry.as_secs()), "{retry:?}");
        assert!(status.message().contains("api.requests_per_minute"), "{status:?}");
    }

    #[test]
    fn no_token_is_shown() {
        let (file, guard) = guard(OLD, 2);
        let token = Token::open(Some(&file.path().to_owned())).unwrap();
        let request = token.clone().call(Request::new(())).unwrap();
        let sent = request.metadata().get(HEADER).unwrap();
        assert_eq!(sent.as_bytes(), format!("Bearer {OLD}").as_bytes());
        let shown = format!("{token:?} {guard:?} {request:?} {:?}", ApiConfig::default());
        assert!(!shown.contains(OLD), "{shown}");
    }
}
