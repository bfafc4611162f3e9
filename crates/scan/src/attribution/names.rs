//! How controllers call what they make.

use mora_core::without_generated;

/// The Deployment or Rollout that calls a ReplicaSet so: a hash of 1 to 10 letters follows its name.
pub(super) fn controlled_by(replica_set: &str) -> Option<&str> {
    without_generated(replica_set, 1..=10)
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
        assert_eq!(controlled_by("redis-cart-58f68557c"), Some("redis-cart"));
        assert_eq!(scheduled_by("backup-28493820"), Some("backup"));
        assert_eq!(scheduled_by("backup-7"), None);
    }
}
