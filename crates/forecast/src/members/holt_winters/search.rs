//! Finding the least of a function on the unit cube.

/// First and last distance between points that are tried, per coordinate.
const STEPS: (f64, f64) = (0.25, 0.03);
/// Points tried at most.
const MOST_TRIED: usize = 250;

/// The point near which `loss` is least, from `start` on, by pattern search (Hooke and Jeeves 1961).
///
/// Coordinates stay in [0, 1]. The same function and start give the same point.
pub(super) fn least<const N: usize>(start: [f64; N], loss: impl Fn(&[f64; N]) -> f64) -> [f64; N] {
    let mut best = (loss(&start), start);
    let mut tried = 1;
    let mut step = STEPS.0;
    while step >= STEPS.1 && tried < MOST_TRIED {
        let before = best.0;
        for (coordinate, sign) in (0..N).flat_map(|c| [(c, 1.0), (c, -1.0)]) {
            let mut point = best.1;
            point[coordinate] = (point[coordinate] + sign * step).clamp(0.0, 1.0);
            let candidate = loss(&point);
            tried += 1;
            if candidate < best.0 {
                best = (candidate, point);
            }
        }
        // A step that gains next to nothing is too wide.
        if best.0 >= before * (1.0 - 1e-3) {
            step /= 2.0;
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_a_bowl_is_found_inside_and_at_the_edge() {
        for target in [[0.7, 0.33], [0.0, 1.4]] {
            let distance = |p: &[f64; 2]| (p[0] - target[0]).powi(2) + (p[1] - target[1]).powi(2);
            let found = least([0.5, 0.5], distance);
            for (value, due) in found.iter().zip(target) {
                assert!((value - due.min(1.0)).abs() < 0.04, "{found:?}");
            }
        }
    }
}
