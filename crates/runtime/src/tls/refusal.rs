//! Why a connection did not come about, in words that say what to change.

use std::error::Error;
use std::io;

use rustls::{AlertDescription, CertificateError};
use thiserror::Error;
use tonic::{Code, Status};

/// Why two components do not trust one another, as one of them sees it.
#[derive(Debug, Error)]
pub enum TlsFailure {
    /// The other's certificate is not believed.
    #[error("its certificate is not believed: {0}")]
    Disbelieved(String),
    /// The other does not believe ours, or wants one.
    #[error("it refused the connection: {0}")]
    Refused(&'static str),
    /// The other does not speak TLS.
    #[error(
        "it does not speak TLS; give it a `tls` block, or write http:// and remove the one here"
    )]
    PlainText,
    /// The connection broke.
    #[error("the connection broke while TLS was set up")]
    Broken(#[source] io::Error),
}

impl TlsFailure {
    /// What `error` of a handshake means; `name` is that of the other side, where it has to have one.
    pub(super) fn of(error: io::Error, name: &str) -> Self {
        let Some(cause) = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) else {
            return Self::Broken(error);
        };
        match cause {
            rustls::Error::InvalidCertificate(problem) => {
                Self::Disbelieved(disbelief(problem, name))
            }
            rustls::Error::NoCertificatesPresented => Self::Disbelieved(
                "it presented none; give it the block `tls` with a certificate of the authority here"
                    .to_owned(),
            ),
            rustls::Error::AlertReceived(alert) => Self::Refused(refusal(*alert)),
            rustls::Error::InvalidMessage(_) => Self::PlainText,
            _ => Self::Broken(error),
        }
    }
}

fn disbelief(problem: &CertificateError, name: &str) -> String {
    match problem {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "it is of another authority; give both sides certificates of one authority, or add that authority to the file of `tls.authority` here".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("it has expired; renew it ({problem})")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("it is not valid yet; check the clocks ({problem})")
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("it is not for `{name}`; add that name to it, or write an endpoint with a name that it has ({problem})")
        }
        other => other.to_string(),
    }
}

/// What the other side has against us, by the alert that it sent.
const fn refusal(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::CertificateRequired => {
            "it wants a certificate and was given none; set the block `tls` here"
        }
        AlertDescription::UnknownCA | AlertDescription::DecryptError => {
            "the certificate here is of an authority it does not know; use one of its authority, or add this one's to the file of its `tls.authority`"
        }
        AlertDescription::CertificateExpired => {
            "the certificate here has expired; renew the file of `tls.certificate`"
        }
        AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::AccessDenied => {
            "it does not accept the certificate here; check the file of `tls.certificate`, and whether it is for clients too"
        }
        AlertDescription::ProtocolVersion => "it does not speak TLS 1.3",
        AlertDescription::NoApplicationProtocol => {
            "it does not speak HTTP/2 over TLS; check that it is a component of MOrA"
        }
        _ => "the two did not agree on how to speak TLS; its log may say why",
    }
}

/// What went wrong with TLS, where that is why a call failed with `status`.
#[must_use]
pub fn tls_failure(status: &Status) -> Option<&TlsFailure> {
    let mut cause: Option<&(dyn Error + 'static)> = status.source();
    while let Some(error) = cause {
        if let Some(failure) = error.downcast_ref() {
            return Some(failure);
        }
        cause = error.source();
    }
    None
}

/// A server that speaks TLS ends a connection in plain text like one that goes away.
const BROKE: &str = "the connection broke; check its log, and if it speaks TLS, write https:// and set the block `tls` here";

/// Why a call failed, in words: what the server said, or what kept the call from reaching it.
#[must_use]
pub fn call_failure(status: &Status) -> String {
    if let Some(failure) = tls_failure(status) {
        return failure.to_string();
    }
    let broke = status.code() == Code::Unknown || status.message().starts_with("h2 protocol error");
    if broke && status.source().is_some_and(<dyn Error>::is::<tonic::transport::Error>) {
        return BROKE.to_owned();
    }
    status.message().to_owned()
}
