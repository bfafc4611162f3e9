//! The configuration in the manifests is one that the processes read.

use std::path::PathBuf;

use mora_collector::CollectorConfig;
use mora_coordinator::CoordinatorConfig;
use mora_model_worker::WorkerConfig;
use mora_runtime::{load_config, with_causes};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::root;

fn read<C: Default + Serialize + DeserializeOwned>(file: &str) -> C {
    let path: PathBuf = root().join("deploy").join(file);
    load_config(Some(&path)).unwrap_or_else(|error| panic!("{}", with_causes(&error)))
}

#[test]
fn every_file_is_read_by_its_process_and_keeps_to_the_volumes() {
    for folder in ["base/config", "overlays/mtls"] {
        let worker: WorkerConfig = read(&format!("{folder}/worker.yaml"));
        assert_eq!(worker.library, PathBuf::from("/var/lib/mora/models"));
        let coordinator: CoordinatorConfig = read(&format!("{folder}/coordinator.yaml"));
        assert_eq!(coordinator.state, Some(PathBuf::from("/var/lib/mora/state")));
        assert!(coordinator.cluster.kubernetes && coordinator.workers.discovery.is_on());
    }
    for folder in ["base/config", "overlays/minikube", "overlays/mtls"] {
        let collector: CollectorConfig = read(&format!("{folder}/collector.yaml"));
        assert_eq!(collector.store.path, Some(PathBuf::from("/var/lib/mora/store")));
        assert!(collector.workers.discovery.is_on());
    }
}
