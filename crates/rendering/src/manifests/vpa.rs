//! VerticalPodAutoscaler objects that only recommend.

use mora_core::ContainerRole;
use mora_scan::{Row, ScanReport};

use super::node::Node;
use super::settings::{ContainerSettings, Setting};
use super::{Owned, api_version, by_owner, comment, heading, only_one_cluster, why_not_patched};
use crate::{OutputFormat, RenderError, RenderOptions};

const ABOUT: [&str; 6] = [
    "",
    "With `updateMode: \"Off\"` the autoscaler recommends and changes nothing. `minAllowed` is the recommended request, so that it",
    "never recommends less; `maxAllowed` is the recommended limit, where there is one, so that no request exceeds it.",
    "`RequestsOnly` keeps it from moving limits in proportion. Change `updateMode` to let it act within these bounds.",
    "Init containers are none of its business and are left out.",
    "",
];

/// The report as VPA objects of `autoscaling.k8s.io/v1`, one for each workload of which something is known.
///
/// Fails where the report is of several clusters.
pub(crate) fn vpa(report: &ScanReport, options: &RenderOptions) -> Result<String, RenderError> {
    only_one_cluster(report, OutputFormat::Vpa)?;
    let mut text = heading(report, options, &ABOUT);
    for owned in by_owner(report) {
        match api_version(&owned.owner.kind) {
            None => {
                let reason = why_not_patched(&owned.owner.kind);
                text += &comment(&format!("{}: left out: {reason}", owned.owner));
            }
            Some(version) => text += &object(&owned, version).unwrap_or_default(),
        }
    }
    Ok(text)
}

/// The object of an owner; `None` where nothing is known of its containers.
fn object(owned: &Owned<'_>, version: &str) -> Option<String> {
    let owner = &owned.owner;
    let settings = owned.settings().filter(|(row, _)| row.role != ContainerRole::Init);
    let policies: Vec<Node> =
        settings.filter_map(|(row, settings)| policy(row, &settings)).collect();
    if policies.is_empty() {
        return None;
    }
    let kind = owner.kind.as_str();
    // A Deployment and a StatefulSet may share a name.
    let name = format!("{}-{}", owner.name, kind.to_lowercase());
    let labels = Node::map([("app.kubernetes.io/managed-by", Node::text("mora"))]);
    let metadata = Node::map([
        ("name", Node::text(name)),
        ("namespace", Node::text(&*owner.namespace)),
        ("labels", labels),
    ]);
    let target = Node::map([
        ("apiVersion", Node::text(version)),
        ("kind", Node::text(kind)),
        ("name", Node::text(&*owner.name)),
    ]);
    let spec = Node::map([
        ("targetRef", target),
        ("updatePolicy", Node::map([("updateMode", Node::text("Off"))])),
        ("resourcePolicy", Node::map([("containerPolicies", Node::List(policies))])),
    ]);
    let object = Node::map([
        ("apiVersion", Node::text("autoscaling.k8s.io/v1")),
        ("kind", Node::text("VerticalPodAutoscaler")),
        ("metadata", metadata),
        ("spec", spec),
    ]);
    Some(format!("---\n{}", object.yaml(0)))
}

/// What the autoscaler may do with a container; `None` where no request is recommended.
fn policy(row: &Row, settings: &ContainerSettings) -> Option<Node> {
    let resources = ["cpu", "memory"];
    let amounts = |group: &[Setting; 2], of: &[&str]| {
        let known = resources.iter().zip(group).filter(|(resource, _)| of.contains(resource));
        let amount = |(resource, setting): (&&str, &Setting)| {
            Some(((*resource).to_owned(), Node::text(setting.amount()?)))
        };
        known.filter_map(amount).collect::<Vec<_>>()
    };
    let least = amounts(&settings.requests, &resources);
    let controlled: Vec<&str> = least.iter().map(|(resource, _)| resource.as_str()).collect();
    let most = amounts(&settings.limits, &controlled);
    if least.is_empty() {
        return None;
    }
    let list = controlled.iter().map(|resource| Node::text(*resource)).collect();
    let mut fields = vec![
        ("containerName".to_owned(), Node::text(row.container.as_str())),
        ("controlledResources".to_owned(), Node::List(list)),
        ("controlledValues".to_owned(), Node::text("RequestsOnly")),
        ("minAllowed".to_owned(), Node::Map(least.clone())),
    ];
    if !most.is_empty() {
        fields.push(("maxAllowed".to_owned(), Node::Map(most)));
    }
    Some(Node::Map(fields))
}
