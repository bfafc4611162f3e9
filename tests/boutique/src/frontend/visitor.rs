//! Who visits: the cookies of a browser, and what is kept of its visit.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::response::AppendHeaders;

use crate::bounded::Bounded;
use crate::exchange::is_offered;
use crate::generated_names::identifier;

const SESSION: &str = "shop_session-id";
const CURRENCY: &str = "shop_currency";
/// How long a browser keeps them, in seconds: two days.
const KEPT: u32 = 172_800;
/// Visits that are kept.
const VISITS: usize = 10_000;
/// What is kept of each, in bytes.
const VISIT: usize = 1024;

/// A header that sets a cookie.
pub(super) type SetCookies<const N: usize> = AppendHeaders<[(HeaderName, String); N]>;

/// The browser that asks.
#[derive(Debug)]
pub(super) struct Visitor {
    /// What its cookie says, or a new one.
    pub(super) session: String,
    /// ISO 4217; US dollars unless its cookie names another that is offered.
    pub(super) currency: String,
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(&parts.headers))
    }
}

impl Visitor {
    fn of(headers: &HeaderMap) -> Self {
        let session = cookie(headers, SESSION).filter(|id| is_session(id)).map(str::to_owned);
        let currency = cookie(headers, CURRENCY).filter(|code| is_offered(code)).unwrap_or("USD");
        Self { session: session.unwrap_or_else(identifier), currency: currency.to_owned() }
    }

    /// The header that lets the browser keep its session.
    pub(super) fn session_cookie(&self) -> SetCookies<1> {
        AppendHeaders([set(SESSION, &self.session, KEPT)])
    }

    /// The headers that let it keep its session and a currency.
    pub(super) fn cookies_with(&self, currency: &str) -> SetCookies<2> {
        AppendHeaders([set(SESSION, &self.session, KEPT), set(CURRENCY, currency, KEPT)])
    }

    /// The headers that let it forget both.
    pub(super) fn forgotten() -> SetCookies<2> {
        AppendHeaders([set(SESSION, "", 0), set(CURRENCY, "", 0)])
    }
}

fn set(name: &str, value: &str, seconds: u32) -> (HeaderName, String) {
    (SET_COOKIE, format!("{name}={value}; Path=/; Max-Age={seconds}"))
}

fn is_session(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && !text.is_empty()
}

fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs =
        pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
}

/// What the process keeps of its visitors: a kilobyte of each, of the last ten thousand.
#[derive(Debug)]
pub(super) struct Visits {
    kept: Mutex<Bounded<Vec<u8>>>,
    answers: AtomicU64,
}

impl Default for Visits {
    fn default() -> Self {
        Self { kept: Mutex::new(Bounded::new(VISITS)), answers: AtomicU64::new(0) }
    }
}

impl Visits {
    /// Keeps that `session` saw a page.
    pub(super) fn keep(&self, session: &str) {
        // Also after a panic elsewhere: a visit is kept by one call or not at all.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let pages = kept.get(session).and_then(|visit| visit.first()).copied().unwrap_or(0);
        kept.set(session, vec![pages.wrapping_add(1); VISIT]);
    }

    /// How many answers there have been, with this one.
    pub(super) fn count_answer(&self) -> u64 {
        self.answers.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitor(cookies: &str) -> Visitor {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookies.parse().unwrap());
        Visitor::of(&headers)
    }

    #[test]
    fn a_browser_is_known_by_its_cookies() {
        let known = visitor("a=b; shop_currency=EUR; shop_session-id=12ab-34");
        assert_eq!((known.session.as_str(), known.currency.as_str()), ("12ab-34", "EUR"));
    }

    #[test]
    fn cookies_that_are_none_of_ours_count_for_nothing() {
        let new = visitor("shop_currency=XXX; shop_session-id=<script>");
        assert_eq!((new.session.len(), new.currency.as_str()), (36, "USD"));
        assert_ne!(visitor("x").session, visitor("x").session);
    }
}
