//! What a request is made of, so that every number can be explained.

use mora_core::{Cause, Part};

/// Parts from running totals: each part is what its total is above the one before.
///
/// `totals` are in the resource's smallest unit; a part of nothing is left out.
pub(crate) fn parts(totals: &[(Cause, u64)]) -> Vec<Part> {
    let before = std::iter::once(0).chain(totals.iter().map(|(_, total)| *total));
    let part = |((cause, total), before): (&(Cause, u64), u64)| Part {
        cause: *cause,
        amount: difference(*total, before),
    };
    totals.iter().zip(before).map(part).filter(|part| part.amount != 0).collect()
}

/// What all parts add up to, at least 0.
pub(crate) fn total(parts: &[Part]) -> u64 {
    let sum: i128 = parts.iter().map(|part| i128::from(part.amount)).sum();
    u64::try_from(sum.max(0)).unwrap_or(u64::MAX)
}

/// Adds the part of `cause` that brings `parts` to `total`.
pub(crate) fn complete(parts: &mut Vec<Part>, cause: Cause, to: u64) {
    let amount = difference(to, total(parts));
    if amount != 0 {
        parts.push(Part { cause, amount });
    }
}

fn difference(to: u64, from: u64) -> i64 {
    let difference = i128::from(to) - i128::from(from);
    i64::try_from(difference).unwrap_or(if difference > 0 { i64::MAX } else { i64::MIN })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up_to_the_last_total_and_nothing_is_listed_for_nothing() {
        let mut found =
            parts(&[(Cause::OwnForecast, 100), (Cause::Margin, 130), (Cause::Callers, 130)]);
        assert_eq!(found.len(), 2);
        assert_eq!(total(&found), 130);
        complete(&mut found, Cause::Bounds, 130);
        complete(&mut found, Cause::Cluster, 90);
        assert_eq!(found.last(), Some(&Part { cause: Cause::Cluster, amount: -40 }));
        assert_eq!(total(&found), 90);
    }
}
