//! What a process proves who it is with, and whom it believes.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;

/// Both ends speak HTTP/2 and nothing else.
const ALPN: &[u8] = b"h2";

/// Why files are no identity.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// A file has no certificate, or is broken.
    #[error("`tls.{key}` is no PEM file with certificates")]
    Certificates {
        /// The configuration key that names it, without `tls.`.
        key: &'static str,
        /// What is wrong.
        #[source]
        source: pem::Error,
    },
    /// The file of the private key has none, or is broken.
    #[error("`tls.key` is no PEM file with a private key")]
    Key(#[source] pem::Error),
    /// A certificate of the authority cannot be one.
    #[error("`tls.authority` has a certificate that cannot be an authority's")]
    Authority(#[source] rustls::Error),
    /// The authority cannot be used to check clients.
    #[error("`tls.authority` cannot be used to check who connects")]
    Verifier(#[source] VerifierBuilderError),
    /// Certificate and key are not of one pair, or of a kind that is not known.
    #[error("the certificate of `tls.certificate` cannot be used with the key of `tls.key`")]
    Pair(#[source] rustls::Error),
}

/// What a process proves who it is with, and whom it believes, ready for handshakes.
pub(crate) struct Identity {
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
}

impl Identity {
    /// Of the PEM texts of its certificates, its key and the authority.
    ///
    /// Only TLS 1.3 is spoken. Fails when a text is no PEM, or certificate and key do not belong together.
    pub(super) fn from_pem(
        [certificate, key, authority]: &[Vec<u8>; 3],
    ) -> Result<Self, IdentityError> {
        let chain = certificates(certificate, "certificate")?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(IdentityError::Key)?;
        let mut roots = RootCertStore::empty();
        for root in certificates(authority, "authority")? {
            roots.add(root).map_err(IdentityError::Authority)?;
        }
        let roots = Arc::new(roots);
        let provider = Arc::new(ring::default_provider());
        Ok(Self {
            client: client(&provider, &roots, chain.clone(), key.clone_key())?.into(),
            server: server(&provider, roots, chain, key)?.into(),
        })
    }
}

fn certificates(
    text: &[u8],
    key: &'static str,
) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let refused = |source| IdentityError::Certificates { key, source };
    let found: Vec<_> =
        CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(refused)?;
    if found.is_empty() { Err(refused(pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn client(
    provider: &Arc<CryptoProvider>,
    roots: &Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, IdentityError> {
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(IdentityError::Pair)?
        .with_root_certificates(roots.clone())
        .with_client_auth_cert(chain, key)
        .map_err(IdentityError::Pair)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(config)
}

fn server(
    provider: &Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, IdentityError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone())
        .build()
        .map_err(IdentityError::Verifier)?;
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .map_err(IdentityError::Pair)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(IdentityError::Pair)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A connection lasts; what a ticket would save is not worth that it outlives the certificate it was given for.
    config.send_tls13_tickets = 0;
    Ok(config)
}
