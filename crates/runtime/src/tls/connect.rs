//! The client's side: a channel over TLS.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::AsyncBufReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::{BoxError, Service};

use super::{Tls, TlsFailure};
use crate::channel::{EndpointError, kept_alive};

/// How long a server is waited for to speak first. A client has done its part of a handshake before the server has looked
/// at its certificate, so that only what comes next tells whether it was accepted; HTTP/2 servers say something at once.
const FIRST_WORD: Duration = Duration::from_secs(1);
const HTTPS_PORT: u16 = 443;

/// A channel over TLS; see [`super::Security::channel`].
pub(super) fn channel(
    tls: Arc<Tls>,
    endpoint: &str,
    connect_timeout: Duration,
) -> Result<Channel, EndpointError> {
    let (uri, name) = address(endpoint)?;
    let server_name = ServerName::try_from(name.clone())
        .map_err(|_| EndpointError::Name { endpoint: endpoint.to_owned(), name: name.clone() })?;
    let connector = Connector { tls, name, server_name };
    let endpoint = kept_alive(Endpoint::from(uri), connect_timeout);
    Ok(endpoint.connect_with_connector_lazy(connector))
}

/// The address in `endpoint` without the name before it, and the name its certificate must say.
fn address(endpoint: &str) -> Result<(Uri, String), EndpointError> {
    let no_endpoint =
        || EndpointError::NoEndpoint { endpoint: endpoint.to_owned(), begin: "https" };
    let rest = match endpoint.split_once("://") {
        Some(("https", rest)) => rest,
        Some(("http", _)) => {
            return Err(EndpointError::PlainText { endpoint: endpoint.to_owned() });
        }
        _ => return Err(no_endpoint()),
    };
    let (name, rest) = match rest.rsplit_once('@') {
        Some((name, rest)) => (Some(name), rest),
        None => (None, rest),
    };
    let uri: Uri = format!("https://{rest}").parse().map_err(|_| no_endpoint())?;
    let host = uri.host().ok_or_else(no_endpoint)?;
    let name = name.unwrap_or_else(|| unbracketed(host)).to_owned();
    Ok((uri, name))
}

fn unbracketed(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

/// Connects to servers and checks who they are.
#[derive(Clone)]
struct Connector {
    tls: Arc<Tls>,
    name: String,
    server_name: ServerName<'static>,
}

impl Connector {
    async fn connect(self, uri: Uri) -> Result<TokioIo<TlsStream<TcpStream>>, BoxError> {
        let host = unbracketed(uri.host().unwrap_or_default());
        let port = uri.port_u16().unwrap_or(HTTPS_PORT);
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        Ok(TokioIo::new(self.shake_hands(stream).await?))
    }

    async fn shake_hands(self, stream: TcpStream) -> Result<TlsStream<TcpStream>, TlsFailure> {
        let failure = |error| TlsFailure::of(error, &self.name);
        let connector = TlsConnector::from(self.tls.current().client.clone());
        let mut stream =
            connector.connect(self.server_name.clone(), stream).await.map_err(failure)?;
        match timeout(FIRST_WORD, stream.fill_buf()).await {
            Ok(Err(error)) => Err(failure(error)),
            Ok(Ok([])) => Err(TlsFailure::Broken(std::io::ErrorKind::UnexpectedEof.into())),
            // What it said is read by HTTP/2; a server that waits for us to speak will tell later.
            Ok(Ok(_)) | Err(_) => Ok(stream),
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        self.clone().connect(uri).boxed()
    }
}
