//! The server's side: connections whose handshake is done.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::{Connected, TcpConnectInfo};

use super::{Tls, TlsFailure};

/// Handshakes under way at once; further connections wait in the listener's queue.
const MOST_HANDSHAKES: usize = 64;
/// Longest time for one, so that who connects and says nothing keeps its place no longer.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// Pause after a connection that could not be accepted: it may be that no more files can be opened.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// A client that is not let in tries again and again; the log tells of one at most this often.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The connections to `listener` whose clients have proven who they are; others are left out and told of in the log.
///
/// Dropping it ends the handshakes that are under way.
pub(crate) fn accepting(
    listener: TcpListener,
    tls: Arc<Tls>,
) -> impl Stream<Item = io::Result<TlsConnection>> {
    let accepting = Accepting { listener, tls, handshakes: JoinSet::new(), told: None };
    futures::stream::unfold(accepting, |mut accepting| async move {
        let connection = accepting.next().await;
        Some((Ok(connection), accepting))
    })
}

struct Accepting {
    listener: TcpListener,
    tls: Arc<Tls>,
    handshakes: JoinSet<(SocketAddr, Result<TlsConnection, TlsFailure>)>,
    /// When the log was last told of a client that was not let in.
    told: Option<Instant>,
}

impl Accepting {
    async fn next(&mut self) -> TlsConnection {
        loop {
            let room = self.handshakes.len() < MOST_HANDSHAKES;
            tokio::select! {
                accepted = self.listener.accept(), if room => match accepted {
                    Ok((stream, peer)) => self.begin(stream, peer),
                    Err(error) => {
                        tracing::debug!("a connection could not be accepted: {error}");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                // A handshake that panicked is as good as one that failed.
                Some(Ok((peer, ended))) = self.handshakes.join_next() => match ended {
                    Ok(connection) => return connection,
                    Err(failure) => self.tell(peer, &failure),
                },
            }
        }
    }

    fn begin(&mut self, stream: TcpStream, peer: SocketAddr) {
        let acceptor = TlsAcceptor::from(self.tls.current().server.clone());
        self.handshakes.spawn(async move { (peer, shake_hands(acceptor, stream).await) });
    }

    fn tell(&mut self, peer: SocketAddr, failure: &TlsFailure) {
        let why = crate::with_causes(failure);
        if self.told.is_some_and(|told| told.elapsed() < TELL_EVERY) {
            tracing::debug!(%peer, "a client was not let in: {why}");
            return;
        }
        self.told = Some(Instant::now());
        tracing::warn!(%peer, "a client was not let in: {why}");
    }
}

async fn shake_hands(
    acceptor: TlsAcceptor,
    stream: TcpStream,
) -> Result<TlsConnection, TlsFailure> {
    // An answer is written in several pieces; without this, the last waits 40 ms for the client to acknowledge.
    stream.set_nodelay(true).map_err(TlsFailure::Broken)?;
    match timeout(HANDSHAKE_DEADLINE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Ok(TlsConnection(stream)),
        Ok(Err(error)) => Err(TlsFailure::of(error, "a client")),
        Err(_) => Err(TlsFailure::Broken(io::ErrorKind::TimedOut.into())),
    }
}

/// A connection whose client has proven who it is.
pub(crate) struct TlsConnection(TlsStream<TcpStream>);

impl TlsConnection {
    fn stream(self: Pin<&mut Self>) -> Pin<&mut TlsStream<TcpStream>> {
        Pin::new(&mut self.get_mut().0)
    }
}

impl Connected for TlsConnection {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        self.0.get_ref().0.connect_info()
    }
}

impl AsyncRead for TlsConnection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.stream().poll_read(context, buffer)
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.stream().poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream().poll_shutdown(context)
    }
}
