//! From rows to figures.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::empirical_quantile;

use super::goals::goals;
use super::{
    AtEqualRisk, Comparison, CostAtRisk, FrontierPoint, INDICATORS, Indicator, Overall, REFERENCES,
    SCHEMA, ScenarioComparison, Summary, Versus,
};
use crate::statistics::{Bootstrap, EqualRisk, Interval, RiskPoint, cost_at, holm, wilcoxon};
use crate::{AS_IT_IS, ArmName, Metrics, ResultRow, SIMULATED};

/// Runs of one scenario: by arm, margin and seed.
type Runs<'a> = BTreeMap<ArmName, BTreeMap<u32, BTreeMap<u64, &'a Metrics>>>;

pub(super) fn comparison(rows: &[ResultRow], bootstrap: &mut Bootstrap) -> Comparison {
    let grouped = grouped(rows);
    let mut comparison = Comparison {
        schema: SCHEMA.to_owned(),
        confidence: bootstrap.confidence(),
        resamples: bootstrap.resamples(),
        runs: grouped
            .values()
            .flat_map(BTreeMap::values)
            .flat_map(BTreeMap::values)
            .map(BTreeMap::len)
            .sum(),
        provenance: provenance(rows),
        scenarios: BTreeMap::new(),
        measured: BTreeMap::new(),
        overall: overall(&grouped),
    };
    for ((environment, name), runs) in &grouped {
        let compared = scenario(environment, runs, bootstrap);
        if *environment == SIMULATED {
            comparison.scenarios.insert((*name).to_owned(), compared);
        } else if comparison.measured.contains_key(*name) {
            comparison.measured.insert(format!("{name}@{environment}"), compared);
        } else {
            comparison.measured.insert((*name).to_owned(), compared);
        }
    }
    comparison
}

fn grouped(rows: &[ResultRow]) -> BTreeMap<(&str, &str), Runs<'_>> {
    let mut grouped: BTreeMap<(&str, &str), Runs<'_>> = BTreeMap::new();
    for ResultRow { key, metrics, provenance } in rows {
        let of_scenario = grouped.entry((&provenance.environment, &key.scenario)).or_default();
        let of_arm = of_scenario.entry(key.arm).or_default();
        of_arm.entry(key.margin_thousandths).or_default().insert(key.seed, metrics);
    }
    grouped
}

fn provenance(rows: &[ResultRow]) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for ResultRow { provenance, .. } in rows {
        let own = [
            ("version", &provenance.version),
            ("commit", &provenance.commit),
            ("environment", &provenance.environment),
            ("configuration", &provenance.configuration),
        ];
        let facts = provenance.facts.iter().map(|(name, value)| (name.as_str(), value));
        for (name, value) in own.into_iter().chain(facts).filter(|(_, value)| !value.is_empty()) {
            all.entry(name.to_owned()).or_default().insert(value.clone());
        }
    }
    all
}

fn scenario(environment: &str, runs: &Runs<'_>, bootstrap: &mut Bootstrap) -> ScenarioComparison {
    let all = || runs.values().flat_map(BTreeMap::values);
    let mut compared = ScenarioComparison {
        environment: environment.to_owned(),
        hours: all().flat_map(BTreeMap::values).map(|metrics| metrics.hours).fold(0.0, f64::max),
        seeds: all().flat_map(BTreeMap::keys).copied().collect(),
        arms: BTreeMap::new(),
        frontiers: frontiers(runs, bootstrap),
        equal_risk: equal_risk(runs, bootstrap),
        goals: BTreeMap::new(),
    };
    for indicator in &INDICATORS {
        for (arm, summary) in summaries(runs, indicator, bootstrap) {
            compared.arms.entry(arm).or_default().insert(indicator.name.to_owned(), summary);
        }
    }
    compared.goals = goals(&compared);
    compared
}

/// What is known of an indicator, by seed, of an arm as it is.
fn values(runs: &Runs<'_>, arm: ArmName, indicator: &Indicator) -> BTreeMap<u64, f64> {
    let of_arm = runs.get(&arm).and_then(|margins| margins.get(&AS_IT_IS));
    let known = of_arm.into_iter().flatten();
    known.filter_map(|(seed, metrics)| Some((*seed, (indicator.of)(metrics)?))).collect()
}

/// Values of an arm and a reference at the seeds that both have.
fn pairs(of: &BTreeMap<u64, f64>, reference: &BTreeMap<u64, f64>) -> Vec<(f64, f64)> {
    of.iter().filter_map(|(seed, value)| Some((*value, *reference.get(seed)?))).collect()
}

fn summaries(
    runs: &Runs<'_>,
    indicator: &Indicator,
    bootstrap: &mut Bootstrap,
) -> BTreeMap<ArmName, Summary> {
    let known = runs.keys().map(|&arm| (arm, values(runs, arm, indicator)));
    let known: BTreeMap<_, _> = known.filter(|(_, values)| !values.is_empty()).collect();
    let mut summaries: BTreeMap<_, _> = known
        .iter()
        .map(|(&arm, values)| {
            (arm, summary(&values.values().copied().collect::<Vec<_>>(), bootstrap))
        })
        .collect();
    for reference in REFERENCES {
        let Some(of_reference) = known.get(&reference) else { continue };
        let others = known.iter().filter(|(arm, _)| **arm != reference);
        let paired = others.map(|(&arm, values)| (arm, pairs(values, of_reference)));
        let paired: Vec<_> = paired.filter(|(_, pairs)| !pairs.is_empty()).collect();
        let mut all: Vec<Versus> =
            paired.iter().map(|(_, pairs)| versus(pairs, bootstrap)).collect();
        let adjusted = holm(&all.iter().map(|versus| versus.p).collect::<Vec<_>>());
        all.iter_mut().zip(adjusted).for_each(|(versus, p)| versus.p_holm = p);
        for ((arm, _), versus) in paired.iter().zip(all) {
            summaries.entry(*arm).and_modify(|summary| {
                summary.versus.insert(reference, versus);
            });
        }
    }
    summaries
}

fn summary(values: &[f64], bootstrap: &mut Bootstrap) -> Summary {
    let Interval { mean, lower, upper } = bootstrap.mean(values);
    Summary {
        runs: values.len(),
        mean,
        lower,
        upper,
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        versus: BTreeMap::new(),
    }
}

fn versus(pairs: &[(f64, f64)], bootstrap: &mut Bootstrap) -> Versus {
    let differences: Vec<f64> = pairs.iter().map(|(of, reference)| of - reference).collect();
    let sums = |places: &[u32]| {
        let chosen = places.iter().map(|&place| pairs[place as usize]);
        chosen.fold((0.0, 0.0), |(of, reference), (a, b)| (of + a, reference + b))
    };
    let ratio = bootstrap.of(pairs.len(), |places| {
        let (of, reference) = sums(places);
        if reference > 0.0 { of / reference } else { f64::INFINITY }
    });
    let test = wilcoxon(&differences);
    Versus {
        pairs: pairs.len(),
        difference: bootstrap.mean(&differences),
        ratio: ratio.mean.is_finite().then_some(ratio),
        p: test.p,
        p_holm: test.p,
    }
}

fn frontiers(runs: &Runs<'_>, bootstrap: &mut Bootstrap) -> BTreeMap<ArmName, Vec<FrontierPoint>> {
    let several = runs.iter().filter(|(_, margins)| margins.len() > 1);
    several
        .map(|(&arm, margins)| {
            let points = margins.iter().map(|(&margin_thousandths, seeds)| {
                let mut of = |figure: fn(&Metrics) -> f64| {
                    let values: Vec<f64> = seeds.values().map(|metrics| figure(metrics)).collect();
                    bootstrap.mean(&values)
                };
                FrontierPoint {
                    margin_thousandths,
                    cpu_hours_requested: of(|metrics| metrics.cpu_hours_requested),
                    violations: of(|metrics| metrics.violations),
                    cpu_under: of(|metrics| metrics.cpu_under),
                }
            });
            (arm, points.collect())
        })
        .collect()
}

/// Points of one margin, by seed.
type Points = Vec<RiskPoint>;

fn equal_risk(runs: &Runs<'_>, bootstrap: &mut Bootstrap) -> BTreeMap<ArmName, AtEqualRisk> {
    let Some(of_baseline) = runs.get(&ArmName::Baseline) else { return BTreeMap::new() };
    let mut compared = BTreeMap::new();
    for (&arm, margins) in runs {
        // A seed counts where both have run with it at every margin that they have.
        let both = || of_baseline.values().chain(margins.values());
        let all = both().flat_map(BTreeMap::keys).collect::<BTreeSet<_>>();
        let complete = all.into_iter().filter(|seed| both().all(|runs| runs.contains_key(seed)));
        let seeds: Vec<u64> = complete.copied().collect();
        if seeds.is_empty() || !of_baseline.contains_key(&AS_IT_IS) {
            continue;
        }
        let mut cost = |risk: fn(&Metrics) -> f64| {
            let point = |runs: &BTreeMap<u64, &Metrics>, seed: &u64| {
                let metrics = runs[seed];
                RiskPoint { cost: metrics.cpu_hours_requested, risk: risk(metrics) }
            };
            let of = |runs| seeds.iter().map(|seed| point(runs, seed)).collect::<Points>();
            let arm: Vec<Points> = margins.values().map(of).collect();
            let as_it_is = of(&of_baseline[&AS_IT_IS]);
            let baseline: Vec<Points> = of_baseline.values().map(of).collect();
            [at_risk_of(&as_it_is, &arm, bootstrap), at_one_percent(&baseline, &arm, bootstrap)]
        };
        let [violations, violations_one_percent] = cost(|metrics| metrics.violations);
        let [cpu_under, cpu_under_one_percent] = cost(|metrics| metrics.cpu_under);
        let costs =
            AtEqualRisk { violations, cpu_under, violations_one_percent, cpu_under_one_percent };
        compared.insert(arm, costs);
    }
    compared
}

/// What an arm costs at the risk of a reference, which moves with the seeds that are drawn.
fn at_risk_of(reference: &[RiskPoint], arm: &[Points], bootstrap: &mut Bootstrap) -> CostAtRisk {
    let found = |places: &[u32]| {
        let reference = mean(reference, places);
        (reference.risk, cost_of(arm, places, reference.risk), reference.cost)
    };
    cost_at_risk(reference.len(), found, bootstrap)
}

/// What an arm costs at a risk of a hundredth, by what a reference costs at it.
fn at_one_percent(reference: &[Points], arm: &[Points], bootstrap: &mut Bootstrap) -> CostAtRisk {
    const RISK: f64 = 0.01;
    let found = |places: &[u32]| {
        (RISK, cost_of(arm, places, RISK), cost_of(reference, places, RISK).cost())
    };
    cost_at_risk(arm.first().map_or(0, Vec::len), found, bootstrap)
}

fn cost_of(arm: &[Points], places: &[u32], risk: f64) -> EqualRisk {
    cost_at(&arm.iter().map(|points| mean(points, places)).collect::<Vec<_>>(), risk)
}

/// By what is found of seeds that are drawn: the risk, the cost at it, and that of the reference.
fn cost_at_risk(
    count: usize,
    found: impl Fn(&[u32]) -> (f64, EqualRisk, f64),
    bootstrap: &mut Bootstrap,
) -> CostAtRisk {
    let ratio = bootstrap.of(count, |places| {
        let (_, cost, reference) = found(places);
        if reference.is_finite() { cost.cost() / reference } else { f64::INFINITY }
    });
    let (risk, cost, _) = found(&(0..count as u32).collect::<Vec<_>>());
    CostAtRisk { risk, cost, ratio: ratio.mean.is_finite().then_some(ratio) }
}

fn mean(points: &[RiskPoint], places: &[u32]) -> RiskPoint {
    let chosen = places.iter().map(|&place| points[place as usize]);
    let (cost, risk) = chosen.fold((0.0, 0.0), |(c, r), point| (c + point.cost, r + point.risk));
    RiskPoint { cost: cost / places.len() as f64, risk: risk / places.len() as f64 }
}

fn overall(
    grouped: &BTreeMap<(&str, &str), Runs<'_>>,
) -> BTreeMap<ArmName, BTreeMap<String, BTreeMap<ArmName, Overall>>> {
    let simulated: Vec<&Runs<'_>> = grouped
        .iter()
        .filter(|((environment, _), _)| *environment == SIMULATED)
        .map(|(_, runs)| runs)
        .collect();
    let mut all: BTreeMap<_, BTreeMap<String, BTreeMap<_, _>>> = BTreeMap::new();
    for indicator in &INDICATORS {
        for reference in REFERENCES {
            let others = ArmName::ALL.into_iter().filter(|arm| *arm != reference);
            let found = others
                .filter_map(|arm| Some((arm, pooled(&simulated, arm, reference, indicator)?)));
            let mut found: Vec<(ArmName, Overall)> = found.collect();
            let adjusted = holm(&found.iter().map(|(_, overall)| overall.p).collect::<Vec<_>>());
            found.iter_mut().zip(adjusted).for_each(|((_, overall), p)| overall.p_holm = p);
            for (arm, overall) in found {
                let of_arm =
                    all.entry(arm).or_default().entry(indicator.name.to_owned()).or_default();
                of_arm.insert(reference, overall);
            }
        }
    }
    all
}

/// `None` where no scenario has both.
fn pooled(
    scenarios: &[&Runs<'_>],
    arm: ArmName,
    reference: ArmName,
    indicator: &Indicator,
) -> Option<Overall> {
    let mut balanced = Vec::new();
    let mut relative = Vec::new();
    for runs in scenarios {
        let pairs = pairs(&values(runs, arm, indicator), &values(runs, reference, indicator));
        let count = pairs.len() as f64;
        let of = pairs.iter().map(|(of, _)| of).sum::<f64>() / count;
        let reference = pairs.iter().map(|(_, reference)| reference).sum::<f64>() / count;
        let middle = f64::midpoint(of, reference);
        for (of, against) in pairs {
            balanced.push(if middle > 0.0 { (of - against) / middle } else { 0.0 });
            relative.extend((reference > 0.0).then(|| (of - against) / reference));
        }
    }
    if balanced.is_empty() {
        return None;
    }
    let p = wilcoxon(&balanced).p;
    relative.sort_by(f64::total_cmp);
    let median_relative_difference = empirical_quantile(&relative, 0.5);
    Some(Overall { pairs: balanced.len(), median_relative_difference, p, p_holm: p })
}
