//! What a kubeconfig names.

use kube::config::Kubeconfig;

use crate::error::{is_absent, without_excerpt};
use crate::{Cluster, ClusterError};

/// A context of a kubeconfig: a cluster and who asks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeContext {
    /// Its name.
    pub name: String,
    /// The name of its cluster.
    pub cluster: String,
    /// Whether it is the one that is used where none is named.
    pub is_current: bool,
}

impl Cluster {
    /// The contexts of the kubeconfig, in its order; none where there is no kubeconfig, as in a pod.
    ///
    /// Fails when there is one that cannot be read.
    pub fn contexts() -> Result<Vec<KubeContext>, ClusterError> {
        match Kubeconfig::read() {
            Ok(kubeconfig) => Ok(contexts(kubeconfig)),
            Err(error) if is_absent(&error) => Ok(Vec::new()),
            Err(error) => Err(ClusterError::Kubeconfig(without_excerpt(error))),
        }
    }

    /// The name of the context that is used where none is named; `None` in a pod, or where the kubeconfig names none.
    ///
    /// Fails as [`Cluster::contexts`] does.
    pub fn current_context() -> Result<Option<String>, ClusterError> {
        let current = Self::contexts()?.into_iter().find(|context| context.is_current);
        Ok(current.map(|context| context.name))
    }
}

fn contexts(kubeconfig: Kubeconfig) -> Vec<KubeContext> {
    let current = kubeconfig.current_context;
    let named = kubeconfig.contexts.into_iter().map(|named| KubeContext {
        is_current: current.as_deref() == Some(&named.name),
        cluster: named.context.map(|context| context.cluster).unwrap_or_default(),
        name: named.name,
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_keep_their_order_and_one_of_them_is_current() {
        let kubeconfig = Kubeconfig::from_yaml(
            "{current-context: b, contexts: [{name: b, context: {cluster: two, user: me}}, {name: a}]}",
        );
        let expected = [("b", "two", true), ("a", "", false)].map(|(name, cluster, is_current)| {
            KubeContext { name: name.to_owned(), cluster: cluster.to_owned(), is_current }
        });
        assert_eq!(contexts(kubeconfig.unwrap()), expected);
    }
}
