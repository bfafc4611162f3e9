//! The least safety margin that keeps to a risk.

/// The smallest factor on every request at which the mean over series of the share of samples above
/// it is at most `risk`; each series is the usage-to-request ratios of its samples.
///
/// `None` without samples, and where no factor is enough because too often nothing was requested.
pub(crate) fn margin(series: &[&[f64]], risk: f64) -> Option<f64> {
    let of_one = |ratios: &&[f64]| 1.0 / (series.len() * ratios.len()) as f64;
    let mut weighed: Vec<(f64, f64)> = series
        .iter()
        .flat_map(|ratios| ratios.iter().map(move |ratio| (*ratio, of_one(ratios))))
        .collect();
    weighed.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut above = 0.0;
    let mut least = None;
    for (ratio, weight) in weighed {
        // The sum of many equal weights may end a hair above the risk.
        if above > risk + 1e-12 {
            break;
        }
        least = Some(ratio);
        above += weight;
    }
    least.filter(|margin| margin.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_lets_exactly_the_risk_pass() {
        let ratios: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(margin(&[&ratios], 0.01), Some(99.0));
        assert_eq!(margin(&[&ratios], 0.009), Some(100.0));
        assert_eq!(margin(&[&ratios], 0.05), Some(95.0));
    }

    #[test]
    fn every_series_weighs_the_same_however_long() {
        // One sample of the short series is 5 % of the mean, one of the long 0.5 %.
        let short: Vec<f64> = (1..=10).map(|i| 100.0 + f64::from(i)).collect();
        let long: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(margin(&[&short, &long], 0.06), Some(109.0));
        assert_eq!(margin(&[&long, &short], 0.04), Some(110.0));
    }

    #[test]
    fn equal_ratios_pass_together_and_nothing_requested_has_no_margin() {
        assert_eq!(margin(&[&[0.5, 0.5, 0.5, 0.2]], 0.01), Some(0.5));
        assert_eq!(margin(&[&[f64::INFINITY, 1.0]], 0.01), None);
        assert_eq!(margin(&[], 0.01), None);
    }
}
