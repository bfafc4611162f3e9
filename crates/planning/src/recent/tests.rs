use mora_core::{Quantile, RequestRecord, Rung, SignalForecast, Skill, Step};

use super::*;

const DAY: i64 = 1440;

fn now() -> Timestamp {
    Timestamp::from_second(1_700_006_400 + 12 * 3600).unwrap()
}

/// The request rate of `days` until now, by minutes from now on, which are below 0.
fn rates(days: i64, rate: impl Fn(i64) -> Option<f64>) -> BTreeMap<Signal, Series> {
    let start = now() - SignedDuration::from_mins(days * DAY);
    let values = (-days * DAY..0).map(rate).collect();
    [(Signal::RequestRate, Series::new(start, Step::MINUTE, values).unwrap())].into()
}

fn of(days: i64, rate: impl Fn(i64) -> f64) -> Option<RecentLoad> {
    RecentLoad::of(&rates(days, |minute| Some(rate(minute))), now())
}

/// Ten requests per second, more in the hour before now as `last` says.
fn since(last: impl Fn(i64) -> f64) -> impl Fn(i64) -> f64 {
    move |minute| if minute >= -60 { last(minute) } else { 10.0 }
}

#[test]
fn five_minutes_of_the_last_hour_are_enough_also_when_they_are_over() {
    for begins in [-5, -40, -60] {
        let burst = move |minute| if (begins..begins + 5).contains(&minute) { 30.0 } else { 2.0 };
        let recent = of(8, since(burst)).unwrap();
        assert_eq!(recent, RecentLoad { highest: 30.0, usual: 10.0 });
        assert_eq!(recent.factor(), Some(3.0));
    }
    let minute = |minute| if minute == -3 { 50.0 } else { 10.0 };
    let spread = RecentLoad { highest: 18.0, usual: 10.0 };
    assert_eq!(of(8, since(minute)), Some(spread), "a minute is spread over five");
}

#[test]
fn what_the_same_hour_of_a_day_before_had_is_usual() {
    let at = |day: i64, around: std::ops::Range<i64>| {
        move |minute: i64| {
            let before = around.contains(&(minute + day * DAY));
            if minute >= -60 || before { 30.0 } else { 10.0 }
        }
    };
    for (day, around) in [(1, -60..0), (7, -90..-85), (3, 20..30)] {
        assert_eq!(of(8, at(day, around.clone())).unwrap().factor(), None, "{day} {around:?}");
    }
    for (day, around) in [(8, -60..0), (1, 40..300)] {
        assert_eq!(
            of(10, at(day, around.clone())).unwrap().factor(),
            Some(3.0),
            "{day} {around:?}"
        );
    }
}

#[test]
fn a_little_more_is_no_news_and_no_factor_is_above_ten() {
    let factor = |rate| of(8, since(move |_| rate)).unwrap().factor();
    assert_eq!((factor(2.0), factor(12.5), factor(13.0)), (None, None, Some(1.3)));
    assert_eq!(factor(5000.0), Some(10.0));
}

#[test]
fn two_days_are_needed_and_something_in_them() {
    assert_eq!(of(1, |_| 10.0), None);
    assert!(of(2, |_| 10.0).is_some());
    assert_eq!(of(8, since(|_| 5.0)).map(|recent| recent.usual), Some(10.0));
    assert_eq!(of(8, |minute| if minute >= -60 { 10.0 } else { 0.0 }), None);
    let unseen = rates(8, |minute| (minute < -60).then_some(10.0));
    assert_eq!(RecentLoad::of(&unseen, now()), None);
}

#[test]
fn cpu_stands_in_for_a_rate_that_nothing_measures() {
    let rate = rates(8, |minute| Some(if minute >= -60 { 30.0 } else { 10.0 }));
    let cpu = [(Signal::Cpu, rate[&Signal::RequestRate].clone())].into();
    assert_eq!(RecentLoad::of(&cpu, now()).unwrap().factor(), Some(3.0));
    let even = rates(8, |_| Some(10.0)).remove(&Signal::RequestRate).unwrap();
    let both = [(Signal::Cpu, rate[&Signal::RequestRate].clone()), (Signal::RequestRate, even)];
    assert_eq!(RecentLoad::of(&both.into(), now()).unwrap().factor(), None);
}

fn signal(value: f64) -> SignalForecast {
    SignalForecast {
        paths: [0.5, 0.99].map(|q| (Quantile::new(q).unwrap(), vec![value; 5])).into(),
        requests: vec![value; 5],
        request_records: vec![RequestRecord { price: 80.0, overhead: 1.3, above: 0.01, days: 7 }],
        rung: Rung::Ensemble,
        members: Vec::new(),
        skill: Skill { pinball_ratio: None, origins: 0 },
        confidence: None,
    }
}

#[test]
fn cpu_grows_with_the_load_by_its_slope_and_the_growth_fades() {
    let mut forecast = Forecast {
        workload: "shop/cart".parse().unwrap(),
        model_version: "v1".to_owned(),
        start: now(),
        slot: Step::HOUR,
        data_until: now(),
        replicas: 1,
        signals: [(Signal::Cpu, signal(1.0)), (Signal::RequestRate, signal(10.0))].into(),
        warnings: Vec::new(),
    };
    raise(&mut forecast, LoadToCpu::Slope(0.05), &[3.0, 3.0, 2.0, 1.5, 1.25]);
    assert_eq!(forecast.signals[&Signal::Cpu].requests, [2.0, 2.0, 1.5, 1.25, 1.125]);
    let rate = &forecast.signals[&Signal::RequestRate].paths;
    assert!(rate.values().all(|path| path == &[30.0, 30.0, 20.0, 15.0, 12.5]));
}
