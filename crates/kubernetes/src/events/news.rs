//! What an Event tells of a workload.

use mora_core::{Recommendation, Verdict, Violation, ViolationKind, WorkloadRef};

use crate::published::bounded;

/// Longest message the API takes, in bytes.
const LONGEST_MESSAGE: usize = 1024;

/// What is to be told of a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct News {
    pub(super) workload: WorkloadRef,
    /// What it is told of: the same for news that are counted as one.
    about: Vec<String>,
    pub(super) reason: &'static str,
    pub(super) type_: &'static str,
    pub(super) message: String,
}

impl News {
    /// That of a violation; `None` where it concerns no workload.
    pub(super) fn of_violation(violation: &Violation) -> Option<Self> {
        let workload = violation.workload.clone()?;
        let container = violation.container.as_deref();
        let whose = container.map(|name| format!(" of container {name}")).unwrap_or_default();
        let message = format!("{}{whose} are missing: {}", violation.shortfall, violation.reason);
        let about = [
            violation.kind.as_str(),
            workload.kind().as_str(),
            container.unwrap_or_default(),
            violation.shortfall.resource(),
            violation.place.as_deref().unwrap_or_default(),
        ];
        Some(Self {
            about: about.map(str::to_owned).to_vec(),
            workload,
            reason: reason(violation.kind),
            type_: "Warning",
            message: bounded(&message, LONGEST_MESSAGE),
        })
    }

    /// One for each workload of which a request changes, in the order of `recommendations`.
    pub(super) fn of_changes(recommendations: &[Recommendation]) -> Vec<Self> {
        let of_one = |one: &[Recommendation]| {
            let told: Vec<String> = one.iter().filter_map(change).collect();
            let workload = one.first()?.workload.clone();
            (!told.is_empty()).then(|| Self {
                about: vec!["rightsizing".to_owned(), workload.kind().to_string()],
                workload,
                reason: "Rightsizing",
                type_: "Normal",
                message: bounded(&told.join("; "), LONGEST_MESSAGE),
            })
        };
        recommendations.chunk_by(|a, b| a.workload == b.workload).filter_map(of_one).collect()
    }

    /// The name of the Event: the same for news that are counted as one.
    pub(super) fn name(&self) -> String {
        let stem: String = self.workload.name().chars().take(200).collect();
        let stem = stem.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        format!("{stem}.mora-{:016x}", fingerprint(&self.about.join("\n")))
    }
}

fn change(recommendation: &Recommendation) -> Option<String> {
    let decision = recommendation.decision.as_ref().filter(|d| d.verdict != Verdict::Hold)?;
    Some(format!("container {}: {}", recommendation.container, decision.reason))
}

const fn reason(kind: ViolationKind) -> &'static str {
    match kind {
        ViolationKind::LimitRange => "LimitRangeExceeded",
        ViolationKind::Node => "NodeTooSmall",
        ViolationKind::Quota => "QuotaExceeded",
        ViolationKind::Capacity => "CapacityExceeded",
        ViolationKind::BelowMinimum => "BelowLimitRange",
        ViolationKind::Packing => "NoRoomOnNodes",
    }
}

/// FNV-1a: unlike the standard library's hash the same in every build.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
