//! What namespaces allow: ResourceQuotas and LimitRanges.

use k8s_openapi::api::core::v1::{LimitRange, LimitRangeItem, ResourceQuota, ResourceQuotaSpec};
use mora_core::{LimitRangeRule, LimitScope, Quota, Stated};

use crate::nodes::Unmanaged;
use crate::requests::Reader;

/// The quotas that count for pods that run on and on, and sentences about what was left out.
pub(crate) fn quotas(
    objects: &[ResourceQuota],
    unmanaged: &Unmanaged,
) -> (Vec<Quota>, Vec<String>) {
    let (mut quotas, mut warnings) = (Vec::new(), Vec::new());
    for object in objects {
        let Some(spec) = &object.spec else { continue };
        let (namespace, name) = identity(&object.metadata);
        let mut reader = Reader::new(format!("ResourceQuota {namespace}/{name}"));
        let requests = requests(&mut reader, spec);
        let limits = reader.stated(spec.hard.as_ref(), "limits.");
        warnings.extend(reader.warnings);
        if (requests, limits) == (Stated::default(), Stated::default()) || is_of_other_pods(spec) {
            continue;
        }
        if spec.scope_selector.is_some() {
            warnings.push(format!("ResourceQuota {namespace}/{name} is not looked at: it selects pods by priority class or another property"));
            continue;
        }
        let held = unmanaged.in_namespaces.get(&namespace).copied().unwrap_or_default();
        let (unmanaged_requests, unmanaged_limits) = held;
        quotas.push(Quota {
            namespace,
            name,
            requests,
            limits,
            unmanaged_requests,
            unmanaged_limits,
        });
    }
    (quotas, warnings)
}

/// `cpu` is a short form of `requests.cpu`, and so for memory.
fn requests(reader: &mut Reader, spec: &ResourceQuotaSpec) -> Stated {
    let long = reader.stated(spec.hard.as_ref(), "requests.");
    let short = reader.stated(spec.hard.as_ref(), "");
    Stated {
        cpu: [long.cpu, short.cpu].into_iter().flatten().min(),
        memory: [long.memory, short.memory].into_iter().flatten().min(),
    }
}

/// Whether the quota counts only pods that end or that request nothing, which a plan has none of.
fn is_of_other_pods(spec: &ResourceQuotaSpec) -> bool {
    spec.scopes.iter().flatten().any(|scope| scope == "Terminating" || scope == "BestEffort")
}

/// Every limit on containers and pods, and quantities that could not be read.
pub(crate) fn limit_ranges(objects: &[LimitRange]) -> (Vec<LimitRangeRule>, Vec<String>) {
    let (mut rules, mut warnings) = (Vec::new(), Vec::new());
    for object in objects {
        let (namespace, name) = identity(&object.metadata);
        let mut reader = Reader::new(format!("LimitRange {namespace}/{name}"));
        for item in object.spec.iter().flat_map(|spec| &spec.limits) {
            let scope = match item.type_.as_str() {
                "Container" => LimitScope::Container,
                "Pod" => LimitScope::Pod,
                _ => continue,
            };
            rules.push(LimitRangeRule {
                namespace: namespace.clone(),
                name: name.clone(),
                scope,
                ..bounds(&mut reader, item)
            });
        }
        warnings.extend(reader.warnings);
    }
    (rules, warnings)
}

fn bounds(reader: &mut Reader, item: &LimitRangeItem) -> LimitRangeRule {
    let ratio = item.max_limit_request_ratio.as_ref();
    LimitRangeRule {
        min: reader.stated(item.min.as_ref(), ""),
        max: reader.stated(item.max.as_ref(), ""),
        default_limit: reader.stated(item.default.as_ref(), ""),
        max_cpu_ratio: reader.number(ratio, "cpu"),
        max_memory_ratio: reader.number(ratio, "memory"),
        ..LimitRangeRule::default()
    }
}

fn identity(metadata: &kube::api::ObjectMeta) -> (String, String) {
    (metadata.namespace.clone().unwrap_or_default(), metadata.name.clone().unwrap_or_default())
}
