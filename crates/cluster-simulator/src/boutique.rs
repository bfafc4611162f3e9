//! The Online Boutique as an application to simulate.

use mora_core::{Bytes, Millicores, ResourceClaim, WorkloadError, WorkloadRef};
use mora_simulation::{EDGES, PROFILES, Profile, replicas_at};

use crate::{Application, Call, CpuCost, Leak, MemoryProfile, Microservice, StartUp};

const MEBIBYTE: f64 = 1_048_576.0;
/// Coefficient of variation of the CPU of a request: some pages show one product, others ten.
const VARIATION: f64 = 0.6;
/// Time constant with which caches fill: 8 hours, as in the simulated series.
const FILLING: f64 = 8.0 * 3600.0;
/// Share of what load adds to memory that each single request keeps while it is served; the rest comes with the first load
/// and stays, as the heaps of garbage collectors do.
const OF_A_REQUEST: f64 = 0.1;

/// What the profiles do not say: milliseconds of waiting in each request, seconds and core seconds of a start.
const RUNTIMES: [(&str, f64, f64, f64); 11] = [
    ("adservice", 0.6, 20.0, 9.0),
    ("cartservice", 0.6, 7.0, 1.2),
    ("checkoutservice", 0.5, 3.0, 0.2),
    ("currencyservice", 0.5, 5.0, 0.8),
    ("emailservice", 0.8, 8.0, 1.4),
    ("frontend", 1.0, 3.0, 0.25),
    ("paymentservice", 0.5, 5.0, 0.8),
    ("productcatalogservice", 0.3, 3.0, 0.2),
    ("recommendationservice", 0.8, 9.0, 1.6),
    ("redis-cart", 0.3, 3.0, 0.1),
    ("shippingservice", 0.3, 3.0, 0.2),
];

/// The eleven services of the Online Boutique with the call ratios, CPU and memory of [`mora_simulation`], the claims of its
/// stock manifests, and as many replicas as its weekly peak needs where users make `frontend_rate` requests per second on
/// average.
///
/// Fails when `namespace` is no Kubernetes name.
pub fn boutique(namespace: &str, frontend_rate: f64) -> Result<Application, WorkloadError> {
    let replicas = replicas_at(frontend_rate);
    let microservices = PROFILES
        .iter()
        .zip(replicas)
        .map(|(profile, replicas)| microservice(namespace, profile, replicas as u32))
        .collect::<Result<Vec<_>, _>>()?;
    let calls = EDGES
        .iter()
        .map(|edge| Call { caller: edge.caller, callee: edge.callee, ratio: edge.ratio })
        .collect();
    let entry = PROFILES.iter().position(|profile| profile.name == "frontend").unwrap_or(0);
    Ok(Application { microservices, calls, entry })
}

fn microservice(
    namespace: &str,
    profile: &Profile,
    replicas: u32,
) -> Result<Microservice, WorkloadError> {
    let runtime = RUNTIMES.iter().find(|(name, ..)| *name == profile.name);
    let (_, waiting, seconds, cpu) = runtime.copied().unwrap_or(("", 0.5, 5.0, 0.5));
    let memory = &profile.memory;
    Ok(Microservice {
        workload: WorkloadRef::deployment(namespace, profile.name)?,
        container: profile.container.to_owned(),
        claim: claim(profile),
        replicas,
        scales: profile.scales,
        cpu: CpuCost {
            per_request: profile.cpu_per_rate / 1000.0,
            variation: VARIATION,
            idle: profile.idle_cpu / 1000.0,
            waiting: waiting / 1000.0,
        },
        concurrency: if profile.name == "frontend" { 64 } else { 32 },
        memory: MemoryProfile {
            base: memory.base * MEBIBYTE,
            cache: (memory.cache + memory.load) * MEBIBYTE,
            cache_seconds: FILLING,
            per_request: memory.load * OF_A_REQUEST * MEBIBYTE,
            leak: memory.leak.map(|leak| Leak {
                per_hour: leak.per_hour * MEBIBYTE,
                restart_hours: Some(leak.restart_hours),
            }),
        },
        start_up: StartUp { seconds, cpu },
    })
}

const fn claim(profile: &Profile) -> ResourceClaim {
    ResourceClaim {
        cpu_request: Some(Millicores::new(profile.cpu_claim.0)),
        cpu_limit: Some(Millicores::new(profile.cpu_claim.1)),
        memory_request: Some(Bytes::from_mebibytes(profile.memory_claim.0)),
        memory_limit: Some(Bytes::from_mebibytes(profile.memory_claim.1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boutique_can_be_simulated_and_every_service_has_its_runtime() {
        let shop = boutique("shop", 30.0).unwrap().checked().unwrap();
        assert_eq!(shop.microservices.len(), 11);
        assert_eq!(shop.microservices[shop.entry].workload.name(), "frontend");
        assert!(shop.microservices.iter().map(|m| m.replicas).sum::<u32>() == 19);
        for microservice in &shop.microservices {
            let name = microservice.workload.name();
            assert!(RUNTIMES.iter().any(|(known, ..)| *known == name), "{name}");
        }
        assert!(boutique("Shop", 30.0).is_err());
    }
}
