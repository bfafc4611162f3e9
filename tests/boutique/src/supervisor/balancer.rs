//! One stable address for all replicas of a service, balanced by connection as kube-proxy does.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::traffic::{Addresses, Counted};

/// Connections of one service at a time; more wait to be accepted.
const CONNECTIONS: usize = 2048;

/// A bound address, not yet served.
#[derive(Debug)]
pub(super) struct Balancer {
    listener: TcpListener,
    choice: Choice,
}

/// Which replica gets a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// The next one.
    InTurn,
    /// The oldest, while the others stand by: for what replicas do not share.
    Oldest,
}

impl Balancer {
    pub(super) fn new(listener: TcpListener, choice: Choice) -> Self {
        Self { listener, choice }
    }

    /// Gives every connection to one of the replicas that are ready then. Without one it is closed.
    ///
    /// Never ends by itself; all connections end with it.
    pub(super) async fn run(
        self,
        replicas: watch::Receiver<Vec<SocketAddr>>,
        addresses: Arc<Addresses>,
    ) {
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        let (mut connections, mut next) = (JoinSet::new(), 0_usize);
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let accepted = self.listener.accept().await;
            while connections.try_join_next().is_some() {}
            let Ok((visitor, from)) = accepted else { continue };
            let addresses = addresses.clone();
            let order = in_turn(&replicas.borrow(), next);
            if self.choice == Choice::InTurn {
                next = next.wrapping_add(1);
            }
            connections.spawn(async move {
                join(visitor, from.ip(), &order, &addresses).await;
                drop(place);
            });
        }
    }
}

/// All of `replicas`, from the one whose turn it is.
fn in_turn(replicas: &[SocketAddr], turn: usize) -> Vec<SocketAddr> {
    let mut order = replicas.to_vec();
    if !order.is_empty() {
        order.rotate_left(turn % replicas.len());
    }
    order
}

/// Passes bytes between the visitor and the first replica that takes the connection, until either closes.
async fn join(
    mut visitor: TcpStream,
    from: IpAddr,
    replicas: &[SocketAddr],
    addresses: &Addresses,
) {
    for replica in replicas {
        match TcpStream::connect(replica).await {
            Ok(stream) => {
                // A socket that refuses the option, or a side that breaks off, ends this connection only.
                let _slower = (visitor.set_nodelay(true), stream.set_nodelay(true));
                let (visitor_pod, replica) = (addresses.of(from), addresses.of(replica.ip()));
                let mut replica = Counted { stream, visitor: visitor_pod, replica };
                let _ended = copy_bidirectional(&mut visitor, &mut replica).await;
                return;
            }
            Err(error) => tracing::info!(%replica, %error, "a replica takes no connection"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_take_turns_and_none_takes_none() {
        let replicas = [1, 2, 3].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let ports =
            |turn| in_turn(&replicas, turn).iter().map(SocketAddr::port).collect::<Vec<_>>();
        assert_eq!([ports(0), ports(1), ports(5)], [[1, 2, 3], [2, 3, 1], [3, 1, 2]]);
        assert!(in_turn(&[], 7).is_empty());
    }
}
