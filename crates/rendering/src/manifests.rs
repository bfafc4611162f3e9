//! What puts a recommendation in force: patches, overlays, values and VPA objects.

mod helm;
mod kustomize;
mod node;
mod patch;
mod settings;
mod vpa;

use mora_core::{OwnerKind, OwnerRef};
use mora_scan::{Row, ScanReport};

pub(crate) use self::helm::helm;
pub(crate) use self::kustomize::kustomize;
pub(crate) use self::patch::patch;
use self::settings::ContainerSettings;
pub(crate) use self::vpa::vpa;
use crate::text::{minute, single_line};
use crate::{OutputFormat, RenderError, RenderOptions};

/// An owner with the rows of its containers.
struct Owned<'a> {
    cluster: Option<&'a str>,
    owner: OwnerRef,
    rows: Vec<&'a Row>,
}

impl Owned<'_> {
    /// Settings of its containers, in the order of the rows.
    fn settings(&self) -> impl Iterator<Item = (&Row, ContainerSettings)> {
        self.rows.iter().map(|row| (*row, ContainerSettings::of(row)))
    }
}

/// The rows by owner, in the order in which owners first occur.
fn by_owner(report: &ScanReport) -> Vec<Owned<'_>> {
    let mut owners: Vec<Owned<'_>> = Vec::new();
    let mut places = std::collections::BTreeMap::new();
    for row in &report.rows {
        let (cluster, owner) = (row.cluster.as_deref(), row.owner());
        let place = *places.entry((cluster, owner.clone())).or_insert_with(|| {
            owners.push(Owned { cluster, owner, rows: Vec::new() });
            owners.len() - 1
        });
        owners[place].rows.push(row);
    }
    owners
}

/// Fails where the rows are of several clusters: the format cannot tell them apart.
fn only_one_cluster(report: &ScanReport, format: OutputFormat) -> Result<(), RenderError> {
    let mut clusters: Vec<_> = report.rows.iter().map(|row| &row.cluster).collect();
    clusters.sort();
    clusters.dedup();
    match clusters.len() {
        0 | 1 => Ok(()),
        clusters => Err(RenderError::SeveralClusters { format, clusters }),
    }
}

/// The API group and version of a kind, as a reference to an object names it.
const fn api_version(kind: &OwnerKind) -> Option<&'static str> {
    match kind {
        OwnerKind::Deployment
        | OwnerKind::StatefulSet
        | OwnerKind::DaemonSet
        | OwnerKind::ReplicaSet => Some("apps/v1"),
        OwnerKind::CronJob | OwnerKind::Job => Some("batch/v1"),
        OwnerKind::Rollout => Some("argoproj.io/v1alpha1"),
        OwnerKind::DeploymentConfig => Some("apps.openshift.io/v1"),
        OwnerKind::Pod | OwnerKind::Other(_) => None,
    }
}

/// Where the specification of pods is in an object of a kind that Kubernetes itself has, which a patch can merge by container.
const fn path_to_pods(kind: &OwnerKind) -> Option<&'static [&'static str]> {
    match kind {
        OwnerKind::Deployment
        | OwnerKind::StatefulSet
        | OwnerKind::DaemonSet
        | OwnerKind::ReplicaSet
        | OwnerKind::Job => Some(&["spec", "template", "spec"]),
        OwnerKind::CronJob => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        OwnerKind::Rollout | OwnerKind::DeploymentConfig | OwnerKind::Pod | OwnerKind::Other(_) => {
            None
        }
    }
}

/// Why an owner of the kind is not in a file of patches.
fn why_not_patched(kind: &OwnerKind) -> String {
    match kind {
        OwnerKind::Job => {
            "the template of a Job cannot be changed; set it where the Job is made".to_owned()
        }
        OwnerKind::Pod => {
            "nothing would make the pod again; set it where the pod is made, or resize it"
                .to_owned()
        }
        OwnerKind::ReplicaSet => {
            "a ReplicaSet of its own does not replace its pods; set it where it is made".to_owned()
        }
        OwnerKind::Other(kind) => format!(
            "the operator of {} decides what its pods request; set it in that object",
            single_line(kind)
        ),
        kind => {
            format!("a patch of a {kind} replaces its list of containers; set it in its manifest")
        }
    }
}

/// Comment lines, each after `# `, on what the file is and where it comes from.
fn heading(report: &ScanReport, options: &RenderOptions, lines: &[&str]) -> String {
    let mut text = format!(
        "# Recommended by MOrA on {} from history of {} to {}.\n",
        minute(report.created_at),
        minute(report.from),
        minute(report.to)
    );
    if let Some(command) = &options.command {
        text += &format!("# Made by: {}\n", single_line(command));
    }
    text + &lines
        .iter()
        .map(|line| format!("# {line}").trim_end().to_owned() + "\n")
        .collect::<String>()
}

/// A comment line.
fn comment(text: &str) -> String {
    format!("# {}\n", single_line(text))
}
