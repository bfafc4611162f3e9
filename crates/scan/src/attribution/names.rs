//! How Kubernetes calls what it makes.

use std::ops::RangeInclusive;

/// The letters of generated names: no vowels, so that no words come out.
const SAFE_LETTERS: &str = "bcdfghjklmnpqrstvwxz2456789";

/// What stands before the `lengths` letters that were generated; `None` where none were.
pub(super) fn without_generated(name: &str, lengths: RangeInclusive<usize>) -> Option<&str> {
    let (front, generated) = name.rsplit_once('-')?;
    let is_generated = lengths.contains(&generated.len())
        && generated.chars().all(|letter| SAFE_LETTERS.contains(letter));
    (is_generated && !front.is_empty()).then_some(front)
}

/// The Deployment or Rollout that calls a ReplicaSet so: a hash of 1 to 10 letters follows its name.
pub(super) fn controlled_by(replica_set: &str) -> Option<&str> {
    without_generated(replica_set, 1..=10)
}

/// What stands before an ordinal, as StatefulSets, indexed Jobs and the generations of a `DeploymentConfig` have one.
pub(super) fn ordinal_of(name: &str) -> Option<&str> {
    let (front, ordinal) = name.rsplit_once('-')?;
    let counts = ordinal.parse::<u32>().is_ok_and(|number| number.to_string() == ordinal);
    (counts && !front.is_empty()).then_some(front)
}

/// The CronJob that calls a Job so: the minute it was due follows its name.
pub(super) fn scheduled_by(job: &str) -> Option<&str> {
    let (front, minute) = job.rsplit_once('-')?;
    let is_minute = (8..=10).contains(&minute.len()) && minute.bytes().all(|b| b.is_ascii_digit());
    (is_minute && !front.is_empty()).then_some(front)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_endings_are_told_from_names() {
        assert_eq!(without_generated("cart-58f68557c-2xk9z", 5..=5), Some("cart-58f68557c"));
        assert_eq!(controlled_by("redis-cart-58f68557c"), Some("redis-cart"));
        assert_eq!(without_generated("cart-index", 5..=5), None);
        assert_eq!(ordinal_of("db-12"), Some("db"));
        assert_eq!((ordinal_of("web-01"), ordinal_of("-1"), ordinal_of("web")), (None, None, None));
        assert_eq!(scheduled_by("backup-28493820"), Some("backup"));
        assert_eq!(scheduled_by("backup-7"), None);
    }
}
