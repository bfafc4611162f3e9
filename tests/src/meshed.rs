//! A small application whose calls are known, as each of four meshes tells Prometheus of them.

mod families;

use std::io::{self, Write};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mora_core::{Step, WorkloadKind};

use crate::open_metrics::OpenMetricsWriter;
use crate::prometheus::Shared;
use crate::{PrometheusError, PrometheusServer, Recording};

/// Who tells of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mesh {
    /// Istio's sidecars.
    Istio,
    /// Linkerd's proxies.
    Linkerd,
    /// Cilium's Hubble.
    Hubble,
    /// OpenTelemetry's connector `servicegraph`.
    ServiceGraph,
}

/// The application in one namespace: `frontend` calls `cart` and `catalog`, `cart` calls the StatefulSet `redis`, and
/// the StatefulSet `reports` of the namespace `office` calls `cart`.
#[derive(Debug, Clone, Copy)]
pub struct MeshedShop {
    /// Its namespace.
    pub namespace: &'static str,
    /// Who tells of its requests, and by how much each multiplies their rates.
    pub meshes: &'static [(Mesh, f64)],
}

impl MeshedShop {
    /// One application for each mesh, and one of which all tell, with rates of 1, 2, 3 and 4 times the others'.
    pub const ALL: [Self; 5] = [
        Self { namespace: "istio-shop", meshes: &[(Mesh::Istio, 1.0)] },
        Self { namespace: "linkerd-shop", meshes: &[(Mesh::Linkerd, 1.0)] },
        Self { namespace: "hubble-shop", meshes: &[(Mesh::Hubble, 1.0)] },
        Self { namespace: "graph-shop", meshes: &[(Mesh::ServiceGraph, 1.0)] },
        Self {
            namespace: "every-shop",
            meshes: &[
                (Mesh::Istio, 1.0),
                (Mesh::Linkerd, 2.0),
                (Mesh::Hubble, 3.0),
                (Mesh::ServiceGraph, 4.0),
            ],
        },
    ];
}

/// A running Prometheus that holds an hour of every [`MeshedShop`] and of `office`, at constant rates.
#[derive(Debug)]
pub struct Meshed {
    server: PrometheusServer,
    newest: Timestamp,
}

/// How long it holds, in minutes.
const MINUTES: usize = 60;

impl Meshed {
    /// The one all running tests of this process share.
    ///
    /// Fails when a tool is missing or Prometheus does not get ready.
    pub fn shared() -> Result<Arc<Self>, PrometheusError> {
        static SHARED: Shared<Meshed> = Shared::new();
        SHARED.get_or_start(|| {
            let now = Timestamp::now();
            let newest = Step::MINUTE.floor(now.saturating_sub(Recording::AGE).unwrap_or(now));
            let server = PrometheusServer::start(|out| write(newest, out))?;
            Ok(Self { server, newest })
        })
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url()
    }

    /// The instant of the newest sample.
    #[must_use]
    pub const fn newest(&self) -> Timestamp {
        self.newest
    }
}

fn write<W: Write>(newest: Timestamp, out: W) -> io::Result<W> {
    let mut text = OpenMetricsWriter::new(out);
    write_families(&mut text, &MeshedShop::ALL, newest)?;
    text.finish()
}

/// Writes an hour up to `newest` of all metrics of `shops`.
pub(crate) fn write_families<W: Write>(
    text: &mut OpenMetricsWriter<W>,
    shops: &[MeshedShop],
    newest: Timestamp,
) -> io::Result<()> {
    for family in families::ALL {
        text.family(family.name, family.kind)?;
        for counter in shops.iter().flat_map(family.counters) {
            let labels: Vec<(&str, &str)> =
                counter.labels.iter().map(|(label, value)| (*label, value.as_str())).collect();
            text.series(family.name, &labels, grown(newest, counter.rate))?;
        }
    }
    Ok(())
}

/// A counter that grows by `rate` a second, once a minute.
fn grown(newest: Timestamp, rate: f64) -> impl Iterator<Item = (Timestamp, f64)> {
    (0..MINUTES).map(move |minute| {
        let age = SignedDuration::from_mins((MINUTES - 1 - minute) as i64);
        (newest.saturating_sub(age).unwrap_or(newest), rate * 60.0 * minute as f64)
    })
}

/// A workload as labels name it.
#[derive(Debug, Clone, Copy)]
struct Side {
    namespace: &'static str,
    name: &'static str,
    kind: WorkloadKind,
}

/// Requests of one caller to one callee.
#[derive(Debug, Clone, Copy)]
struct Call {
    /// `None` for those from outside.
    caller: Option<Side>,
    callee: Side,
    /// Per second.
    rate: f64,
    failed: Failed,
    latency: Latency,
}

/// The share of requests that fail, and how they tell.
#[derive(Debug, Clone, Copy)]
enum Failed {
    None,
    /// With status 503.
    Http(f64),
    /// With gRPC's status 14 over HTTP 200, where a mesh tells either.
    Grpc(f64),
}

/// Shares of requests that take at most 5, 10, 25, 50 and 100 ms.
type Latency = [f64; 5];

const SLOW: Latency = [0.5, 0.8, 0.9, 0.97, 1.0];
const FAST: Latency = [0.9, 0.98, 0.99, 1.0, 1.0];

impl Failed {
    const fn share(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Http(share) | Self::Grpc(share) => share,
        }
    }
}

/// The calls within and into `namespace`, `scale` times the stated rates.
fn calls(namespace: &'static str, scale: f64) -> Vec<Call> {
    let deployment = |name| Side { namespace, name, kind: WorkloadKind::Deployment };
    let (frontend, cart, catalog) =
        (deployment("frontend"), deployment("cart"), deployment("catalog"));
    let redis = Side { namespace, name: "redis", kind: WorkloadKind::StatefulSet };
    let reports = Side { namespace: "office", name: "reports", kind: WorkloadKind::StatefulSet };
    let call = |caller, callee, rate: f64, failed, latency| Call {
        caller,
        callee,
        rate: rate * scale,
        failed,
        latency,
    };
    vec![
        call(None, frontend, 10.0, Failed::None, SLOW),
        call(Some(frontend), cart, 8.0, Failed::Http(0.05), SLOW),
        call(Some(reports), cart, 1.0, Failed::Http(0.05), SLOW),
        call(Some(frontend), catalog, 20.0, Failed::Grpc(0.02), FAST),
        call(None, catalog, 0.5, Failed::Grpc(0.02), FAST),
        call(Some(cart), redis, 12.0, Failed::None, FAST),
    ]
}
