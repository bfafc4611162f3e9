//! Certificates that are not trusted.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::{Refused, from_prometheus};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server with a certificate of `authority` for `name`, which expired long ago if it is `expired`. It serves until the test ends.
fn served(authority: &Authority, name: &str, expired: bool) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    if expired {
        (params.not_before, params.not_after) =
            (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
    }
    let certificate = params.signed_by(&key, authority).unwrap().pem();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(builder.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let connection = ServerConnection::new(config.clone()).unwrap();
            // Whoever does not trust the certificate hangs up, and nobody else is here.
            let _refused = StreamOwned::new(connection, stream).read(&mut [0]);
        }
    });
    address
}

fn told(name: &str, address: SocketAddr, trusted: &str) -> i32 {
    let refused = Refused::new().file("authority.pem", trusted).port(address);
    let url = format!("https://{address}");
    let trust = ["--prometheus-ca-file", "authority.pem"];
    refused.is_told(name, &[&from_prometheus(&url)[..], &trust].concat())
}

#[test]
fn a_prometheus_whose_certificate_is_not_trusted_is_not_asked() {
    let (ours, other) = (authority(), authority());
    let (address, trusted) = (served(&ours, "127.0.0.1", false), ours.pem());
    assert_eq!(told("certificate-of-another-authority", address, &other.pem()), 1);
    assert_eq!(told("certificate-expired", served(&ours, "127.0.0.1", true), &trusted), 1);
    assert_eq!(
        told("certificate-of-another-name", served(&ours, "example.org", false), &trusted),
        1
    );
}

#[test]
fn authorities_that_cannot_be_read_are_named() {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 1));
    assert_eq!(told("authority-no-pem", nowhere, "not a certificate"), 1);
    let refused = Refused::new();
    let trust = ["--prometheus-ca-file", "absent.pem"];
    let arguments = [&from_prometheus("https://127.0.0.1:1")[..], &trust].concat();
    assert_eq!(refused.is_told("authority-absent", &arguments), 1);
}

#[test]
fn an_api_server_whose_certificate_is_not_trusted_is_not_asked() {
    let address = served(&authority(), "127.0.0.1", false);
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters: [{{name: c, cluster: {{server: \"https://{address}\", certificate-authority: authority.pem}}}}]\n\
         users: [{{name: u, user: {{token: open-sesame}}}}]\n\
         contexts: [{{name: test, context: {{cluster: c, user: u}}}}]\n"
    );
    let refused =
        Refused::new().file("config", &kubeconfig).file("authority.pem", &authority().pem());
    let refused = refused.variable("KUBECONFIG", "config").port(address);
    // With it, none is looked for, which would be refused at the same time.
    let scan = ["recommend", "--prometheus", "http://127.0.0.1:1"];
    assert_eq!(refused.is_told("api-server-certificate-of-another-authority", &scan), 1);
}
