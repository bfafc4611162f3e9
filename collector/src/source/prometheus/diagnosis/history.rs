//! How far back usage is known, how dense it is, and whether it is still told.

use jiff::{SignedDuration, Timestamp};
use mora_core::Step;

use super::super::queries::Presence;
use super::server::failed;
use super::{Finding, Patient, State, named};
use crate::Lookback;

/// Instants at which the lookback is looked at.
const LOOKS: i64 = 200;
/// Window in which scrapes are counted, in seconds.
const COUNTED: u32 = 1800;

impl Patient<'_> {
    /// How far back `namespace` is known, and how often it is scraped.
    pub(super) async fn history(&self, namespace: &str) -> Vec<Finding> {
        let presence = Presence::default();
        let questions = self.questions(namespace, &presence);
        let promql = format!("count({})", questions.of("cpu").unwrap_or_default());
        let looks = looks(self.lookback);
        let place = || ("history", named(namespace));
        let seen = match self.api.range(&promql, &looks).await {
            Ok(answer) => answer,
            Err(error) => return vec![failed(State::Broken, place(), &error)],
        };
        let seen: Vec<f64> = seen.iter().flat_map(|s| &s.samples).map(|s| s.second).collect();
        let history = history(&seen, &looks, place());
        // What a query of one's own reads, and how often it is scraped, is not known.
        if self.config.queries.contains_key("cpu") || seen.is_empty() {
            return vec![history];
        }
        vec![history, self.scrapes(namespace).await]
    }

    async fn scrapes(&self, namespace: &str) -> Finding {
        let place = ("scrape_interval", named(namespace));
        let usage = r#"container_cpu_usage_seconds_total{namespace="$namespace",pod!="",container!="",container!="POD"}"#;
        // A container that is younger than the window has fewer scrapes in it, however often it is scraped.
        let promql = format!(
            "quantile(0.5, count_over_time({usage}[{COUNTED}s]) and {usage} offset {COUNTED}s)"
        );
        let presence = Presence::default();
        let promql = self.questions(namespace, &presence).filling.fill(&promql);
        match self.api.instant(&promql, self.lookback.to).await {
            Err(error) => failed(State::Lacking, place, &error),
            Ok(answer) => {
                let count = answer.first().and_then(|s| s.samples.last()).map_or(0.0, |s| s.value);
                let configured = self.config.scrape_interval_seconds;
                scrapes(count, configured, self.lookback.step, place)
            }
        }
    }
}

/// `lookback` at a few instants only.
fn looks(lookback: &Lookback) -> Lookback {
    let seconds = lookback.to.duration_since(lookback.from).as_secs() / LOOKS;
    let wide = u32::try_from(seconds).ok().and_then(Step::from_seconds).unwrap_or(Step::MINUTE);
    Lookback { step: wide.max(Step::MINUTE), ..*lookback }
}

fn history(seen: &[f64], looks: &Lookback, place: (&'static str, Option<String>)) -> Finding {
    let (Some(first), Some(last)) = (seen.first(), seen.last()) else {
        let detail = format!("no container usage from {} to {}", looks.from, looks.to);
        let fix =
            "check the namespace, and that Prometheus scrapes the kubelet's /metrics/cadvisor";
        return Finding::bad(State::Broken, place, detail, fix);
    };
    let hours = |from: f64, to: f64| (to - from) / 3600.0;
    let (from, to) = (looks.from.as_second() as f64, looks.to.as_second() as f64);
    let slack = f64::from(looks.step.seconds()) * 2.0 + 600.0;
    let (asked, reaches) = (hours(from, to), hours(*first, to));
    let share = 100.0 * seen.len() as f64 / looks.steps().max(1) as f64;
    if to - last > slack {
        let newest = Timestamp::from_second(*last as i64).unwrap_or(looks.to);
        let age = looks.to.duration_since(newest);
        let detail = format!("the newest usage is {} min old", SignedDuration::as_mins(&age));
        let fix = "look whether its containers still run and are scraped (targets page of Prometheus), or end the history there with --at";
        return Finding::bad(State::Lacking, place, detail, fix);
    }
    if first - from > slack {
        let detail = format!("usage reaches back {reaches:.1} h of the {asked:.0} h asked for");
        let fix = "keep samples longer (--storage.tsdb.retention.time), ask a long-term store, or lower lookback_hours; seasons of a week need two";
        return Finding::bad(State::Lacking, place, detail, fix);
    }
    Finding::good(place.0, place.1, format!("{asked:.0} h, of which {share:.0} % have usage"))
}

/// Judges `count` scrapes in the window against what is configured.
fn scrapes(
    count: f64,
    configured: u32,
    step: Step,
    place: (&'static str, Option<String>),
) -> Finding {
    if count < 2.0 {
        let detail = "too few samples at the end of the history to tell".to_owned();
        return Finding::good(place.0, place.1, detail);
    }
    // Whether both ends of a window belong to it depends on the version, so it is exact to one scrape.
    let (least, most) = (f64::from(COUNTED) / count, f64::from(COUNTED) / (count - 1.0));
    let about = most.round();
    let detail =
        format!("scraped about every {about:.0} s; scrape_interval_seconds is {configured}");
    let set = format!("set source.prometheus.scrape_interval_seconds to {about:.0} or more");
    if least * 2.0 > f64::from(configured) * 5.0 {
        return Finding::bad(
            State::Broken,
            place,
            detail,
            set + ": a rate over five needs two samples",
        );
    }
    if least > f64::from(configured) * 1.2 {
        return Finding::bad(State::Lacking, place, detail, set);
    }
    if least > f64::from(step.seconds()) * 1.2 {
        let detail = format!("{detail}, the step {} s", step.seconds());
        let fix =
            format!("set step_seconds to {about:.0} or more: a finer step only repeats samples");
        return Finding::bad(State::Lacking, place, detail, fix);
    }
    Finding::good(place.0, place.1, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookback(hours: i64) -> Lookback {
        let at = |second| Timestamp::from_second(second).unwrap();
        Lookback { from: at(0), to: at(hours * 3600), step: Step::MINUTE }
    }

    fn place() -> (&'static str, Option<String>) {
        ("x", None)
    }

    #[test]
    fn history_that_is_short_old_or_absent_is_told() {
        let looks = looks(&lookback(1000));
        assert_eq!(looks.steps(), 200);
        let at = |hours: &[i64]| hours.iter().map(|h| *h as f64 * 3600.0).collect::<Vec<_>>();
        let of = |hours: &[i64]| history(&at(hours), &looks, place());
        assert_eq!(of(&[0, 500, 995]).state, State::Good);
        assert!(of(&[900, 995]).detail.contains("100.0 h of the 1000 h"));
        assert!(of(&[0, 900]).detail.contains("6000 min old"));
        assert_eq!(of(&[]).state, State::Broken);
    }

    #[test]
    fn scrapes_are_compared_with_what_is_configured_and_with_the_step() {
        let of = |count, configured| scrapes(count, configured, Step::MINUTE, place());
        for count in [30.0, 31.0] {
            assert_eq!(of(count, 60).state, State::Good, "{count}");
            assert!(of(count, 30).fix.unwrap().contains("scrape_interval_seconds to 6"));
            assert_eq!(of(count, 15).state, State::Broken, "{count}");
        }
        assert!(of(15.0, 120).fix.unwrap().contains("step_seconds"));
        assert_eq!(of(120.0, 60).state, State::Good, "more than enough");
        assert_eq!(of(0.0, 60).state, State::Good, "nothing is known");
    }
}
