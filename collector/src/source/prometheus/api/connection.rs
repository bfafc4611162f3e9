//! Where Prometheus is, and as whom it is asked.

use std::path::Path;
use std::time::Duration;

use mora_runtime::with_causes;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, ClientBuilder, Url};

use super::super::config::PrometheusConfig;
use super::super::error::PrometheusError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn base_url(text: &str) -> Result<Url, PrometheusError> {
    if text.is_empty() {
        return Err(PrometheusError::NoUrl);
    }
    let refuse = |problem: String| PrometheusError::Url { url: without_credentials(text), problem };
    let url: Url = text.parse().map_err(|error| refuse(format!("{error}")))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        other => Err(refuse(format!("it starts with `{other}:` and not with http:// or https://"))),
    }
}

/// `url` as it may be shown.
pub(in super::super) fn without_credentials(url: &str) -> String {
    let Ok(mut parsed) = url.parse::<Url>() else {
        // What cannot be taken apart is cut off after all that could be a password.
        return url.rsplit_once('@').map_or(url, |(_, address)| address).to_owned();
    };
    // Both fail only where a URL cannot have credentials, and then there is nothing to hide.
    let _password = parsed.set_password(None);
    let _username = parsed.set_username("");
    parsed.to_string().trim_end_matches('/').to_owned()
}

/// A client of `url` with the credentials, certificates and deadlines of `config`.
pub(super) fn builder(
    config: &PrometheusConfig,
    url: &Url,
) -> Result<ClientBuilder, PrometheusError> {
    let builder = reqwest::Client::builder()
        .default_headers(headers(config)?)
        .timeout(Duration::from_secs(config.timeout_seconds.max(1)))
        .connect_timeout(CONNECT_TIMEOUT);
    let builder = trusting(builder, config, url)?;
    // A proxy of the environment knows nothing of this machine's ports, and must not learn the secret.
    let is_local = config.tunnel.as_ref().is_some_and(|tunnel| tunnel.is_local());
    Ok(if is_local { builder.no_proxy() } else { builder })
}

fn trusting(
    builder: ClientBuilder,
    config: &PrometheusConfig,
    url: &Url,
) -> Result<ClientBuilder, PrometheusError> {
    const KEY: &str = "source.prometheus.ca_file";
    match &config.ca_file {
        Some(path) => {
            let pem = read(path, KEY)?;
            let certificates = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|error| {
                PrometheusError::Setting { key: KEY.to_owned(), problem: with_causes(&error) }
            })?;
            if certificates.is_empty() {
                let problem = format!(
                    "{} holds no certificate; name the PEM file of an authority",
                    path.display()
                );
                return Err(PrometheusError::Setting { key: KEY.to_owned(), problem });
            }
            Ok(builder.tls_certs_only(certificates))
        }
        // Plain HTTP must work where the system has no certificates, as in an image with nothing else in it.
        None if url.scheme() == "http" => Ok(builder.tls_certs_only([])),
        None => Ok(builder),
    }
}

fn headers(config: &PrometheusConfig) -> Result<HeaderMap, PrometheusError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        let key = || format!("source.prometheus.headers.{name}");
        let refuse = |problem: String| PrometheusError::Setting { key: key(), problem };
        let header = HeaderName::try_from(name).map_err(|error| refuse(error.to_string()))?;
        let value = HeaderValue::from_str(value.reveal());
        let mut value = value.map_err(|error| refuse(error.to_string()))?;
        // Some gateways take a key in a header of their own.
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    if let Some((key, credentials)) = credentials(config)? {
        let mut value = HeaderValue::from_str(&credentials).map_err(|error| {
            PrometheusError::Setting { key: key.to_owned(), problem: error.to_string() }
        })?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// The value of the `Authorization` header and the key it comes from.
fn credentials(
    config: &PrometheusConfig,
) -> Result<Option<(&'static str, String)>, PrometheusError> {
    const TOKEN_FILE: &str = "source.prometheus.bearer_token_file";
    const PASSWORD_FILE: &str = "source.prometheus.basic_auth.password_file";
    match (&config.bearer_token, &config.bearer_token_file, &config.basic_auth) {
        (None, None, None) => Ok(None),
        (Some(token), None, None) => {
            Ok(Some(("source.prometheus.bearer_token", format!("Bearer {}", token.reveal()))))
        }
        (None, Some(path), None) => {
            Ok(Some((TOKEN_FILE, format!("Bearer {}", read(path, TOKEN_FILE)?.trim()))))
        }
        (None, None, Some(basic)) => {
            let password = read(&basic.password_file, PASSWORD_FILE)?;
            let pair = format!("{}:{}", basic.username, password.trim_end_matches(['\r', '\n']));
            Ok(Some((PASSWORD_FILE, format!("Basic {}", base64_of(&pair)))))
        }
        _ => Err(PrometheusError::SeveralCredentials),
    }
}

fn base64_of(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn read(path: &Path, key: &'static str) -> Result<String, PrometheusError> {
    std::fs::read_to_string(path).map_err(|source| PrometheusError::File {
        path: path.to_owned(),
        key,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_in_an_address_are_not_shown() {
        assert_eq!(
            without_credentials("https://me:secret@example.org/prom/"),
            "https://example.org/prom"
        );
        assert_eq!(without_credentials("not an address"), "not an address");
        assert_eq!(without_credentials("http://me:secret@no host/"), "no host/");
    }
}
