//! How a command that asks a running process proves who it is.

use std::path::PathBuf;

use clap::Args;
use mora_runtime::{Security, TlsConfig, Token};

/// What is shown to a coordinator or collector that asks who calls.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ConnectArguments {
    /// PEM file with a certificate, for an address with https://
    #[arg(id = "tls_certificate", long = "tls-certificate", value_name = "FILE", env = "MORA_TLS_CERTIFICATE", requires_all = ["tls_key", "tls_authority"])]
    certificate: Option<PathBuf>,
    /// PEM file with the private key of that certificate
    #[arg(
        id = "tls_key",
        long = "tls-key",
        value_name = "FILE",
        env = "MORA_TLS_KEY",
        requires = "tls_certificate"
    )]
    key: Option<PathBuf>,
    /// PEM file with the authority of the other's certificate
    #[arg(
        id = "tls_authority",
        long = "tls-authority",
        value_name = "FILE",
        env = "MORA_TLS_AUTHORITY",
        requires = "tls_certificate"
    )]
    authority: Option<PathBuf>,
}

/// The token that a coordinator may ask for.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TokenArguments {
    /// File with the token of a coordinator that asks for one
    #[arg(long, value_name = "FILE", env = "MORA_TOKEN_FILE")]
    token_file: Option<PathBuf>,
}

impl ConnectArguments {
    /// How others are spoken to: with the certificate of the flags, else with the one that is configured, else in plain text.
    ///
    /// Fails when a file cannot be used.
    pub(crate) fn security(&self, configured: Option<&TlsConfig>) -> anyhow::Result<Security> {
        let flags = match (&self.certificate, &self.key, &self.authority) {
            (Some(certificate), Some(key), Some(authority)) => Some(TlsConfig {
                certificate: certificate.clone(),
                key: key.clone(),
                authority: authority.clone(),
                health_listen: None,
            }),
            _ => None,
        };
        Ok(Security::open(flags.as_ref().or(configured))?)
    }
}

impl TokenArguments {
    /// The token to send; none without the flag.
    ///
    /// Fails when the file has none that can be used.
    pub(crate) fn token(&self) -> anyhow::Result<Token> {
        Ok(Token::open(self.token_file.as_ref())?)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        arguments: ConnectArguments,
    }

    #[test]
    fn the_three_files_of_tls_are_given_together_and_one_that_is_none_is_told_with_its_flag() {
        for some in [["--tls-certificate", "a"], ["--tls-key", "a"], ["--tls-authority", "a"]] {
            assert!(Command::try_parse_from([&["mora"], &some[..]].concat()).is_err(), "{some:?}");
        }
        let all = ["--tls-certificate", "/absent/a", "--tls-key", "b", "--tls-authority", "c"];
        let command = Command::try_parse_from([&["mora"], &all[..]].concat()).unwrap();
        let error = format!("{:#}", command.arguments.security(None).unwrap_err());
        assert!(error.contains("/absent/a"), "{error}");
        assert!(!ConnectArguments::default().security(None).unwrap().is_on());
    }
}
