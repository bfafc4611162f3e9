//! What of a configuration is not shown.

use serde_json::Value;

/// What stands instead of a secret.
const HIDDEN: &str = "(not shown)";
/// Keys whose text is a secret; files with secrets are named by other keys.
const SECRETS: [&str; 3] = ["bearer_token", "password", "token"];
/// Keys whose values are secrets, whatever they are called.
const SECRET_MAPS: [&str; 1] = ["headers"];

/// Replaces the secrets in a configuration by a word: tokens, passwords, values of headers, and credentials in addresses.
pub fn hide_secrets(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                if SECRETS.contains(&key.as_str()) {
                    hide(inner);
                } else if let (true, Value::Object(values)) =
                    (SECRET_MAPS.contains(&key.as_str()), &mut *inner)
                {
                    values.values_mut().for_each(hide);
                } else {
                    hide_secrets(inner);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(hide_secrets),
        Value::String(text) => {
            if let Some(shown) = without_credentials(text) {
                *text = shown;
            }
        }
        _ => {}
    }
}

fn hide(value: &mut Value) {
    if !value.is_null() {
        *value = HIDDEN.into();
    }
}

/// The address without the name and password in it; nothing where it has none.
fn without_credentials(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let at = rest[..end].rfind('@')?;
    Some(format!("{scheme}://{HIDDEN}{}", &rest[at..]))
}

/// Whether what stands at `key` must not be shown in a message about it.
pub(super) fn holds_secret(key: &str) -> bool {
    ["token", "password", "auth", "headers", "url"].iter().any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tokens_headers_and_credentials_in_addresses_are_hidden_and_nothing_else() {
        let mut value = json!({
            "prometheus": {
                "url": "https://ali:sesame@example.org/prometheus",
                "bearer_token": "sesame",
                "bearer_token_file": "/run/token",
                "headers": {"X-Scope-OrgID": "sesame"},
                "basic_auth": {"username": "ali", "password_file": "/run/password"},
            },
            "workers": {"endpoints": {"shop/cart": "http://a:sesame@host:1"}},
            "list": ["http://example.org/?q=a@b"],
            "token": null,
        });
        hide_secrets(&mut value);
        assert!(!value.to_string().contains("sesame"), "{value}");
        assert_eq!(value["prometheus"]["url"], "https://(not shown)@example.org/prometheus");
        assert_eq!(value["prometheus"]["bearer_token_file"], "/run/token");
        assert_eq!(value["prometheus"]["basic_auth"]["username"], "ali");
        assert_eq!(value["list"][0], "http://example.org/?q=a@b");
        assert!(value["token"].is_null());
    }
}
