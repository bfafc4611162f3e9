//! Requests on their way through the application.

/// No request: the caller is a user.
pub(crate) const USER: u32 = u32::MAX;

/// One request, from its arrival at a microservice until it and all calls it made are done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    /// The request that called, or [`USER`].
    pub(crate) caller: u32,
    /// Which microservice it is at.
    pub(crate) service: u32,
    /// Which pod, and which run of its container.
    pub(crate) pod: u32,
    pub(crate) incarnation: u32,
    /// Calls that are not done.
    pub(crate) pending: u32,
    /// Whether it waits for calls, so that it takes up a place in its pod.
    pub(crate) held: bool,
    pub(crate) failed: bool,
    /// Seconds so far, its calls one after another.
    pub(crate) latency: f64,
}

/// The requests that are in the application now; places are used again.
#[derive(Debug, Clone, Default)]
pub(crate) struct Requests {
    slots: Vec<Request>,
    free: Vec<u32>,
}

impl Requests {
    pub(crate) fn insert(&mut self, caller: u32, service: usize) -> u32 {
        let request = Request {
            caller,
            service: service as u32,
            pod: 0,
            incarnation: 0,
            pending: 0,
            held: false,
            failed: false,
            latency: 0.0,
        };
        if let Some(place) = self.free.pop() {
            self.slots[place as usize] = request;
            return place;
        }
        self.slots.push(request);
        self.slots.len() as u32 - 1
    }

    pub(crate) fn get(&mut self, place: u32) -> &mut Request {
        &mut self.slots[place as usize]
    }

    pub(crate) fn remove(&mut self, place: u32) -> Request {
        self.free.push(place);
        self.slots[place as usize]
    }

    /// Forgets all; says how many there were at each of `services`.
    pub(crate) fn clear(&mut self, services: usize) -> Vec<usize> {
        let waiting = (0..services).map(|service| self.waiting(service)).collect();
        *self = Self::default();
        waiting
    }

    /// Requests of `service` that are not done.
    pub(crate) fn waiting(&self, service: usize) -> usize {
        let mut used = vec![true; self.slots.len()];
        self.free.iter().for_each(|place| used[*place as usize] = false);
        let at = |request: &Request| request.service as usize == service;
        self.slots.iter().zip(used).filter(|(request, used)| *used && at(request)).count()
    }
}
