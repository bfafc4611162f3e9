//! What the Online Boutique is made of.
//!
//! Call ratios and CPU are those of one real day of the application near 8.6 requests per second
//! (Nezha, FSE 2023); claims are those of its stock manifests.

use mora_core::{Bytes, Millicores, ResourceClaim};

/// CPU a pod should use at the weekly peak, in millicores; it sets the number of replicas.
const CPU_PER_REPLICA: f64 = 150.0;
/// Weekly peak of the load over its mean.
const PEAK: f64 = 1.85;

/// One workload of the boutique. CPU in millicores, memory in MiB.
#[derive(Debug)]
pub struct Profile {
    /// Its name.
    pub name: &'static str,
    /// The container's name.
    pub container: &'static str,
    /// Request and limit.
    pub cpu_claim: (u64, u64),
    /// Request and limit.
    pub memory_claim: (u64, u64),
    /// CPU of a pod without load.
    pub idle_cpu: f64,
    /// CPU per request received per second.
    pub cpu_per_rate: f64,
    /// How memory develops.
    pub memory: Memory,
    /// Whether more than one pod may run.
    pub scales: bool,
}

impl Profile {
    /// What a pod claims by the stock manifest.
    #[must_use]
    pub const fn claim(&self) -> ResourceClaim {
        ResourceClaim {
            cpu_request: Some(Millicores::new(self.cpu_claim.0)),
            cpu_limit: Some(Millicores::new(self.cpu_claim.1)),
            memory_request: Some(Bytes::from_mebibytes(self.memory_claim.0)),
            memory_limit: Some(Bytes::from_mebibytes(self.memory_claim.1)),
        }
    }
}

/// How the memory of a pod develops, in MiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Right after the start.
    pub base: f64,
    /// What caches add until they are full.
    pub cache: f64,
    /// What the mean load adds; more load, more memory.
    pub load: f64,
    /// Memory that is never given back; `None` for none.
    pub leak: Option<Leak>,
}

/// Memory that grows until the container restarts.
#[derive(Debug, Clone, Copy)]
pub struct Leak {
    /// MiB per hour.
    pub per_hour: f64,
    /// Hours between restarts.
    pub restart_hours: f64,
}

/// Calls of one workload to another, by index into [`PROFILES`].
#[derive(Debug)]
pub struct Edge {
    /// The caller.
    pub caller: usize,
    /// The callee.
    pub callee: usize,
    /// Calls per request of the caller.
    pub ratio: f64,
}

pub(crate) const AD: usize = 0;
pub(crate) const CART: usize = 1;
pub(crate) const CHECKOUT: usize = 2;
pub(crate) const CURRENCY: usize = 3;
pub(crate) const EMAIL: usize = 4;
pub(crate) const FRONTEND: usize = 5;
pub(crate) const PAYMENT: usize = 6;
pub(crate) const CATALOG: usize = 7;
pub(crate) const RECOMMENDATION: usize = 8;
pub(crate) const REDIS: usize = 9;
pub(crate) const SHIPPING: usize = 10;

/// The workloads in order of name.
pub const PROFILES: [Profile; 11] = [
    Profile {
        cpu_claim: (200, 300),
        memory_claim: (180, 300),
        ..stock("adservice", 5.0, 2.2, memory(180.0, 18.0, 6.0))
    },
    Profile { cpu_claim: (200, 300), ..stock("cartservice", 6.0, 2.3, memory(29.0, 4.0, 1.0)) },
    stock("checkoutservice", 4.0, 33.0, memory(30.0, 16.0, 6.0)),
    stock("currencyservice", 14.0, 4.68, memory(31.0, 3.0, 2.0)),
    stock("emailservice", 0.5, 1.8, leaking(memory(22.0, 2.0, 0.5), 0.25, 101.0)),
    stock("frontend", 6.0, 5.1, memory(17.0, 3.0, 2.0)),
    stock("paymentservice", 0.4, 1.8, memory(24.0, 8.0, 1.0)),
    stock("productcatalogservice", 8.0, 1.85, memory(12.0, 2.0, 1.0)),
    Profile {
        memory_claim: (220, 450),
        ..stock("recommendationservice", 5.0, 1.55, leaking(memory(23.0, 2.0, 1.0), 1.2, 53.0))
    },
    Profile {
        container: "redis",
        cpu_claim: (70, 125),
        memory_claim: (200, 256),
        scales: false,
        ..stock("redis-cart", 3.0, 0.3, memory(8.0, 30.0, 4.0))
    },
    stock("shippingservice", 2.0, 1.65, memory(11.0, 1.5, 0.5)),
];

/// Who calls whom; a workload's own callers stand before its calls.
///
/// The real day names no edge to redis: a cart is read with one command and changed with two.
pub const EDGES: [Edge; 15] = [
    edge(FRONTEND, AD, 0.54),
    edge(FRONTEND, CHECKOUT, 0.035),
    edge(FRONTEND, CART, 0.84),
    edge(FRONTEND, CURRENCY, 2.81),
    edge(FRONTEND, CATALOG, 4.35),
    edge(FRONTEND, RECOMMENDATION, 0.67),
    edge(FRONTEND, SHIPPING, 0.20),
    edge(CHECKOUT, CART, 1.99),
    edge(CHECKOUT, CURRENCY, 2.2),
    edge(CHECKOUT, EMAIL, 0.99),
    edge(CHECKOUT, PAYMENT, 1.0),
    edge(CHECKOUT, CATALOG, 2.43),
    edge(CHECKOUT, SHIPPING, 1.99),
    edge(RECOMMENDATION, CATALOG, 1.0),
    edge(CART, REDIS, 1.3),
];

const fn stock(name: &'static str, idle_cpu: f64, cpu_per_rate: f64, memory: Memory) -> Profile {
    Profile {
        name,
        container: "server",
        cpu_claim: (100, 200),
        memory_claim: (64, 128),
        idle_cpu,
        cpu_per_rate,
        memory,
        scales: true,
    }
}

const fn memory(base: f64, cache: f64, load: f64) -> Memory {
    Memory { base, cache, load, leak: None }
}

const fn leaking(memory: Memory, per_hour: f64, restart_hours: f64) -> Memory {
    Memory { leak: Some(Leak { per_hour, restart_hours }), ..memory }
}

const fn edge(caller: usize, callee: usize, ratio: f64) -> Edge {
    Edge { caller, callee, ratio }
}

/// Replicas each workload has where the frontend receives `frontend_rate` requests per second on average over a week: as
/// many as its peak needs, one where only one may run.
#[must_use]
pub fn replicas_at(frontend_rate: f64) -> [usize; PROFILES.len()] {
    let received = requests_per_frontend_request();
    std::array::from_fn(|index| {
        let profile = &PROFILES[index];
        let peak = profile.cpu_per_rate * frontend_rate * received[index] * PEAK;
        if profile.scales { (peak / CPU_PER_REPLICA).ceil().max(1.0) as usize } else { 1 }
    })
}

/// Requests each workload receives per request at the frontend.
pub(crate) fn requests_per_frontend_request() -> [f64; PROFILES.len()] {
    let mut received = [0.0; PROFILES.len()];
    received[FRONTEND] = 1.0;
    for edge in &EDGES {
        received[edge.callee] += edge.ratio * received[edge.caller];
    }
    received
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_in_order_of_name_and_every_caller_stands_after_its_callers() {
        assert!(PROFILES.is_sorted_by_key(|profile| profile.name));
        for (position, edge) in EDGES.iter().enumerate() {
            assert!(!EDGES[position..].iter().any(|later| later.callee == edge.caller));
        }
    }

    #[test]
    fn cpu_at_the_load_of_the_real_day_is_near_its_95th_percentile() {
        let measured = [
            (CURRENCY, 147.0),
            (CATALOG, 102.0),
            (FRONTEND, 57.0),
            (CART, 29.0),
            (CHECKOUT, 19.0),
            (AD, 18.0),
            (RECOMMENDATION, 16.0),
            (SHIPPING, 7.0),
            (EMAIL, 1.4),
            (PAYMENT, 1.3),
        ];
        let received = requests_per_frontend_request();
        for (index, p95) in measured {
            let profile = &PROFILES[index];
            let mean = profile.idle_cpu + profile.cpu_per_rate * 8.6 * received[index];
            assert!((0.65..1.0).contains(&(mean / p95)), "{}: {mean} of {p95}", profile.name);
        }
    }
}
