use serde_json::Value;

use super::*;

/// Every schema within `schema`, with its path.
fn walk<'a>(path: &str, schema: &'a Value, each: &mut impl FnMut(&str, &'a Value)) {
    each(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), property, each);
    }
    if schema["items"].is_object() {
        walk(&format!("{path}[]"), &schema["items"], each);
    }
}

fn schemas(mut each: impl FnMut(&str, &Value)) {
    for definition in custom_resource_definitions() {
        let kind = definition["spec"]["names"]["kind"].as_str().unwrap().to_owned();
        let version = &definition["spec"]["versions"][0];
        walk(&kind, &version["schema"]["openAPIV3Schema"], &mut each);
    }
}

#[test]
fn schemas_are_structural_and_bounded() {
    let mut seen = 0;
    schemas(|path, schema| {
        seen += 1;
        let amount = schema["x-kubernetes-int-or-string"] == true;
        assert!(schema["type"].is_string() || amount, "{path} has no type");
        assert!(schema["additionalProperties"].is_null(), "{path} closes its properties");
        assert!(schema["x-kubernetes-preserve-unknown-fields"].is_null(), "{path} takes anything");
        if schema["type"] == "array" {
            assert!(schema["maxItems"].is_u64(), "{path} takes any number of items");
            assert!(schema["x-kubernetes-list-type"].is_string(), "{path} merges by chance");
        }
        if schema["type"] == "string" && schema["format"].is_null() && schema["enum"].is_null() {
            let internal = matches!(path.rsplit('.').next(), Some("apiVersion" | "kind"));
            assert!(internal || schema["maxLength"].is_u64(), "{path} takes any length");
        }
        let nulls = schema["enum"].as_array().is_some_and(|values| values.contains(&Value::Null));
        assert!(!nulls, "{path} lists null, which the API server refuses");
        let known = ["int32", "int64", "double", "date-time"];
        assert!(schema["format"].as_str().is_none_or(|f| known.contains(&f)), "{path}");
    });
    assert!(seen > 90, "{seen} schemas");
}

#[test]
fn keys_of_lists_are_required_or_have_a_default() {
    let mut lists = 0;
    schemas(|path, schema| {
        let items = &schema["items"];
        for key in schema["x-kubernetes-list-map-keys"].as_array().into_iter().flatten() {
            lists += 1;
            let required = items["required"].as_array().is_some_and(|keys| keys.contains(key));
            let default = &items["properties"][key.as_str().unwrap()]["default"];
            assert!(required || default.is_string(), "{path}: {key}");
        }
    });
    assert_eq!(lists, 7);
}

#[test]
fn every_mode_is_spelled_as_documented() {
    let spelled: Vec<Value> = mora_core::ApplyMode::ALL
        .into_iter()
        .map(|mode| serde_json::to_value(Mode::from(mode)).unwrap())
        .collect();
    assert_eq!(spelled, ["Off", "Patch", "InPlace", "Scheduled", "VPA", "GitOps"]);
    for mode in mora_core::ApplyMode::ALL {
        assert_eq!(mora_core::ApplyMode::from(Mode::from(mode)), mode);
    }
}

#[test]
fn an_amount_may_be_written_as_a_number() {
    let read = |text: &str| serde_json::from_str::<Amount>(text).map(|amount| amount.0);
    assert_eq!(read("2").unwrap(), "2");
    assert_eq!(read("\"250m\"").unwrap(), "250m");
    assert!(read("true").is_err());
}
