//! The containers of an owner, from its template and its newest pod.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use mora_core::{ContainerRole, InventoryContainer, OwnerRef, ResourceClaim};

use super::wire::{Container, PodSpec, QuantityText, Resources};

/// Containers by name, and what could not be read of them, each a sentence.
#[derive(Debug)]
pub(super) struct Containers<'a> {
    owner: &'a OwnerRef,
    pub(super) found: Vec<(Arc<str>, InventoryContainer)>,
    pub(super) warnings: Vec<String>,
}

impl<'a> Containers<'a> {
    /// Those of the template, and beside them those that only the pod has, which something put into it; without a
    /// template those of the pod.
    pub(super) fn of(
        owner: &'a OwnerRef,
        template: Option<&PodSpec>,
        pod: Option<&PodSpec>,
    ) -> Self {
        let mut all = Self { owner, found: Vec::new(), warnings: Vec::new() };
        match template.filter(|template| !template.containers.is_empty()) {
            Some(template) => {
                all.add(template, ContainerRole::Main);
                if let Some(pod) = pod {
                    all.add(pod, ContainerRole::Sidecar);
                }
            }
            None => {
                if let Some(pod) = pod {
                    all.add(pod, ContainerRole::Main);
                }
            }
        }
        all
    }

    /// Those of `spec` that are not there yet; `role` is that of its ordinary ones.
    fn add(&mut self, spec: &PodSpec, role: ContainerRole) {
        let ordinary = spec.containers.iter().map(|container| (container, role));
        let init = spec.init_containers.iter().map(|container| (container, init_role(container)));
        for (container, role) in ordinary.chain(init) {
            if self.found.iter().all(|(name, _)| **name != *container.name) {
                let claim = self.claim(container);
                let found = InventoryContainer { role, claim };
                self.found.push((container.name.as_str().into(), found));
            }
        }
    }

    fn claim(&mut self, container: &Container) -> ResourceClaim {
        let Container { name, resources: Resources { requests, limits }, .. } = container;
        ResourceClaim {
            cpu_request: self.quantity(requests.cpu.as_ref(), name, "CPU request"),
            cpu_limit: self.quantity(limits.cpu.as_ref(), name, "CPU limit"),
            memory_request: self.quantity(requests.memory.as_ref(), name, "memory request"),
            memory_limit: self.quantity(limits.memory.as_ref(), name, "memory limit"),
        }
    }

    fn quantity<Q: FromStr<Err: Display>>(
        &mut self,
        text: Option<&QuantityText>,
        container: &str,
        what: &str,
    ) -> Option<Q> {
        let parsed = text?.0.parse();
        let ignored = |error: &Q::Err| {
            let owner = self.owner;
            self.warnings.push(format!(
                "the {what} of container {container} of {owner} is ignored: {error}"
            ));
        };
        parsed.inspect_err(ignored).ok()
    }
}

fn init_role(container: &Container) -> ContainerRole {
    match container.restart_policy.as_deref() {
        Some("Always") => ContainerRole::Sidecar,
        _ => ContainerRole::Init,
    }
}
