//! How workloads are put under a plan.

use std::path::PathBuf;
use std::time::Duration;

use mora_core::{ApplyMode, WorkloadRef};
use mora_planning::Pattern;
use serde::{Deserialize, Serialize};

/// How what the change gate lets through is put in force; see `docs/apply.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApplyConfig {
    /// Mode of the workloads that no rule names.
    pub default_mode: ApplyMode,
    /// Modes by pattern; the first that matches counts.
    pub modes: Vec<ModeRule>,
    /// Whether the modes are followed in every run, also without `--apply`.
    pub permitted: bool,
    /// Longest wait for the workloads of a wave to be rolled out and ready, in seconds.
    pub healthy_seconds: u32,
    /// Resizing of running pods.
    pub in_place: InPlaceConfig,
    /// Following the schedule.
    pub scheduled: ScheduledConfig,
    /// Files for a repository.
    pub git_ops: GitOpsConfig,
    /// VerticalPodAutoscalers.
    pub vpa: VpaConfig,
}

/// The mode of the workloads a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModeRule {
    /// Which workloads, by `namespace/name`.
    pub workload: Pattern,
    /// Their mode.
    pub mode: ApplyMode,
}

/// Resizing of running pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InPlaceConfig {
    /// Longest wait for a pod to have its new size, in seconds; then it is set back.
    pub deadline_seconds: u32,
}

/// By which means the schedule is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Through {
    /// In the running pods; a workload whose pods cannot be resized is left alone.
    #[default]
    InPlace,
    /// In the running pods, and in the pod template of a workload whose pods cannot be resized.
    InPlaceOrPatch,
    /// In the pod template: pods are replaced at every change.
    Patch,
}

/// Following the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScheduledConfig {
    /// By which means.
    pub through: Through,
    /// Differences up to this share of the request in force are left alone.
    pub dead_band: f64,
}

/// Files for a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GitOpsConfig {
    /// The folder that patches are written to; it becomes a component of kustomize.
    pub folder: Option<PathBuf>,
}

/// VerticalPodAutoscalers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VpaConfig {
    /// The name by which they ask for MOrA as their recommender.
    pub recommender: String,
}

impl Default for ApplyConfig {
    fn default() -> Self {
        Self {
            default_mode: ApplyMode::Off,
            modes: Vec::new(),
            permitted: false,
            healthy_seconds: 600,
            in_place: InPlaceConfig::default(),
            scheduled: ScheduledConfig::default(),
            git_ops: GitOpsConfig::default(),
            vpa: VpaConfig::default(),
        }
    }
}

impl Default for InPlaceConfig {
    fn default() -> Self {
        Self { deadline_seconds: 60 }
    }
}

impl Default for ScheduledConfig {
    fn default() -> Self {
        Self { through: Through::InPlace, dead_band: 0.1 }
    }
}

impl Default for VpaConfig {
    fn default() -> Self {
        Self { recommender: "mora".to_owned() }
    }
}

impl ApplyConfig {
    /// The mode of `workload`.
    #[must_use]
    pub fn mode_of(&self, workload: &WorkloadRef) -> ApplyMode {
        let rule = self.modes.iter().find(|rule| rule.workload.matches(workload));
        rule.map_or(self.default_mode, |rule| rule.mode)
    }

    /// Whether some workload may have a mode other than `off`.
    #[must_use]
    pub fn has_modes(&self) -> bool {
        let modes = self.modes.iter().map(|rule| rule.mode);
        modes.chain([self.default_mode]).any(|mode| mode != ApplyMode::Off)
    }

    pub(crate) fn healthy(&self) -> Duration {
        Duration::from_secs(self.healthy_seconds.into())
    }

    pub(crate) fn resized(&self) -> Duration {
        Duration::from_secs(self.in_place.deadline_seconds.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rule_that_matches_gives_the_mode_and_nothing_is_changed_by_default() {
        let text =
            "modes: [{workload: shop/cart, mode: patch}, {workload: 'shop/*', mode: in_place}]";
        let config: ApplyConfig = serde_saphyr::from_str(text).unwrap();
        let mode = |name: &str| config.mode_of(&name.parse().unwrap());
        assert_eq!(mode("shop/cart"), ApplyMode::Patch);
        assert_eq!(mode("shop/StatefulSet/redis"), ApplyMode::InPlace);
        assert_eq!(mode("other/cart"), ApplyMode::Off);
        assert!(config.has_modes() && !ApplyConfig::default().has_modes());
    }
}
