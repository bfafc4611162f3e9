//! The quantile function of the standard normal distribution.

const A: [f64; 6] = [
    -3.969_683_028_665_376e1,
    2.209_460_984_245_205e2,
    -2.759_285_104_469_687e2,
    1.383_577_518_672_69e2,
    -3.066_479_806_614_716e1,
    2.506_628_277_459_239,
];
const B: [f64; 6] = [
    -5.447_609_879_822_406e1,
    1.615_858_368_580_409e2,
    -1.556_989_798_598_866e2,
    6.680_131_188_771_972e1,
    -1.328_068_155_288_572e1,
    1.0,
];
const C: [f64; 6] = [
    -7.784_894_002_430_293e-3,
    -3.223_964_580_411_365e-1,
    -2.400_758_277_161_838,
    -2.549_732_539_343_734,
    4.374_664_141_464_968,
    2.938_163_982_698_783,
];
const D: [f64; 5] = [
    7.784_695_709_041_462e-3,
    3.224_671_290_700_398e-1,
    2.445_134_137_142_996,
    3.754_408_661_907_416,
    1.0,
];
/// Below this probability, and above its complement, the tail approximation holds.
const TAIL: f64 = 0.02425;

/// The value a standard normal variable stays below with `probability` in (0, 1).
///
/// Acklam's rational approximation; its relative error is below 1.2e-9.
pub(crate) fn normal_quantile(probability: f64) -> f64 {
    if probability > 0.5 {
        return -normal_quantile(1.0 - probability);
    }
    if probability < TAIL {
        let q = (-2.0 * probability.ln()).sqrt();
        return polynomial(&C, q) / polynomial(&D, q);
    }
    let q = probability - 0.5;
    let r = q * q;
    polynomial(&A, r) * q / polynomial(&B, r)
}

/// The polynomial with `coefficients`, highest power first, at `x`.
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().fold(0.0, |sum, c| sum * x + c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_quantiles_come_out() {
        for (probability, expected) in [
            (0.5, 0.0),
            (0.9, 1.281_551_565_5),
            (0.99, 2.326_347_874_0),
            (0.01, -2.326_347_874_0),
            (0.999_9, 3.719_016_485_5),
        ] {
            let error = (normal_quantile(probability) - expected).abs();
            assert!(error < 1e-8, "{probability}: {error}");
        }
    }
}
