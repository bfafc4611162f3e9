//! A shell script that patches the templates of what runs.

use mora_core::{OwnerKind, OwnerRef};
use mora_scan::ScanReport;

use super::node::Node;
use super::settings::{Extent, list, why_not_sidecar};
use super::{Owned, by_owner, comment, heading, path_to_pods, why_not_patched};
use crate::RenderOptions;
use crate::text::counted;

const ABOUT: [&str; 5] = [
    "",
    "Each command changes the pod template of one workload, which replaces its pods as its strategy says.",
    "Arguments of this script go to every command: `sh THIS_FILE --dry-run=server` changes nothing.",
    "A null removes what is set. What is already as recommended is not mentioned.",
    "",
];

/// The report as a POSIX shell script of `kubectl patch` commands. What cannot be patched is named in comments with the reason.
pub(crate) fn patch(report: &ScanReport, options: &RenderOptions) -> String {
    let mut script = format!("#!/bin/sh\n{}set -eu\n", heading(report, options, &ABOUT));
    let context = match report.clusters.as_slice() {
        [only] => only.context.as_deref(),
        _ => None,
    };
    let mut unchanged = 0;
    for owned in by_owner(report) {
        match command(&owned, owned.cluster.or(context)) {
            Some(text) => script += &format!("\n{text}"),
            None => unchanged += 1,
        }
    }
    if unchanged > 0 {
        let workloads = counted(unchanged, "workload", "workloads");
        script += &format!("\n# Nothing changes in {workloads}.\n");
    }
    script
}

/// The command for one owner with its comments; `None` where nothing changes.
fn command(owned: &Owned<'_>, context: Option<&str>) -> Option<String> {
    let mut comments = comment(&owned.owner.to_string());
    let changed = owned.settings().any(|(_, set)| set.resources(Extent::Changes).is_some());
    if !changed {
        return None;
    }
    let path = path_to_pods(&owned.owner.kind).filter(|_| is_replacing(&owned.owner.kind));
    let Some(path) = path else {
        return Some(
            comments + &comment(&format!("left out: {}", why_not_patched(&owned.owner.kind))),
        );
    };
    for (row, settings) in owned.settings() {
        settings.remarks.iter().for_each(|remark| comments += &comment(remark));
        if list(row.role).is_none() && settings.resources(Extent::Changes).is_some() {
            comments += &comment(&format!("left out: {}", why_not_sidecar(&row.container)));
        }
    }
    comments += &autoscaled(owned);
    let Some(lists) = lists(owned, Extent::Changes) else { return Some(comments) };
    Some(comments + &line(&owned.owner, context, &lists.below(path).json()))
}

/// Whether pods are made anew from a changed template, without anyone else's doing.
const fn is_replacing(kind: &OwnerKind) -> bool {
    !matches!(kind, OwnerKind::Job | OwnerKind::ReplicaSet)
}

/// The lists of containers with their `resources`; `None` where they would be empty.
pub(super) fn lists(owned: &Owned<'_>, extent: Extent) -> Option<Node> {
    let mut lists: Vec<(String, Node)> = Vec::new();
    for name in ["initContainers", "containers"] {
        let containers = owned.settings().filter(|(row, _)| list(row.role) == Some(name));
        let patched = containers.filter_map(|(row, settings)| {
            let resources = settings.resources(extent)?;
            let container = Node::text(row.container.as_str());
            Some(Node::map([("name", container), ("resources", resources)]))
        });
        let patched: Vec<Node> = patched.collect();
        if !patched.is_empty() {
            lists.push((name.to_owned(), Node::List(patched)));
        }
    }
    (!lists.is_empty()).then_some(Node::Map(lists))
}

/// A word on an autoscaler that aims at a share of a request that changes.
fn autoscaled(owned: &Owned<'_>) -> String {
    let advised = owned.rows.iter().find_map(|row| {
        let autoscaler = row.autoscaler?;
        Some((autoscaler.cpu_percent?, autoscaler.advised_cpu_percent?))
    });
    match advised {
        Some((aim, advised)) if aim != advised => comment(&format!(
            "its autoscaler aims at {aim} % of the CPU request; {advised} % of the new one keeps the number of replicas"
        )),
        _ => String::new(),
    }
}

fn line(owner: &OwnerRef, context: Option<&str>, patch: &str) -> String {
    let context = context.map(|name| format!(" --context {}", word(name))).unwrap_or_default();
    let object = word(&format!("{}/{}", owner.kind.as_str().to_lowercase(), owner.name));
    format!(
        "kubectl{context} --namespace {} patch {object} --type strategic --patch {} \"$@\"\n",
        word(&owner.namespace),
        quoted(patch)
    )
}

/// The text as one word of a shell, in quotes where it needs them.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    let is_safe = !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain);
    if is_safe { text.to_owned() } else { quoted(text) }
}

/// The text in single quotes; one in it ends them, stands by itself, and begins them again.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_shell_reads_every_word_as_it_was() {
        for text in
            ["it's \"prod\" $(id)", "", "-x", "a b", "*", "a\nb", "`id`", "plain-1.2/x", "\\"]
        {
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", word(text))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), text);
        }
    }

    #[test]
    fn the_script_calls_kubectl_with_what_it_should_and_nothing_else_happens() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("patches");
        std::fs::write(&file, patch(&sample::every_case(), &RenderOptions::default())).unwrap();
        let program =
            "kubectl() { for word in \"$@\"; do printf '<%s>' \"$word\"; done; echo; }; . \"$0\"";
        let output = std::process::Command::new("/bin/sh")
            .args(["-c", program])
            .arg(&file)
            .arg("--dry-run=server")
            .env("PATH", "")
            .output();
        let output = output.unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for line in told.lines() {
            assert!(
                line.starts_with("<--context>") && line.ends_with("<--dry-run=server>"),
                "{line}"
            );
        }
        assert!(
            told.contains("<it's \"prod\" $(id)><--namespace><shop><patch><daemonset/node-agent>"),
            "{told}"
        );
    }
}
