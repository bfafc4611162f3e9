//! The load of a scenario in the language of JMeter's open model.

use std::fmt::Write as _;

use mora_cluster_simulator::Demand;

use super::Clock;
use super::clock::seconds;

/// Visits an hour below which a schedule has no use for more digits; JMeter refuses a rate of nothing between two others.
const LEAST: f64 = 1.0;

/// A schedule of JMeter's open model in which visits arrive as `demand` says of `minutes` minutes of the clock, each making
/// `per_visit` requests of the entry on average; afterwards `pause` seconds for the last visits to end.
///
/// The rate is that of `demand` at every `every` minutes, and goes straight from one to the next.
#[must_use]
pub fn load_schedule(
    demand: &dyn Demand,
    clock: &Clock,
    (minutes, every): (usize, usize),
    per_visit: f64,
    pause: f64,
) -> String {
    let every = every.max(1);
    let rate = |minute: usize| {
        let second = seconds(clock.start()) + minute as f64 * 60.0;
        (demand.rate(second) / per_visit * 3600.0).max(LEAST)
    };
    let mut schedule = format!("rate({:.2}/hour)", rate(0));
    for from in (0..minutes).step_by(every) {
        let to = (from + every).min(minutes);
        let takes = clock.minute(to).0 - clock.minute(from).0;
        // Writing to a String does not fail.
        let _always =
            write!(schedule, " random_arrivals({takes:.3} sec) rate({:.2}/hour)", rate(to));
    }
    let _always = write!(schedule, " pause({pause:.0} sec)");
    schedule
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn visits_follow_the_demand_in_the_time_of_the_clock() {
        let at = |text: &str| text.parse().unwrap();
        let start = "2026-03-03T00:00:00Z";
        let clock = Clock::new(at("2026-11-26T10:00:00Z"), at(start), 60.0).unwrap();
        let origin = seconds(clock.start());
        let demand = move |second: f64| 4.8 * (1.0 + (second - origin) / 1800.0);
        let schedule = load_schedule(&demand, &clock, (45, 30), 4.8, 5.0);
        let expected = "rate(3600.00/hour) random_arrivals(30.000 sec) rate(7200.00/hour) random_arrivals(15.000 sec) rate(9000.00/hour) pause(5 sec)";
        assert_eq!(schedule, expected);
        let silence = load_schedule(&|_| 0.0, &clock, (30, 30), 4.8, 5.0);
        assert!(silence.starts_with("rate(1.00/hour)"), "{silence}");
    }
}
