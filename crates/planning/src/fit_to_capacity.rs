//! Sharing out one resource when there is not enough of it.

use std::cmp::Reverse;

/// What one container asks for, in the smallest unit of the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Amount per replica.
    pub(crate) wanted: u64,
    /// The amount per replica that the floor is a share of; `wanted`, or more where that was lowered before.
    pub(crate) basis: u64,
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
    /// A reduced amount is a multiple of this, at least 1.
    pub(crate) grain: u64,
}

/// The amount each claim gets per replica; over all replicas never more than the capacity.
///
/// If the claims do not fit, their floors are served in order of priority, then what is above the
/// floors in order of priority; within one priority everyone gets the same share of what is missing,
/// to the grain. What stays unused is less than one grain for each replica of the priority that was
/// not served in full.
pub(crate) fn fit_to_capacity(claims: &[Claim], supply: Supply) -> Vec<u64> {
    let wanted: Vec<u64> = claims.iter().map(|claim| claim.wanted).collect();
    if claims.iter().map(|claim| claim.over_replicas(claim.wanted)).sum::<u128>()
        <= u128::from(supply.capacity)
    {
        return wanted;
    }
    let floors: Vec<u64> = claims.iter().map(|claim| claim.floor(supply)).collect();
    let mut order: Vec<usize> = (0..claims.len()).collect();
    order.sort_by_key(|&i| Reverse(claims[i].priority));
    let mut pouring = Pouring {
        claims,
        given: vec![0; claims.len()],
        left: u128::from(supply.capacity),
        grain: supply.grain.max(1),
    };
    for goals in [&floors, &wanted] {
        for class in order.chunk_by(|&a, &b| claims[a].priority == claims[b].priority) {
            pouring.pour(class, goals);
        }
    }
    pouring.given
}

/// Amounts per replica that are being raised.
struct Pouring<'a> {
    claims: &'a [Claim],
    given: Vec<u64>,
    left: u128,
    grain: u64,
}

impl Pouring<'_> {
    /// Raises one class towards `goals`, in proportion to what is missing.
    ///
    /// A class that is not served in full uses up everything: what rounding leaves is not passed
    /// down, where it could be a larger share.
    fn pour(&mut self, class: &[usize], goals: &[u64]) {
        let missing = |i: usize| goals[i].saturating_sub(self.given[i]);
        let total: u128 = class.iter().map(|&i| self.claims[i].over_replicas(missing(i))).sum();
        if total <= self.left {
            self.left -= total;
            for &i in class {
                self.given[i] = self.given[i].max(goals[i]);
            }
            return;
        }
        let available = self.left;
        for &i in class {
            let exact = u128::from(goals[i].saturating_sub(self.given[i])) * available / total;
            let whole = u64::try_from(exact).unwrap_or(u64::MAX) / self.grain * self.grain;
            self.left -= self.claims[i].over_replicas(whole);
            self.given[i] += whole;
        }
        self.hand_out_rest(class, goals);
        self.left = 0;
    }

    /// One grain more per replica for those that miss most, as far as it goes; equal claims get it together
    /// or not at all, so that their order does not matter.
    fn hand_out_rest(&mut self, class: &[usize], goals: &[u64]) {
        let (claims, given) = (self.claims, self.given.clone());
        let key = |i: usize| (Reverse(goals[i] - given[i]), claims[i].replicas, given[i]);
        let mut order: Vec<usize> =
            class.iter().copied().filter(|&i| given[i] < goals[i]).collect();
        order.sort_by_key(|&i| key(i));
        for equals in order.chunk_by(|&a, &b| key(a) == key(b)) {
            let more = self.grain.min(goals[equals[0]] - given[equals[0]]);
            let cost: u128 = equals.iter().map(|&i| self.claims[i].over_replicas(more)).sum();
            if cost <= self.left {
                self.left -= cost;
                for &i in equals {
                    self.given[i] += more;
                }
            }
        }
    }
}

impl Claim {
    fn over_replicas(&self, amount: u64) -> u128 {
        u128::from(amount) * u128::from(self.replicas.max(1))
    }

    /// The floor per replica, in whole grains where it is not all that is wanted.
    fn floor(&self, supply: Supply) -> u64 {
        let grain = supply.grain.max(1);
        let share = (self.basis as f64 * supply.floor) as u64;
        if share >= self.wanted { self.wanted } else { share / grain * grain }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim(wanted: u64, replicas: u32, priority: i32) -> Claim {
        Claim { wanted, basis: wanted, replicas, priority }
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
        assert_eq!(fit_to_capacity(&claims, supply(120, 0.5)), [50, 23, 47]);
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
        fn what_stays_unused_is_less_than_a_grain_per_replica(
            claims in claims(), capacity in 0u64..60_000, floor in 0.0..=1.0f64, grain in 1u64..100,
        ) {
            let given = fit_to_capacity(&claims, Supply { capacity, floor, grain });
            let total: u64 = given.iter().zip(&claims).map(|(g, c)| g * u64::from(c.replicas)).sum();
            let short = given.iter().zip(&claims).filter(|(g, c)| **g < c.wanted);
            let grains: u64 = short.map(|(_, c)| u64::from(c.replicas) * grain).sum();
            prop_assert!(grains == 0 || capacity - total < grains);
        }
    }
}
