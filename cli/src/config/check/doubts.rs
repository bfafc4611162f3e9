//! What can be read and is probably not meant.

use std::path::Path;

use mora_runtime::KeyKind;
use serde_json::Value;

use crate::config::process::{Configuration, at};

/// Ends of keys that name a file which must be there.
const FILES: [&str; 6] =
    ["_file", "call_graph", "certificate", "authority", "tls.key", "recorded.path"];
/// Keys with names of namespaces, or patterns over them.
const NAMESPACES: [&str; 2] = ["namespaces", "exclude_namespaces"];
/// Keys that hold a secret themselves.
const SECRET: &str = "bearer_token";

/// A sentence for each doubt, beginning with its key.
pub(super) fn doubts(
    configuration: &Configuration,
    value: &Value,
    file: Option<&Path>,
) -> Vec<String> {
    let mut doubts = Vec::new();
    for key in &configuration.keys {
        let Some(set) = at(value, &key.path) else { continue };
        let name = key.path.as_str();
        let doubt = match (key.kind, set) {
            (KeyKind::Text, Value::String(text)) if FILES.iter().any(|end| name.ends_with(end)) => {
                absent(text)
            }
            (KeyKind::List, Value::Array(list)) if NAMESPACES.contains(&last(name)) => {
                list.iter().filter_map(Value::as_str).find_map(no_namespace)
            }
            (KeyKind::Text, Value::String(_)) if last(name) == SECRET => file.and_then(readable),
            (KeyKind::Text, Value::String(url)) if last(name) == "url" => no_address(url),
            _ => None,
        };
        doubts.extend(doubt.map(|doubt| format!("`{name}`: {doubt}")));
    }
    doubts.extend(in_plain_text(value));
    doubts
}

fn last(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn absent(path: &str) -> Option<String> {
    let absent = !path.is_empty() && !Path::new(path).is_file();
    absent.then(|| format!("there is no file {path} here; it must be there when it is read"))
}

/// Why `pattern` fits no namespace.
fn no_namespace(pattern: &str) -> Option<String> {
    let possible = |letter: char| {
        letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-*?".contains(letter)
    };
    let fits = !pattern.is_empty() && pattern.len() <= 63 && pattern.chars().all(possible);
    (!fits).then(|| {
        format!(
            "no namespace is called `{pattern}`: names have lower-case letters, digits and `-`; `*` and `?` stand for others"
        )
    })
}

fn no_address(url: &str) -> Option<String> {
    let address = url.is_empty()
        || url == "auto"
        || ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    (!address).then(|| "the address does not begin with http:// or https://".to_owned())
}

/// Whether others than its owner may read a file with a secret in it.
fn readable(file: &Path) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().ok()?.permissions().mode();
    (mode & 0o077 != 0).then(|| {
        format!(
            "others can read {}; use `bearer_token_file`, or `chmod 600` the file",
            file.display()
        )
    })
}

/// Credentials that would be sent to another machine for all to see.
fn in_plain_text(value: &Value) -> Option<String> {
    let prometheus = at(value, "prometheus").or_else(|| at(value, "source.prometheus"))?;
    let address = prometheus.get("url")?.as_str()?.strip_prefix("http://")?;
    let here = ["localhost", "127.", "[::1]"].iter().any(|host| address.starts_with(host));
    let set = |key: &str| prometheus.get(key).is_some_and(|value| !value.is_null());
    let credentials = ["bearer_token", "bearer_token_file", "basic_auth"].into_iter().any(set);
    (credentials && !here).then(|| {
        "`prometheus.url`: credentials are sent unencrypted over http://; use https:// unless the network is trusted".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Process;

    fn told(text: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, text).unwrap();
        let configuration = Process::Recommend.configuration();
        let (value, _) = (configuration.load)(Some(&path)).unwrap();
        doubts(&configuration, &value, Some(&path))
    }

    #[test]
    fn what_is_probably_not_meant_is_told_with_its_key() {
        let text = "call_graph: /absent/calls.yaml\nprometheus:\n  url: prometheus:9090\n  namespaces: [shop, Shop_Test]\n  bearer_token: sesame\n";
        let told = told(text);
        let keys: Vec<&str> = told.iter().map(|doubt| doubt.split('`').nth(1).unwrap()).collect();
        let expected =
            ["prometheus.url", "prometheus.namespaces", "prometheus.bearer_token", "call_graph"];
        assert_eq!(keys, expected, "{told:#?}");
        assert!(!told.iter().any(|doubt| doubt.contains("sesame")), "{told:#?}");
    }

    #[test]
    fn credentials_to_another_machine_want_encryption() {
        let of = |url: &str| {
            in_plain_text(&json!({"prometheus": {"url": url, "bearer_token_file": "/t"}})).is_some()
        };
        assert_eq!(
            ["http://p:9090", "https://p", "http://localhost:9090", "http://127.0.0.1:1/x"].map(of),
            [true, false, false, false]
        );
    }

    #[test]
    fn defaults_leave_no_doubt() {
        assert_eq!(told(""), Vec::<String>::new());
        assert_eq!(["shop", "team-*", "a?"].map(no_namespace), [None, None, None]);
    }
}
