use std::path::Path;

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::service::Routes;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::*;
use crate::{GrpcServer, Readiness, ServeError};

const NAME: &str = "mora-worker-cart.mora.svc";
const CONNECT: Duration = Duration::from_secs(10);

/// Who signs.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// The years in which a certificate is valid.
type Years = std::ops::Range<i32>;
const VALID: Years = 2020..4000;
const EXPIRED: Years = 2020..2021;

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Files in `folder`: a certificate for `name` and its key, and who is trusted. Each is replaced whole.
    fn write(&self, folder: &Path, name: &str, years: &Years, trusted: &[&Self]) -> TlsConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(years.start, 1, 1);
        params.not_after = date_time_ymd(years.end, 1, 1);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let authority: String = trusted.iter().map(|authority| authority.0.pem()).collect();
        let written = |file: &str, text: String| {
            let path = folder.join(file);
            std::fs::write(folder.join("new"), text).unwrap();
            std::fs::rename(folder.join("new"), &path).unwrap();
            path
        };
        TlsConfig {
            certificate: written("certificate.pem", certificate.pem()),
            key: written("key.pem", key.serialize_pem()),
            authority: written("authority.pem", authority),
            health_listen: None,
        }
    }
}

/// One side with its own folder of files, which are looked at each time they are needed.
struct Side {
    folder: TempDir,
    config: TlsConfig,
    security: Security,
}

impl Side {
    fn new(signed_by: &Authority, name: &str, trusting: &Authority) -> Self {
        Self::valid(signed_by, name, &VALID, trusting)
    }

    fn valid(signed_by: &Authority, name: &str, years: &Years, trusting: &Authority) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = signed_by.write(folder.path(), name, years, &[trusting]);
        let security = Security::looking_every(Some(&config), Duration::ZERO).unwrap();
        Self { folder, config, security }
    }

    fn client(authority: &Authority) -> Self {
        Self::new(authority, "mora-coordinator", authority)
    }

    fn replace(&self, signed_by: &Authority, trusted: &[&Authority]) {
        signed_by.write(self.folder.path(), NAME, &VALID, trusted);
    }
}

/// A server that only tells of its health.
struct Running {
    address: SocketAddr,
    probed: Option<SocketAddr>,
    readiness: Readiness,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
}

impl Running {
    async fn start(security: &Security) -> Self {
        let server = GrpcServer::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let server = server.secured(security.clone()).await.unwrap();
        let (address, probed) = (server.address(), server.health_address());
        let readiness = Readiness::unready(&["mora.v1.ForecastService"]).await;
        let stop = CancellationToken::new();
        let serving = server.serve(Routes::default(), readiness.clone(), stop.clone());
        let serving = tokio::spawn(serving);
        Self { address, probed, readiness, stop, serving }
    }

    /// The endpoint of the server, whose certificate says [`NAME`].
    fn endpoint(&self) -> String {
        format!("https://{NAME}@{}", self.address)
    }

    async fn stop(self) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
    }
}

fn whole() -> HealthCheckRequest {
    HealthCheckRequest { service: String::new() }
}

async fn check(security: &Security, endpoint: &str) -> Result<ServingStatus, Status> {
    let channel = security.channel(endpoint, CONNECT).unwrap();
    Ok(HealthClient::new(channel).check(whole()).await?.into_inner().status())
}

/// Why a client and a server do not come together, as the client sees it.
async fn refusal(client: &Security, server: &Security) -> String {
    let running = Running::start(server).await;
    let status = check(client, &running.endpoint()).await.unwrap_err();
    running.stop().await;
    assert!(tls_failure(&status).is_some(), "{status:?}");
    assert_eq!(status.code(), tonic::Code::Unavailable);
    call_failure(&status)
}

#[tokio::test]
async fn two_sides_with_certificates_of_one_authority_speak() {
    let authority = Authority::new();
    let (server, client) = (Side::new(&authority, NAME, &authority), Side::client(&authority));
    let running = Running::start(&server.security).await;
    let told = check(&client.security, &running.endpoint()).await.unwrap();
    assert_eq!(told, ServingStatus::NotServing);
    running.readiness.ready().await;
    let told = check(&client.security, &running.endpoint()).await.unwrap();
    assert_eq!(told, ServingStatus::Serving);
    running.stop().await;
}

#[tokio::test]
async fn a_name_in_the_endpoint_or_its_host_is_what_the_certificate_must_say() {
    let authority = Authority::new();
    let (server, client) =
        (Side::new(&authority, "127.0.0.1", &authority), Side::client(&authority));
    let running = Running::start(&server.security).await;
    check(&client.security, &format!("https://{}", running.address)).await.unwrap();
    running.stop().await;
    let server = Side::new(&authority, "other.mora.svc", &authority);
    let why = refusal(&client.security, &server.security).await;
    assert!(why.contains(&format!("not for `{NAME}`")), "{why}");
    assert!(why.contains("other.mora.svc"), "{why}");
}

#[tokio::test]
async fn a_client_without_a_certificate_is_told_that_one_is_wanted() {
    let authority = Authority::new();
    let (server, client) = (Side::new(&authority, NAME, &authority), Side::client(&authority));
    let config = &client.config;
    let paths = [config.certificate.clone(), config.key.clone(), config.authority.clone()];
    let files = Reloaded::open(paths, Duration::ZERO, anonymous).unwrap();
    let anonymous = Security(Some(Arc::new(Tls { files, health_listen: None })));
    let why = refusal(&anonymous, &server.security).await;
    assert!(why.contains("wants a certificate"), "{why}");
}

/// An identity that shows none to servers.
fn anonymous(contents: &[Vec<u8>; 3]) -> Result<Identity, IdentityError> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&contents[2]).unwrap()).unwrap();
    let provider = rustls::crypto::ring::default_provider();
    let mut client = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Identity { client: Arc::new(client), ..Identity::from_pem(contents)? })
}

#[tokio::test]
async fn certificates_of_another_authority_are_refused_on_either_side() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = Side::new(&ours, NAME, &ours);
    let stranger = Side::new(&theirs, "mora-coordinator", &ours);
    let why = refusal(&stranger.security, &server.security).await;
    assert!(why.contains("of an authority it does not know"), "{why}");
    let distrustful = Side::new(&ours, "mora-coordinator", &theirs);
    let why = refusal(&distrustful.security, &server.security).await;
    assert!(why.contains("it is of another authority") && why.contains("tls.authority"), "{why}");
}

#[tokio::test]
async fn certificates_that_have_expired_are_refused_on_either_side() {
    let authority = Authority::new();
    let server = Side::new(&authority, NAME, &authority);
    let client = Side::valid(&authority, "mora-coordinator", &EXPIRED, &authority);
    let why = refusal(&client.security, &server.security).await;
    assert!(why.contains("the certificate here has expired"), "{why}");
    let server = Side::valid(&authority, NAME, &EXPIRED, &authority);
    let why = refusal(&Side::client(&authority).security, &server.security).await;
    assert!(why.contains("it has expired; renew it"), "{why}");
}

#[tokio::test]
async fn files_that_were_replaced_are_used_for_the_next_connection_and_calls_in_flight_go_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let (server, client) = (Side::new(&old, NAME, &old), Side::client(&old));
    let running = Running::start(&server.security).await;
    let channel = client.security.channel(&running.endpoint(), CONNECT).unwrap();
    let watching = HealthClient::new(channel).watch(whole()).await.unwrap();
    let mut watching = watching.into_inner();
    let told = watching.message().await.unwrap().unwrap();
    assert_eq!(told.status(), ServingStatus::NotServing);

    server.replace(&new, &[&new]);
    let why = call_failure(&check(&client.security, &running.endpoint()).await.unwrap_err());
    assert!(why.contains("it is of another authority"), "{why}");
    client.replace(&new, &[&new]);
    let told = check(&client.security, &running.endpoint()).await.unwrap();
    assert_eq!(told, ServingStatus::NotServing);

    running.readiness.ready().await;
    let told = watching.message().await.unwrap().unwrap();
    assert_eq!(told.status(), ServingStatus::Serving);
    drop(watching);
    running.stop().await;
}

#[tokio::test]
async fn broken_files_leave_the_certificate_in_use() {
    let authority = Authority::new();
    let (server, client) = (Side::new(&authority, NAME, &authority), Side::client(&authority));
    let running = Running::start(&server.security).await;
    for text in ["", "no PEM", &KeyPair::generate().unwrap().serialize_pem()] {
        std::fs::write(&server.config.key, text).unwrap();
        check(&client.security, &running.endpoint()).await.unwrap();
    }
    std::fs::remove_file(&server.config.certificate).unwrap();
    check(&client.security, &running.endpoint()).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn clients_that_connect_and_say_nothing_keep_no_other_from_being_answered() {
    let authority = Authority::new();
    let (server, client) = (Side::new(&authority, NAME, &authority), Side::client(&authority));
    let running = Running::start(&server.security).await;
    let mut silent = Vec::new();
    for _ in 0..16 {
        silent.push(TcpStream::connect(running.address).await.unwrap());
    }
    check(&client.security, &running.endpoint()).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn health_is_told_in_plain_text_where_it_is_wanted_and_nothing_else_is() {
    let authority = Authority::new();
    let side = Side::new(&authority, NAME, &authority);
    let health_listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let config = TlsConfig { health_listen, ..side.config.clone() };
    let running = Running::start(&Security::open(Some(&config)).unwrap()).await;
    let plain = Security::default();
    let probed = format!("http://{}", running.probed.unwrap());
    assert_eq!(check(&plain, &probed).await.unwrap(), ServingStatus::NotServing);
    running.readiness.ready().await;
    assert_eq!(check(&plain, &probed).await.unwrap(), ServingStatus::Serving);
    let channel = plain.channel(&probed, CONNECT).unwrap();
    let request = tonic::Request::new(mora_proto::v1::ListModelsRequest { workload: None });
    let mut other = mora_proto::v1::forecast_service_client::ForecastServiceClient::new(channel);
    let status = other.list_models(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unimplemented);
    drop(other);
    running.stop().await;
}

#[tokio::test]
async fn plain_text_and_tls_do_not_meet_and_the_error_says_what_to_change() {
    let authority = Authority::new();
    let side = Side::new(&authority, NAME, &authority);
    let plain = Running::start(&Security::default()).await;
    let status = check(&side.security, &format!("https://{}", plain.address)).await.unwrap_err();
    assert!(call_failure(&status).contains("write http://"), "{status:?}");
    plain.stop().await;
    let secured = Running::start(&side.security).await;
    let endpoint = format!("http://{}", secured.address);
    let status = check(&Security::default(), &endpoint).await.unwrap_err();
    assert!(call_failure(&status).contains("write https://"), "{status:?}");
    secured.stop().await;
}

#[tokio::test]
async fn an_endpoint_must_begin_as_this_process_speaks() {
    let authority = Authority::new();
    let side = Side::client(&authority);
    let refused = |security: &Security, endpoint: &str| {
        security.channel(endpoint, CONNECT).unwrap_err().to_string()
    };
    let secured = refused(&side.security, "http://mora-collector.mora.svc:50062");
    assert!(secured.contains("write https://"), "{secured}");
    let plain = refused(&Security::default(), "https://mora-collector.mora.svc:50062");
    assert!(plain.contains("set `tls`"), "{plain}");
    for text in ["mora-collector:50062", "https://", "no address", "https://a b:1"] {
        let message = refused(&side.security, text);
        assert!(message.contains("write https://host:port"), "{message}");
    }
    let name = refused(&side.security, "https://no_name!@10.0.0.1:50062");
    assert!(name.contains("no name a certificate can have"), "{name}");
}

#[test]
fn files_that_make_no_certificate_are_told_by_their_key() {
    let authority = Authority::new();
    let side = Side::client(&authority);
    let other = KeyPair::generate().unwrap().serialize_pem();
    let certificate = std::fs::read_to_string(&side.config.certificate).unwrap();
    for (path, text, expected) in [
        (&side.config.key, other.as_str(), "cannot be used with the key of `tls.key`"),
        (&side.config.key, "", "`tls.key` is no PEM file"),
        (&side.config.certificate, "", "`tls.certificate` is no PEM file"),
        (&side.config.authority, "", "`tls.authority` is no PEM file"),
        (&side.config.authority, certificate.as_str(), ""),
    ] {
        let before = std::fs::read(path).unwrap();
        std::fs::write(path, text).unwrap();
        match Security::open(Some(&side.config)) {
            Ok(_) => assert_eq!(expected, "", "{text}"),
            Err(error) => {
                let message = crate::with_causes(&error);
                assert!(!expected.is_empty() && message.contains(expected), "{message}");
            }
        }
        std::fs::write(path, before).unwrap();
    }
    std::fs::remove_file(&side.config.key).unwrap();
    let message = crate::with_causes(&Security::open(Some(&side.config)).unwrap_err());
    assert!(message.contains("key.pem"), "{message}");
    assert!(!format!("{:?}", side.security).contains("PRIVATE"), "{:?}", side.security);
}
