//! Configuration in layers: defaults, then a YAML file, then the environment.

mod keys;
mod layers;
mod nearest;
mod secrets;

use std::path::{Path, PathBuf};

use figment::error::Kind;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

pub use self::keys::{ConfigKey, KeyKind, config_keys};
pub use self::layers::{Origin, Origins, config_problems, default_config_file, load_with_origins};
use self::layers::{is_environment, variable};
use self::nearest::nearest;
pub use self::secrets::hide_secrets;
use self::secrets::holds_secret;

/// Why there is no usable configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}; check the path given with --config", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not YAML.
    #[error("the configuration file {} is not YAML that can be read; mend the line named below", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<serde_saphyr::Error>,
    },
    /// A key is unknown, or its value has the wrong type.
    #[error("{problem}; mend it in {layer}")]
    Value {
        /// The key and what is wrong with it.
        problem: String,
        /// The layer that set it.
        layer: String,
    },
}

/// The configuration `T`: its defaults, overlaid by `file`, overlaid by variables `MORA__KEY` and
/// `MORA__SECTION__KEY`.
///
/// Fails when the file cannot be read, or a layer sets an unknown key or a value of the wrong type;
/// the error names the layer. `T` must deny unknown fields.
pub fn load_config<T>(file: Option<&Path>) -> Result<T, ConfigError>
where
    T: Default + Serialize + DeserializeOwned,
{
    load_with_origins(file).map(|(config, _)| config)
}

fn describe(error: &figment::Error) -> ConfigError {
    let key = error.path.join(".");
    let problem = match &error.kind {
        Kind::UnknownField(name, known) => {
            let problem = unknown_key(&key, name, known);
            return ConfigError::Value { problem, layer: layer(error, &key) };
        }
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) if holds_secret(&key) => {
            format!("its value, which is not shown, is not {}", in_words(expected))
        }
        Kind::InvalidType(found, expected) | Kind::InvalidValue(found, expected) => {
            format!("{found} is not {}", in_words(expected))
        }
        Kind::UnknownVariant(name, known) => {
            format!("there is no `{name}`; use one of {}", known.join(", "))
        }
        kind => kind.to_string(),
    };
    let layer = layer(error, &key);
    let problem =
        if key.is_empty() { problem } else { format!("configuration key `{key}`: {problem}") };
    ConfigError::Value { problem, layer }
}

/// The layer that set `key`.
fn layer(error: &figment::Error, key: &str) -> String {
    match &error.metadata {
        Some(metadata) if is_environment(metadata) => {
            format!("the environment variable {}", variable(key))
        }
        Some(metadata) => match &metadata.source {
            Some(source) => format!("{} {source}", metadata.name),
            None => metadata.name.to_string(),
        },
        None => "the configuration".to_owned(),
    }
}

fn unknown_key(full: &str, name: &str, known: &[&str]) -> String {
    let listed = known.join(", ");
    match nearest(name, known) {
        Some(near) => format!(
            "there is no configuration key `{full}`; did you mean `{near}`? The keys here are {listed}"
        ),
        None => format!("there is no configuration key `{full}`; the keys here are {listed}"),
    }
}

/// What a type is called where it is not known that there are several of a kind.
fn in_words(expected: &str) -> &str {
    match expected {
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number of at least 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "a boolean" | "bool" => "true or false",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::io::Write;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Example {
        cap: f64,
        nested: Nested,
    }

    #[derive(Debug, PartialEq, Default, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Nested {
        names: Vec<String>,
        retries: u32,
        token: Option<String>,
    }

    impl Default for Example {
        fn default() -> Self {
            Self { cap: 0.8, nested: Nested::default() }
        }
    }

    fn from_text(text: &str) -> Result<Example, ConfigError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        load_config(Some(file.path()))
    }

    #[test]
    fn a_file_overlays_the_defaults_key_by_key() {
        let config = from_text("nested:\n  names: [a, b]\n").unwrap();
        assert!((config.cap - 0.8).abs() < f64::EPSILON);
        assert_eq!(config.nested.names, ["a", "b"]);
        assert_eq!(from_text("").unwrap(), Example::default());
    }

    #[test]
    fn an_unknown_key_names_itself_and_the_file() {
        let message = from_text("nested:\n  retry: 3\n").unwrap_err().to_string();
        assert!(
            message.starts_with(
                "there is no configuration key `nested.retry`; did you mean `retries`?"
            ),
            "{message}"
        );
        assert!(message.contains("the YAML file"), "{message}");
    }

    #[test]
    fn a_value_of_the_wrong_type_names_its_key() {
        let message = from_text("nested:\n  retries: many\n").unwrap_err().to_string();
        assert!(
            message.contains("nested.retries") && message.contains("the YAML file"),
            "{message}"
        );
    }

    #[test]
    fn a_value_that_may_be_secret_is_not_shown() {
        let wrong = from_text("nested:\n  token: 31415926535897\n").unwrap_err().to_string();
        assert!(wrong.contains("nested.token") && wrong.contains("a string"), "{wrong}");
        assert!(!wrong.contains("31415926535897"), "{wrong}");
        let broken = from_text("nested:\n  token: open-sesame\n  names: [a\ncap: }").unwrap_err();
        let broken = crate::with_causes(&broken);
        assert!(broken.contains("line"), "{broken}");
        assert!(!broken.contains("open-sesame"), "{broken}");
    }

    #[test]
    fn an_absent_file_and_broken_yaml_are_told_apart() {
        let absent = load_config::<Example>(Some(Path::new("/absent/mora.yaml"))).unwrap_err();
        assert!(matches!(absent, ConfigError::Read { .. }));
        assert!(matches!(from_text("cap: [1").unwrap_err(), ConfigError::Parse { .. }));
    }
}
