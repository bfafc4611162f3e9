//! How many pods a workload has, and which: what the Deployment and ReplicaSet controllers do.

use mora_core::ResourceClaim;

use super::Cluster;
use super::pod::{Phase, Pod};

/// Letters of generated names.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// A pod that ends has so many seconds for what it has begun, as by default.
const GRACE_SECONDS: i64 = 30;

impl Cluster {
    /// The pods of `service` are to be replaced by others with `claim`; whether that is another one.
    pub(super) fn roll_out(&mut self, service: usize, claim: ResourceClaim) -> bool {
        if self.services[service].template == claim {
            return false;
        }
        self.services[service].template = claim;
        self.services[service].generation += 1;
        self.changed(service);
        true
    }

    /// `service` is to have `replicas`; whether that is another number.
    pub(super) fn scale(&mut self, service: usize, replicas: u32) -> bool {
        if self.services[service].replicas == replicas {
            return false;
        }
        self.services[service].replicas = replicas;
        self.changed(service);
        true
    }

    fn changed(&mut self, service: usize) {
        self.reconcile(service);
        self.place_pending();
        self.balance(service);
    }

    /// Brings the pods of `service` one step closer to what is asked for; whether one was created or ended.
    pub(super) fn reconcile(&mut self, service: usize) -> bool {
        let counting =
            || self.services[service].pods.iter().copied().filter(|pod| self.pods[*pod].counts());
        let generation = self.services[service].generation;
        let wanted = self.services[service].replicas as usize;
        let count = counting().count();
        let old = counting().filter(|pod| self.pods[*pod].generation != generation);
        let oldest = old.min_by_key(|pod| (self.pods[*pod].is_ready(), self.age_rank(*pod)));
        match oldest {
            Some(oldest) => self.replace(service, oldest, count, wanted),
            None if count < wanted => {
                (count..wanted).for_each(|_| self.create(service));
                true
            }
            None if count > wanted => {
                for _ in wanted..count {
                    self.end_newest(service);
                }
                true
            }
            None => false,
        }
    }

    /// One pod more than wanted starts with the new template; once it is ready, an old one ends.
    fn replace(&mut self, service: usize, oldest: usize, count: usize, wanted: usize) -> bool {
        let scales = self.services[service].scales;
        if count < wanted + usize::from(scales) {
            self.create(service);
            return true;
        }
        let generation = self.services[service].generation;
        let waits = self.services[service].pods.iter().any(|place| {
            let pod = &self.pods[*place];
            pod.counts() && pod.generation == generation && !pod.is_ready()
        });
        let too_many = count > wanted + usize::from(scales);
        let useless = !self.pods[oldest].is_ready();
        if waits && !too_many && !useless {
            return false;
        }
        self.end(oldest);
        true
    }

    /// The order in which pods were created.
    fn age_rank(&self, place: usize) -> usize {
        let service = self.pods[place].service;
        self.services[service].pods.iter().position(|pod| *pod == place).unwrap_or(0)
    }

    /// Of the pods that are not ready the newest ends, else of all.
    fn end_newest(&mut self, service: usize) {
        let counting = self.services[service].pods.iter().copied();
        let newest = counting
            .filter(|pod| self.pods[*pod].counts())
            .max_by_key(|pod| (!self.pods[*pod].is_ready(), self.age_rank(*pod)));
        if let Some(newest) = newest {
            self.end(newest);
        }
    }

    /// A running pod finishes what it has begun; any other is gone at once.
    fn end(&mut self, place: usize) {
        if self.pods[place].is_ready() {
            self.pods[place].phase = Phase::Ending(self.in_seconds(GRACE_SECONDS));
            self.pods[place].resize = None;
        } else {
            self.remove(place);
        }
    }

    fn create(&mut self, service: usize) {
        let of_service = &self.services[service];
        let used: Vec<u64> = of_service
            .pods
            .iter()
            .filter(|pod| self.pods[**pod].counts())
            .map(|pod| self.pods[*pod].place)
            .collect();
        let free = (0..=used.len() as u64).find(|place| !used.contains(place)).unwrap_or(0);
        let pod = Pod {
            place: free,
            generation: of_service.generation,
            ..Pod::new(service, of_service.template)
        };
        let pod = Pod { name: self.name(service), ..pod };
        let place = if let Some(place) = self.free_pods.pop() {
            self.pods[place] = pod;
            place
        } else {
            self.pods.push(pod);
            self.pods.len() - 1
        };
        self.services[service].pods.push(place);
    }

    /// A name as a ReplicaSet gives it.
    fn name(&mut self, service: usize) -> String {
        let workload = self.application.microservices[service].workload.name();
        let generation = u64::from(self.services[service].generation);
        let mut set = (self.options.seed ^ (generation << 32) ^ service as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut suffix = self.streams.pods.bits();
        let letters = |bits: &mut u64, count: usize| -> String {
            let mut letter = || {
                let index = *bits % 27;
                *bits /= 27;
                char::from(LETTERS[index as usize])
            };
            (0..count).map(|_| letter()).collect()
        };
        let (set, suffix) = (letters(&mut set, 9), letters(&mut suffix, 5));
        format!("{workload}-{set}-{suffix}")
    }
}
