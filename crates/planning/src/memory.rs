//! What a container's history keeps its memory request above: earlier use and out-of-memory kills.

use jiff::Timestamp;
use mora_core::{Bytes, OomKill};

use crate::draft::Need;
use crate::{ObservedContainer, Policy};

/// `need` at `now`, raised by what the history of `container` calls for under `policy`, and a sentence where that raised it.
///
/// Never below `need`, and never below what an unexpired kill calls for.
pub(crate) fn kept(
    need: Need<Bytes>,
    container: &ObservedContainer,
    policy: &Policy,
    now: Timestamp,
) -> (Need<Bytes>, Option<String>) {
    let wanted = need.slots.iter().copied().max().unwrap_or_default();
    let held = policy.memory_ratchet.after(&container.daily_memory, wanted);
    match policy.oom.deciding(&container.oom_kills, now) {
        Some((kill, least)) if least > held => {
            let least = least.ceil_mebibyte();
            let need = Need { lower: need.lower.max(least), ..raised(need, least) };
            (need, Some(oom_note(kill, least, policy)))
        }
        _ if held > wanted => (raised(need, held), Some(ratchet_note(held, wanted))),
        _ => (need, None),
    }
}

fn raised(need: Need<Bytes>, least: Bytes) -> Need<Bytes> {
    Need {
        slots: need.slots.into_iter().map(|slot| slot.max(least)).collect(),
        lower: need.lower,
        upper: need.upper.max(least),
    }
}

fn ratchet_note(held: Bytes, wanted: Bytes) -> String {
    format!(
        "memory falls slowly: {held} are kept of what was used on the last days, where {wanted} would do"
    )
}

fn oom_note(kill: &OomKill, least: Bytes, policy: &Policy) -> String {
    let OomKill { killed, pod, peak } = kill;
    let until = killed.saturating_add(policy.oom.expiry).unwrap_or(Timestamp::MAX);
    let peak = peak.ceil_mebibyte();
    format!(
        "pod {pod} was killed for lack of memory at {killed} with {peak}, so at least {least} are requested until {until}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use mora_core::{OomRule, Ratchet, ResourceClaim};
    use proptest::prelude::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_006_400).unwrap()
    }

    fn mebibytes(amount: u64) -> Bytes {
        Bytes::from_mebibytes(amount)
    }

    fn need(wanted: Bytes) -> Need<Bytes> {
        Need { slots: vec![wanted; 3], lower: wanted, upper: wanted }
    }

    fn kill(peak: Bytes, hours_ago: i64) -> OomKill {
        let killed = now() - SignedDuration::from_hours(hours_ago);
        OomKill { killed, pod: "cart-0".to_owned(), peak }
    }

    /// A container observed once a day, the last time now.
    fn usage(days: &[u64], kills: Vec<OomKill>) -> ObservedContainer {
        ObservedContainer {
            claim: ResourceClaim::default(),
            cpu_share: 1.0,
            memory_share: 1.0,
            baseline: Err("no history".to_owned()),
            daily_memory: days.iter().map(|bytes| Some(Bytes::new(*bytes))).collect(),
            oom_kills: kills.into_iter().collect(),
        }
    }

    #[test]
    fn nothing_is_raised_and_nothing_said_where_history_calls_for_no_more() {
        let (found, note) = kept(
            need(mebibytes(100)),
            &usage(&[50 << 20, 90 << 20], Vec::new()),
            &Policy::default(),
            now(),
        );
        assert_eq!((found, note), (need(mebibytes(100)), None));
    }

    #[test]
    fn what_was_used_two_days_ago_is_kept_by_a_quarter_with_a_note() {
        let usage = usage(&[500 << 20, 80 << 20, 80 << 20], Vec::new());
        let (found, note) = kept(need(mebibytes(100)), &usage, &Policy::default(), now());
        assert_eq!(found.slots, [mebibytes(200); 3]);
        assert_eq!((found.lower, found.upper), (mebibytes(100), mebibytes(200)));
        let note = note.unwrap();
        assert!(note.contains("200Mi are kept") && note.contains("where 100Mi"), "{note}");
    }

    #[test]
    fn a_kill_gives_a_least_request_with_a_note_until_it_expires() {
        let killed = |hours| {
            let usage = usage(&[80 << 20], vec![kill(mebibytes(128), hours)]);
            kept(need(mebibytes(100)), &usage, &Policy::default(), now())
        };
        let (found, note) = killed(2);
        assert_eq!((found.slots[0], found.lower), (mebibytes(228), mebibytes(228)));
        let note = note.unwrap();
        for part in ["cart-0 was killed", "with 128Mi", "at least 228Mi"] {
            assert!(note.contains(part), "{note}");
        }
        assert_eq!(killed(7 * 24), (need(mebibytes(100)), None));
    }

    prop_compose! {
        fn kills()(all in prop::collection::vec((1_u64..1 << 38, 0_i64..400), 0..5)) -> Vec<OomKill> {
            all.into_iter().map(|(peak, hours_ago)| kill(Bytes::new(peak), hours_ago)).collect()
        }
    }

    proptest! {
        #[test]
        fn a_memory_request_is_never_below_the_rule_the_kill_or_what_may_be_let_go(
            days in prop::collection::vec(0_u64..1 << 38, 1..20), wanted in 0_u64..1 << 38, kills in kills(),
            half_life in 1_i64..200, expiry in 0_i64..400,
        ) {
            let oom = OomRule { expiry: SignedDuration::from_hours(expiry), ..OomRule::default() };
            let memory_ratchet = Ratchet { half_life: SignedDuration::from_hours(half_life) };
            let policy = Policy { memory_ratchet, oom, ..Policy::default() };
            let wanted = Bytes::new(wanted).ceil_mebibyte();
            let (found, note) = kept(need(wanted), &usage(&days, kills.clone()), &policy, now());
            prop_assert!(found.slots.iter().all(|slot| *slot == found.slots[0]));
            let target = found.slots[0];
            prop_assert!(target >= wanted && found.lower <= target && target <= found.upper);
            prop_assert_eq!(note.is_some(), target > wanted);
            for kill in &kills {
                let least = oom.least(kill.peak, kill.killed, now());
                prop_assert!(least.is_none_or(|least| target >= least));
            }
            for (age, used) in days.iter().rev().enumerate() {
                let excess = Bytes::new(*used).saturating_sub(wanted).get() as f64;
                let kept = excess * (-24.0 * age as f64 / half_life as f64).exp2();
                prop_assert!(target.saturating_sub(wanted).get() as f64 >= kept * (1.0 - 1e-9));
            }
        }
    }
}
