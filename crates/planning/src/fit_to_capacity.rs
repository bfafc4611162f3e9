//! Sharing out one resource when there is not enough of it.

use std::collections::BTreeSet;

/// What one container asks for, in the smallest unit of the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Amount per replica.
    pub(crate) wanted: u64,
    /// Replicas that get it, at least 1.
    pub(crate) replicas: u32,
    /// Higher is served first.
    pub(crate) priority: i32,
}

/// What there is and how it is shared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Supply {
    /// Amount for all replicas together.
    pub(crate) capacity: u64,
    /// Share of every claim that is served before any claim gets more, in [0, 1].
    pub(crate) floor: f64,
    /// A reduced amount is rounded down to a multiple of this, at least 1.
    pub(crate) grain: u64,
}

/// The amount each claim gets per replica; over all replicas never more than the capacity.
///
/// If the claims do not fit, their floors are served in order of priority, then what is above the
/// floors in order of priority; within one priority everyone gets the same share of what is missing.
pub(crate) fn fit_to_capacity(claims: &[Claim], supply: Supply) -> Vec<u64> {
    let wanted: Vec<u128> = claims.iter().map(Claim::total).collect();
    if wanted.iter().sum::<u128>() <= u128::from(supply.capacity) {
        return claims.iter().map(|claim| claim.wanted).collect();
    }
    let floors: Vec<u128> =
        wanted.iter().map(|w| ((*w as f64 * supply.floor) as u128).min(*w)).collect();
    let priorities: BTreeSet<i32> = claims.iter().map(|claim| claim.priority).collect();
    let mut given = vec![0; claims.len()];
    let mut left = u128::from(supply.capacity);
    for goals in [&floors, &wanted] {
        for priority in priorities.iter().rev() {
            let class = (0..claims.len()).filter(|i| claims[*i].priority == *priority).collect();
            left -= pour(left, class, goals, &mut given);
        }
    }
    claims.iter().zip(given).map(|(claim, total)| claim.per_replica(total, supply.grain)).collect()
}

/// Raises `given` towards `goals` for one class, in proportion to what is missing; returns the amount used.
///
/// A class that is not served in full uses up everything: what rounding leaves is not passed down.
fn pour(left: u128, class: Vec<usize>, goals: &[u128], given: &mut [u128]) -> u128 {
    let missing: Vec<u128> = class.iter().map(|&i| goals[i].saturating_sub(given[i])).collect();
    let total = missing.iter().sum::<u128>();
    for (i, missing) in class.into_iter().zip(missing) {
        given[i] += if total <= left { missing } else { proportion(missing, left, total) };
    }
    total.min(left)
}

/// `part * left / total`, rounded down, where `left < total` and `part <= total`.
fn proportion(part: u128, left: u128, total: u128) -> u128 {
    part.checked_mul(left).map_or_else(|| part / total.div_ceil(left.max(1)), |p| p / total)
}

impl Claim {
    fn total(&self) -> u128 {
        u128::from(self.wanted) * u128::from(self.replicas.max(1))
    }

    fn per_replica(&self, total: u128, grain: u64) -> u64 {
        if total >= self.total() {
            return self.wanted;
        }
        let each = u64::try_from(total / u128::from(self.replicas.max(1))).unwrap_or(u64::MAX);
        each / grain.max(1) * grain.max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim(wanted: u64, replicas: u32, priority: i32) -> Claim {
        Claim { wanted, replicas, priority }
    }

    const fn supply(capacity: u64, floor: f64) -> Supply {
        Supply { capacity, floor, grain: 1 }
    }

    #[test]
    fn what_fits_is_given_in_full() {
        let claims = [claim(100, 2, 0), claim(50, 1, 5)];
        assert_eq!(fit_to_capacity(&claims, supply(250, 0.5)), [100, 50]);
    }

    #[test]
    fn floors_come_first_then_higher_priorities_then_equal_shares() {
        let claims = [claim(100, 1, 9), claim(100, 1, 0), claim(200, 1, 0)];
        assert_eq!(fit_to_capacity(&claims, supply(280, 0.5)), [100, 60, 120]);
        assert_eq!(fit_to_capacity(&claims, supply(120, 0.5)), [50, 23, 46]);
        assert_eq!(fit_to_capacity(&claims, supply(0, 0.5)), [0, 0, 0]);
    }

    #[test]
    fn reduced_amounts_are_whole_grains_per_replica() {
        let rules = Supply { capacity: 1000, floor: 0.0, grain: 64 };
        assert_eq!(fit_to_capacity(&[claim(300, 4, 0)], rules), [192]);
    }

    #[test]
    fn amounts_near_the_largest_representable_do_not_overflow() {
        let claims = [claim(u64::MAX, u32::MAX, 0), claim(u64::MAX, 1, 0)];
        let given = fit_to_capacity(&claims, supply(u64::MAX, 0.5));
        let total: u128 =
            given.iter().zip(claims).map(|(g, c)| u128::from(*g) * u128::from(c.replicas)).sum();
        assert!(total <= u128::from(u64::MAX));
    }

    fn claims() -> impl Strategy<Value = Vec<Claim>> {
        let one = (0u64..5000, 1u32..6, -2i32..3);
        prop::collection::vec(one.prop_map(|(w, r, p)| claim(w, r, p)), 1..12)
    }

    proptest! {
        #[test]
        fn the_capacity_is_never_exceeded(
            claims in claims(), capacity in 0u64..60_000, floor in 0.0..=1.0f64, grain in 1u64..100,
        ) {
            let given = fit_to_capacity(&claims, Supply { capacity, floor, grain });
            let total: u64 = given.iter().zip(&claims).map(|(g, c)| g * u64::from(c.replicas)).sum();
            prop_assert!(total <= capacity);
            prop_assert!(given.iter().zip(&claims).all(|(g, c)| *g <= c.wanted));
        }

        #[test]
        fn a_higher_priority_never_gets_a_smaller_share(
            claims in claims(), capacity in 0u64..60_000, floor in 0.0..=1.0f64,
        ) {
            let given = fit_to_capacity(&claims, supply(capacity, floor));
            for (high, more) in claims.iter().zip(&given) {
                for (low, less) in claims.iter().zip(&given) {
                    if high.priority > low.priority && low.wanted > 0 {
                        // One unit per replica is lost to rounding, and one before the division.
                        let share = *less as f64 / low.wanted as f64;
                        prop_assert!(*more as f64 + 2.0 >= share * high.wanted as f64);
                    }
                }
            }
        }

        #[test]
        fn the_order_of_claims_does_not_matter(claims in claims(), capacity in 0u64..60_000) {
            let mut reversed = claims.clone();
            reversed.reverse();
            let mut given = fit_to_capacity(&reversed, supply(capacity, 0.5));
            given.reverse();
            prop_assert_eq!(fit_to_capacity(&claims, supply(capacity, 0.5)), given);
        }

        #[test]
        fn almost_everything_is_given_away(claims in claims(), capacity in 0u64..60_000) {
            let given = fit_to_capacity(&claims, supply(capacity, 0.5));
            let total: u64 = given.iter().zip(&claims).map(|(g, c)| g * u64::from(c.replicas)).sum();
            let wanted: u64 = claims.iter().map(|c| c.wanted * u64::from(c.replicas)).sum();
            let rounding: u64 = claims.iter().map(|c| u64::from(c.replicas) + 2).sum();
            prop_assert!(total + rounding >= wanted.min(capacity));
        }
    }
}
