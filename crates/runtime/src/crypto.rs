//! The one implementation of TLS in a process.

/// Makes ring the TLS implementation of this process; a second call changes nothing.
///
/// To be called before any client that may use TLS is made.
pub fn install_crypto_provider() {
    // An error says that one is installed already, which serves as well.
    let _installed = rustls::crypto::ring::default_provider().install_default();
}
