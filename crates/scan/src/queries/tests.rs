use super::*;

fn settings(dialect: Dialect) -> QuerySettings {
    QuerySettings {
        dialect,
        at: "2026-11-26T09:30:15.5Z".parse().unwrap(),
        lookback: SignedDuration::from_hours(168),
        step: Step::from_seconds(300).unwrap(),
        scrape_interval: Step::MINUTE,
        cpu_quantile: 0.995,
        hours: None,
        cluster: None,
        oom_kills: false,
    }
}

const KRR: Dialect = Dialect::KrrSimple { points_required: 100 };

fn promql(settings: &QuerySettings, subject: Subject, of: Of) -> String {
    settings.query(subject, of, r#"namespace="shop""#).promql
}

#[test]
fn our_percentile_is_not_cut_and_nothing_is_grouped_without_need() {
    let own = settings(Dialect::Own);
    assert_eq!(
        promql(&own, Subject::Cpu, Of::Series),
        r#"quantile_over_time(0.995,rate(container_cpu_usage_seconds_total{namespace="shop",container!="",container!="POD"}[300s])[604800s:300s])"#
    );
    assert_eq!(
        promql(&own, Subject::Cpu, Of::Container),
        r#"quantile_over_time(0.995,(max by (namespace,pod,container) (rate(container_cpu_usage_seconds_total{namespace="shop",container!="",container!="POD"}[300s])))[604800s:300s])"#
    );
    let slow = QuerySettings { scrape_interval: Step::from_seconds(120).unwrap(), ..own };
    assert!(promql(&slow, Subject::Cpu, Of::Series).contains("[480s]"));
}

#[test]
fn hours_and_clusters_are_conditions_of_every_query() {
    let narrow = QuerySettings {
        hours: Some("Mon 08-18".parse().unwrap()),
        cluster: Some(("cluster".to_owned(), r#"a"b"#.to_owned())),
        ..settings(Dialect::Own)
    };
    let cpu = promql(&narrow, Subject::Cpu, Of::Container);
    assert!(cpu.contains(r#"cluster="a\"b""#) && cpu.contains("and on ()"), "{cpu}");
    assert_eq!(narrow.end().to_string(), "2026-11-26T09:00:00Z");
    assert!((narrow.counted_hours() - 10.0).abs() < 1e-9);
    assert_eq!(settings(Dialect::Own).end().to_string(), "2026-11-26T09:30:15Z");
}

#[test]
fn slots_cover_the_lookback_and_are_never_many() {
    let slots = |hours| {
        let lookback = SignedDuration::from_hours(hours);
        let settings = QuerySettings { lookback, ..settings(Dialect::Own) };
        let query = settings.query(Subject::MemorySlots, Of::Container, "");
        let Span::Range { start, end, step } = query.span else { panic!("{query:?}") };
        let covered = end.duration_since(start) + step.times(1);
        (covered.as_hours(), covered.as_secs() / i64::from(step.seconds()))
    };
    assert_eq!(slots(1), (1, 1));
    assert_eq!(slots(168), (168, 168));
    assert_eq!(slots(24 * 30), (720, 360));
}

#[test]
fn krr_rounds_percentiles_and_cuts_times() {
    let krr = |quantile, minutes| {
        let lookback = SignedDuration::from_mins(minutes);
        let settings = QuerySettings { cpu_quantile: quantile, lookback, ..settings(KRR) };
        promql(&settings, Subject::Cpu, Of::Series)
    };
    assert!(krr(0.995, 180).contains("quantile_over_time(0.99,"), "{}", krr(0.995, 180));
    assert!(krr(0.5, 180).contains("quantile_over_time(0.5,"));
    assert!(krr(1.0, 180).contains("quantile_over_time(1,"));
    assert!(krr(0.95, 185).contains("[185m:300s]"));
    assert!(krr(0.95, 24 * 60).contains("[1440m:300s]"));
    assert!(krr(0.95, 36 * 60).contains("[1d:300s]"));
}

#[test]
fn points_are_counted_at_some_of_the_steps_as_long_as_they_are_enough() {
    let asked = |subject, hours| {
        let lookback = SignedDuration::from_hours(hours);
        promql(&QuerySettings { lookback, ..settings(KRR) }, subject, Of::Series)
    };
    let ends = |text: String, end: &str| assert!(text.ends_with(end), "{text}");
    ends(asked(Subject::MemoryPointsAtLeast, 3), "[180m:300s])");
    ends(asked(Subject::MemoryPointsAtLeast, 24 * 14), "[14d:3600s])");
    ends(asked(Subject::CpuPointsAtLeast, 3), "[10800s:300s])");
    ends(asked(Subject::CpuPointsAtLeast, 36), "[60000s:300s])");
    ends(asked(Subject::CpuPointsAtLeast, 24 * 14), "[60000s:300s])");
}

#[test]
fn texts_between_quotes_cannot_end_them() {
    assert_eq!(one_of(["a.b", "c-d", "e|f"]), r"a\\.b|c-d|e\\|f");
    assert_eq!(escaped("a\"b\\c\nd"), r#"a\"b\\c\nd"#);
}
