//! Bytes that pods receive and transmit, as the balancers pass them on. Every pod has an address of its own on loopback,
//! from which it also calls, so that either end of a connection tells which pod it is.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes of one pod since it is there.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    received: AtomicU64,
    transmitted: AtomicU64,
}

impl Traffic {
    pub(super) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(super) fn transmitted(&self) -> u64 {
        self.transmitted.load(Ordering::Relaxed)
    }
}

/// The pods there are, by address.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    pods: Mutex<BTreeMap<IpAddr, Arc<Traffic>>>,
    next: AtomicU32,
}

impl Addresses {
    fn pods(&self) -> MutexGuard<'_, BTreeMap<IpAddr, Arc<Traffic>>> {
        // Also after a panic elsewhere: an entry is made or removed by one call or not at all.
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An address that no pod of this application has had, of 127.64.0.0/10, and what is counted for it.
    pub(super) fn assign(&self) -> (IpAddr, Arc<Traffic>) {
        let address = address(self.next.fetch_add(1, Ordering::Relaxed));
        let traffic = Arc::<Traffic>::default();
        self.pods().insert(address, traffic.clone());
        (address, traffic)
    }

    /// The pod is gone.
    pub(super) fn release(&self, address: IpAddr) {
        self.pods().remove(&address);
    }

    /// What is counted for the pod at an address; `None` for whoever is no pod.
    pub(super) fn of(&self, address: IpAddr) -> Option<Arc<Traffic>> {
        self.pods().get(&address).cloned()
    }
}

fn address(number: u32) -> IpAddr {
    const FIRST: u32 = 0x7f40_0001;
    const MANY: u32 = 0x003f_fffe;
    Ipv4Addr::from_bits(FIRST + number % MANY).into()
}

/// A connection to a replica, whose bytes are counted for both ends.
#[derive(Debug)]
pub(super) struct Counted<S> {
    pub(super) stream: S,
    pub(super) visitor: Option<Arc<Traffic>>,
    pub(super) replica: Option<Arc<Traffic>>,
}

impl<S> Counted<S> {
    fn count_answered(&self, bytes: usize) {
        add(self.visitor.as_ref().map(|pod| &pod.received), bytes);
        add(self.replica.as_ref().map(|pod| &pod.transmitted), bytes);
    }

    fn count_asked(&self, bytes: usize) {
        add(self.visitor.as_ref().map(|pod| &pod.transmitted), bytes);
        add(self.replica.as_ref().map(|pod| &pod.received), bytes);
    }
}

fn add(counter: Option<&AtomicU64>, bytes: usize) {
    if let Some(counter) = counter {
        counter.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.count_answered(buffer.filled().len() - before);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = &polled {
            self.count_asked(*written);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn bytes_are_counted_for_both_ends() {
        let addresses = Addresses::default();
        let ((caller, asks), (callee, answers)) = (addresses.assign(), addresses.assign());
        let (stream, mut far) = tokio::io::duplex(64);
        let (visitor, replica) = (addresses.of(caller), addresses.of(callee));
        let mut counted = Counted { stream, visitor, replica };
        counted.write_all(b"question").await.unwrap();
        far.write_all(b"yes").await.unwrap();
        counted.read_exact(&mut [0; 3]).await.unwrap();
        assert_eq!((asks.transmitted(), asks.received()), (8, 3));
        assert_eq!((answers.transmitted(), answers.received()), (3, 8));
    }

    #[test]
    fn every_pod_has_an_address_of_its_own_while_it_is_there() {
        let addresses = Addresses::default();
        let ((first, _), (second, _)) = (addresses.assign(), addresses.assign());
        assert_eq!([first, second].map(|ip| ip.to_string()), ["127.64.0.1", "127.64.0.2"]);
        addresses.release(first);
        assert!(addresses.of(first).is_none() && addresses.of(second).is_some());
        assert_eq!(address(0x003f_fffd).to_string(), "127.127.255.254");
    }
}
