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

impl Application {
    /// `count` copies of the application behind one ingress, which sends each request to one of them at random: as large an
    /// application as is wanted, with the load of `count` users' worth of requests at its entry.
    ///
    /// The workloads of copy 7 of at most 1,000 end in `-007`. Fails when a name with that becomes too long.
    pub fn copies(&self, count: usize) -> Result<Self, WorkloadError> {
        let mut all = vec![self.ingress()?];
        let mut calls = Vec::new();
        for copy in 0..count.max(1) {
            let first = all.len();
            calls.push(Call {
                caller: 0,
                callee: first + self.entry,
                ratio: 1.0 / count.max(1) as f64,
            });
            calls.extend(self.calls.iter().map(|call| Call {
                caller: first + call.caller,
                callee: first + call.callee,
                ..*call
            }));
            for microservice in &self.microservices {
                let workload = &microservice.workload;
                let name = format!("{}-{copy:03}", workload.name());
                let workload = WorkloadRef::new(workload.namespace(), workload.kind(), &name)?;
                all.push(Microservice { workload, ..microservice.clone() });
            }
        }
        Ok(sorted(&all, calls))
    }

    /// A proxy that costs next to nothing.
    fn ingress(&self) -> Result<Microservice, WorkloadError> {
        let entry = &self.microservices[self.entry];
        Ok(Microservice {
            workload: WorkloadRef::deployment(entry.workload.namespace(), "ingress")?,
            container: "proxy".to_owned(),
            claim: ResourceClaim {
                cpu_request: Some(Millicores::new(1000)),
                memory_request: Some(Bytes::from_mebibytes(256)),
                ..ResourceClaim::default()
            },
            replicas: 2,
            scales: true,
            cpu: CpuCost { per_request: 1e-4, variation: 0.3, idle: 0.01, waiting: 1e-4 },
            concurrency: 10_000,
            memory: MemoryProfile {
                base: 50.0 * MEBIBYTE,
                cache: 0.0,
                cache_seconds: FILLING,
                per_request: 16_384.0,
                leak: None,
            },
            start_up: StartUp { seconds: 2.0, cpu: 0.2 },
        })
    }
}

/// An application whose entry is the first of `microservices`.
fn sorted(microservices: &[Microservice], calls: Vec<Call>) -> Application {
    let mut order: Vec<usize> = (0..microservices.len()).collect();
    order.sort_by_key(|place| &microservices[*place].workload);
    let mut places = vec![0; order.len()];
    order.iter().enumerate().for_each(|(place, before)| places[*before] = place);
    let calls = calls.into_iter().map(|call| Call {
        caller: places[call.caller],
        callee: places[call.callee],
        ..call
    });
    Application {
        calls: calls.collect(),
        entry: places[0],
        microservices: order.iter().map(|place| microservices[*place].clone()).collect(),
    }
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
        claim: profile.claim(),
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

    #[test]
    fn copies_stand_behind_one_ingress_and_share_its_requests() {
        let many = boutique("shop", 30.0).unwrap().copies(91).unwrap().checked().unwrap();
        assert_eq!(many.microservices.len(), 1002);
        assert_eq!(many.microservices[many.entry].workload.name(), "ingress");
        let of_ingress: Vec<_> = many.calls.iter().filter(|c| c.caller == many.entry).collect();
        assert!((of_ingress.iter().map(|call| call.ratio).sum::<f64>() - 1.0).abs() < 1e-9);
        for call in of_ingress {
            let name = many.microservices[call.callee].workload.name();
            assert!(name.starts_with("frontend-"), "{name}");
        }
    }
}
