//! The layers a configuration is made of, and which of them set what.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use figment::providers::{Env, Serialized};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ConfigError, describe};

/// What variables of the environment that are part of a configuration begin with.
const PREFIX: &str = "MORA__";
/// What stands between the levels of a key in such a variable.
const LEVEL: &str = "__";
const YAML_FILE: &str = "the YAML file";

/// Which layer of a configuration set a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody: it is built in.
    Default,
    /// This file.
    File(PathBuf),
    /// This variable of the environment.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => path.display().fmt(f),
            Self::Environment(variable) => f.write_str(variable),
        }
    }
}

/// Which layer set what of a configuration.
#[derive(Debug)]
pub struct Origins(Figment);

impl Origins {
    /// The layer that set what stands at `key`, in which `.` is between levels.
    #[must_use]
    pub fn of(&self, key: &str) -> Origin {
        let metadata = self.0.find_metadata(key);
        match metadata.map(|metadata| &metadata.source) {
            Some(Some(figment::Source::File(path))) => Origin::File(path.clone()),
            Some(_) if metadata.is_some_and(is_environment) => Origin::Environment(variable(key)),
            _ => Origin::Default,
        }
    }
}

/// Whether what is described so are the variables of the environment.
pub(super) fn is_environment(metadata: &Metadata) -> bool {
    metadata.name.contains(PREFIX)
}

/// The variable of the environment that sets `key`.
pub(super) fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', LEVEL).to_uppercase())
}

/// The file that configures the command `mora` where `--config` names none, if it is there: `mora/config.yaml` in
/// `XDG_CONFIG_HOME`, which is `~/.config` unless it is set.
#[must_use]
pub fn default_config_file() -> Option<PathBuf> {
    configured(std::env::var_os("XDG_CONFIG_HOME"), std::env::var_os("HOME"))
        .filter(|path| path.is_file())
}

/// Where that file is looked for; only absolute folders count.
fn configured(folder: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    let absolute = |folder: OsString| Some(PathBuf::from(folder)).filter(|path| path.is_absolute());
    let folder = folder.and_then(absolute);
    let folder = folder.or_else(|| Some(home.and_then(absolute)?.join(".config")))?;
    Some(folder.join("mora").join("config.yaml"))
}

/// What a file and the environment set.
pub(super) struct Layers {
    set: Vec<Layer>,
}

impl Layers {
    /// Those of `file`, if one is named, and of the environment.
    pub(super) fn read(file: Option<&Path>) -> Result<Self, ConfigError> {
        let file = file.map(Layer::of_file).transpose()?;
        let environment = Env::prefixed(PREFIX).split(LEVEL);
        let environment = Layer {
            metadata: environment.metadata(),
            dict: environment
                .data()
                .unwrap_or_default()
                .remove(&Profile::Default)
                .unwrap_or_default(),
        };
        Ok(Self { set: file.into_iter().chain([environment]).collect() })
    }

    /// The defaults of `T`, overlaid by all of them.
    pub(super) fn over<T: Default + Serialize>(&self) -> Figment {
        let defaults = Figment::from(Serialized::defaults(T::default()));
        self.set.iter().fold(defaults, |figment, layer| figment.merge(layer))
    }

    /// Takes away what `error` is about; whether there was something.
    fn take_away(&mut self, error: &figment::Error) -> bool {
        let path = &error.path;
        let source = error.metadata.as_ref().map(|metadata| &metadata.source);
        // The layer that is named first, then any.
        let (named, others): (Vec<_>, Vec<_>) =
            self.set.iter_mut().partition(|layer| Some(&layer.metadata.source) == source);
        named.into_iter().chain(others).any(|layer| removed(&mut layer.dict, path))
    }
}

/// Removes what stands at `path`, or above it where there is no key of its own, such as a list; whether there was something.
fn removed(dict: &mut Dict, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    match dict.get_mut(first) {
        Some(Value::Dict(_, inner)) if !rest.is_empty() => {
            removed(inner, rest) || dict.remove(first).is_some()
        }
        Some(_) => dict.remove(first).is_some(),
        None => false,
    }
}

/// The configuration `T` as [`super::load_config`] gives it, and which layer set what.
///
/// Fails as that does.
pub fn load_with_origins<T>(file: Option<&Path>) -> Result<(T, Origins), ConfigError>
where
    T: Default + Serialize + DeserializeOwned,
{
    let figment = Layers::read(file)?.over::<T>();
    let config = figment.extract().map_err(|error| describe(&error))?;
    Ok((config, Origins(figment)))
}

/// Everything for which [`super::load_config`] would refuse the configuration `T`, in the order in which it is found; empty
/// where it would not.
#[must_use]
pub fn config_problems<T>(file: Option<&Path>) -> Vec<ConfigError>
where
    T: Default + Serialize + DeserializeOwned,
{
    let mut layers = match Layers::read(file) {
        Ok(layers) => layers,
        Err(error) => return vec![error],
    };
    let mut problems = Vec::new();
    // It ends, as each round takes something away.
    while let Err(error) = layers.over::<T>().extract::<T>() {
        problems.push(describe(&error));
        if !layers.take_away(&error) {
            break;
        }
    }
    problems
}

struct Layer {
    metadata: Metadata,
    dict: Dict,
}

impl Layer {
    fn of_file(path: &Path) -> Result<Self, ConfigError> {
        let path = path.to_owned();
        let text = std::fs::read_to_string(&path)
            .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        // An excerpt of the file could show a secret.
        let options = serde_saphyr::options! { with_snippet: false };
        let content =
            serde_saphyr::from_str_with_options::<Option<serde_json::Value>>(&text, options)
                .map_err(|source| ConfigError::Parse {
                    path: path.clone(),
                    source: Box::new(source),
                })?;
        let metadata = Metadata::from(YAML_FILE, path.as_path());
        let content = content.unwrap_or_else(|| serde_json::json!({}));
        let dict = Value::serialize(&content).ok().and_then(Value::into_dict);
        let dict = dict.ok_or_else(|| ConfigError::Value {
            problem: "the top level must be keys with values".to_owned(),
            layer: format!("{YAML_FILE} {}", path.display()),
        })?;
        Ok(Self { metadata, dict })
    }
}

impl Provider for &Layer {
    fn metadata(&self) -> Metadata {
        self.metadata.clone()
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Map::from([(Profile::Default, self.dict.clone())]))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Example {
        cap: f64,
        nested: Nested,
        names: BTreeMap<String, u8>,
    }

    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Nested {
        list: Vec<u8>,
        retries: u32,
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn every_problem_of_a_file_is_told_with_its_key_not_only_the_first() {
        let text = "cap: much\nnested: {retry: 3, retries: -1, list: [1, 700]}\nnames: {a: b, c: 1}\nmore: 1\n";
        let file = file(text);
        let problems = config_problems::<Example>(Some(file.path()));
        let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(told.len(), 6, "{told:#?}");
        for key in ["`cap`", "retry", "`nested.retries`", "`nested.list", "`names.a`", "more"] {
            assert!(told.iter().any(|problem| problem.contains(key)), "{key}: {told:#?}");
        }
        assert!(told.iter().all(|problem| problem.contains(YAML_FILE)), "{told:#?}");
        assert!(config_problems::<Example>(None).is_empty());
    }

    #[test]
    fn a_file_that_is_no_list_of_keys_is_one_problem() {
        for text in ["- a\n", "text\n", "cap: [1"] {
            let file = file(text);
            assert_eq!(config_problems::<Example>(Some(file.path())).len(), 1, "{text}");
        }
    }

    #[test]
    fn each_value_is_known_by_the_layer_that_set_it() {
        let file = file("nested: {retries: 3}\n");
        let (config, origins) = load_with_origins::<Example>(Some(file.path())).unwrap();
        assert_eq!(config.nested.retries, 3);
        assert_eq!(origins.of("nested.retries"), Origin::File(file.path().to_owned()));
        assert_eq!(origins.of("nested.list"), Origin::Default);
        assert_eq!(variable("nested.retries"), "MORA__NESTED__RETRIES");
    }

    #[test]
    fn the_file_of_the_user_is_where_the_desktop_has_such_files() {
        let of = |folder: Option<&str>, home: Option<&str>| {
            configured(folder.map(OsString::from), home.map(OsString::from))
        };
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(of(Some("/c"), Some("/home/a")), path("/c/mora/config.yaml"));
        assert_eq!(of(None, Some("/home/a")), path("/home/a/.config/mora/config.yaml"));
        assert_eq!(of(Some(""), Some("/home/a")), path("/home/a/.config/mora/config.yaml"));
        assert_eq!(of(Some("relative"), None), None);
    }
}
