//! Whose configuration it is, and what can be asked of it whatever its type.

use std::collections::BTreeSet;
use std::path::Path;

use clap::ValueEnum;
use mora_collector::CollectorConfig;
use mora_coordinator::CoordinatorConfig;
use mora_model_worker::WorkerConfig;
use mora_runtime::{
    ConfigError, ConfigKey, KeyKind, Origins, config_keys, config_problems, load_with_origins,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::gather::RecommendConfig;

/// Sections that are off have no more keys that must be set than this.
const MOST_MISSING: usize = 8;

/// Whose configuration it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Process {
    /// The commands that look at a Prometheus and a cluster, first of all `mora recommend`
    Recommend,
    /// The process `mora-collector`
    Collector,
    /// The process `mora-model-worker`
    Worker,
    /// The process `mora-coordinator`
    Coordinator,
}

/// Values with the layer that each came from.
type Loaded = Result<(Value, Origins), ConfigError>;

/// A configuration of any type.
pub(super) struct Configuration {
    /// Every key it takes.
    pub(super) keys: Vec<ConfigKey>,
    /// Its defaults.
    pub(super) defaults: Value,
    /// The defaults, with the sections that are off as they are when they are on.
    unfolded: Value,
    /// The keys that have no default.
    must_be_set: BTreeSet<String>,
    /// Everything wrong with a file and the environment.
    pub(super) problems: fn(Option<&Path>) -> Vec<ConfigError>,
    /// What a file and the environment make of it.
    pub(super) load: fn(Option<&Path>) -> Loaded,
}

impl Process {
    #[cfg(test)]
    pub(super) const ALL: [Self; 4] =
        [Self::Recommend, Self::Collector, Self::Worker, Self::Coordinator];

    /// The program it configures.
    pub(super) const fn program(self) -> &'static str {
        match self {
            Self::Recommend => "mora recommend",
            Self::Collector => "mora-collector",
            Self::Worker => "mora-model-worker",
            Self::Coordinator => "mora-coordinator",
        }
    }

    /// The configuration of the process.
    pub(super) fn configuration(self) -> Configuration {
        match self {
            Self::Recommend => Configuration::of::<RecommendConfig>(),
            Self::Collector => Configuration::of::<CollectorConfig>(),
            Self::Worker => Configuration::of::<WorkerConfig>(),
            Self::Coordinator => Configuration::of::<CoordinatorConfig>(),
        }
    }
}

impl Configuration {
    fn of<T: Default + Serialize + DeserializeOwned>() -> Self {
        let keys = config_keys::<T>();
        let defaults = valued(&T::default());
        let (mut unfolded, mut must_be_set) = (defaults.clone(), BTreeSet::new());
        for key in keys.iter().filter(|key| key.optional && key.kind == KeyKind::Section) {
            must_be_set.extend(switch_on::<T>(&mut unfolded, &key.path));
        }
        let load = |file: Option<&Path>| {
            load_with_origins::<T>(file).map(|(config, origins)| (valued(&config), origins))
        };
        Self { keys, defaults, unfolded, must_be_set, problems: config_problems::<T>, load }
    }

    /// The default of a key, also below a section that is off; nothing where it has none.
    pub(super) fn default_of(&self, path: &str) -> Option<&Value> {
        let value = at(&self.unfolded, path).filter(|value| !value.is_null());
        value.filter(|_| !self.must_be_set.contains(path))
    }

    /// Whether there is a key under `path` that is not itself listed: an element or a name of the user's.
    pub(super) fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = &'a ConfigKey> {
        let parts = move |key: &&ConfigKey| {
            let rest = key.path.strip_prefix(path);
            rest.is_some_and(|rest| rest.starts_with(['.', '[']))
        };
        self.keys.iter().filter(parts)
    }
}

/// What stands at `path`; nothing where it is not there.
pub(super) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, name| value.get(name))
}

/// The configuration as it would be written; that of MOrA are plain data, so that it can be.
fn valued<T: Serialize>(config: &T) -> Value {
    serde_json::to_value(config).unwrap_or_default()
}

/// Switches the section at `path` of `defaults` on, where it can be; gives the keys of it that must be set, which are empty texts.
fn switch_on<T: Serialize + DeserializeOwned>(defaults: &mut Value, path: &str) -> Vec<String> {
    let mut section = Map::new();
    for _ in 0..MOST_MISSING {
        let mut tried = defaults.clone();
        let Some(place) = slot(&mut tried, path) else { break };
        *place = Value::Object(section.clone());
        match serde_json::from_value::<T>(tried) {
            Ok(config) => {
                *defaults = valued(&config);
                return section.keys().map(|name| format!("{path}.{name}")).collect();
            }
            Err(error) => {
                let text = error.to_string();
                let missing = text.split_once("missing field `").map(|(_, rest)| rest);
                let Some((missing, _)) = missing.and_then(|rest| rest.split_once('`')) else {
                    break;
                };
                section.insert(missing.to_owned(), json!(""));
            }
        }
    }
    Vec::new()
}

fn slot<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    path.split('.').try_fold(value, |value, name| value.get_mut(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_sections_that_are_off_are_known_and_what_must_be_set_has_none() {
        let coordinator = Process::Coordinator.configuration();
        assert_eq!(coordinator.default_of("policy.cap"), Some(&json!(0.8)));
        assert_eq!(coordinator.default_of("cluster.plans.keep"), Some(&json!(24)));
        assert_eq!(coordinator.default_of("tls.certificate"), None);
        let collector = Process::Collector.configuration();
        assert_eq!(collector.default_of("source.recorded.namespace"), Some(&json!("default")));
        assert_eq!(collector.default_of("source.recorded.columns.cpu.name"), None);
        assert_eq!(collector.default_of("source.prometheus.retries"), Some(&json!(4)));
        assert!(at(&collector.defaults, "source.prometheus").unwrap().is_null());
    }
}
