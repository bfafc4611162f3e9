//! Whether the Prometheus answers, as what, and at what time.

use jiff::Timestamp;
use mora_runtime::with_causes;

use super::super::error::PrometheusError;
use super::{Finding, Patient, State};

/// Seconds by which two clocks may differ before it matters at steps of a minute.
const MOST_SKEW: f64 = 30.0;

impl Patient<'_> {
    /// What is found, and whether there is any sense in asking further.
    pub(super) async fn server(&self, now: fn() -> Timestamp) -> (Vec<Finding>, bool) {
        let before = now();
        let theirs = match self.metadata.time().await {
            Ok(theirs) => theirs,
            Err(error) => return (vec![unreachable(&error)], false),
        };
        let ours = before.as_millisecond().midpoint(now().as_millisecond()) as f64 / 1000.0;
        let reachable = Finding::good("reachable", None, "it answers queries".to_owned());
        (vec![reachable, self.version().await, clock(theirs - ours)], true)
    }

    async fn version(&self) -> Finding {
        let detail = match self.metadata.build_info().await {
            Ok(build) => {
                let application = Some(build.application.as_str()).filter(|name| !name.is_empty());
                format!("{} {}", application.unwrap_or("Prometheus"), build.version)
            }
            Err(_) => "it does not tell, as some that answer like Prometheus do not".to_owned(),
        };
        Finding::good("version", None, detail)
    }
}

fn clock(ahead: f64) -> Finding {
    let detail = format!("the clocks differ by {:.1} s", ahead.abs());
    if ahead.abs() <= MOST_SKEW {
        return Finding::good("clock", None, detail);
    }
    let fix = "let both machines follow a time server; until then the newest samples are missed or asked for too early";
    Finding::bad(State::Lacking, ("clock", None), detail, fix)
}

/// That nothing can be asked at all.
pub(super) fn unreachable(error: &PrometheusError) -> Finding {
    failed(State::Broken, ("reachable", None), error)
}

/// That something could not be asked; the message says what to do.
pub(super) fn failed(
    state: State,
    place: (&'static str, Option<String>),
    error: &PrometheusError,
) -> Finding {
    let text = with_causes(error);
    let (detail, fix) = text.split_once("; ").unwrap_or((&text, "read the log of Prometheus"));
    Finding::bad(state, place, detail.to_owned(), fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_may_differ_by_half_a_minute() {
        assert_eq!(clock(-29.0).state, State::Good);
        let late = clock(95.0);
        assert_eq!(late.state, State::Lacking);
        assert!(late.detail.contains("95.0 s") && late.fix.is_some());
    }

    #[test]
    fn what_a_message_says_to_do_is_the_fix() {
        let error = PrometheusError::Unauthorized { url: "http://p".to_owned() };
        let finding = unreachable(&error);
        assert_eq!((finding.check, finding.state), ("reachable", State::Broken));
        assert!(finding.detail.ends_with("(401)"), "{}", finding.detail);
        assert!(finding.fix.unwrap().contains("bearer_token_file"));
    }
}
