//! A cluster before its first step.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::history::History;
use super::nodes::Node;
use super::pod::Phase;
use super::random::{Purpose, Stream, WorkTable};
use super::requests::Requests;
use super::service::{Callee, Service};
use super::serving::Served;
use super::{Cluster, ClusterError, MINUTE_MILLIS, Streams, check_step, empty_recording};
use crate::{Application, ClusterOptions, Demand, Event, TimedEvent};

impl Cluster {
    /// Without pods.
    pub(super) fn empty(
        application: Application,
        demand: Arc<dyn Demand>,
        mut options: ClusterOptions,
    ) -> Result<Self, ClusterError> {
        check_step(options.step_millis)?;
        let start = options.start.as_millisecond();
        if options.nodes.is_empty() {
            return Err(ClusterError::NoNode);
        }
        if start % MINUTE_MILLIS != 0 {
            return Err(ClusterError::Start(options.start));
        }
        options.events.sort_by_key(|event| event.at);
        let seed = options.seed;
        let workloads = application.microservices.iter().map(|m| m.workload.clone());
        let cluster = Self {
            index: workloads.enumerate().map(|(place, workload)| (workload, place)).collect(),
            order: in_order(&application),
            now: start,
            start,
            services: services(&application),
            pods: Vec::new(),
            free_pods: Vec::new(),
            incarnations: 0,
            nodes: options.nodes.iter().map(Node::new).collect(),
            requests: Requests::default(),
            streams: Streams {
                arrivals: Stream::new(seed, Purpose::Arrivals),
                requests: Stream::new(seed, Purpose::Requests),
                calls: Stream::new(seed, Purpose::Calls),
                pods: Stream::new(seed, Purpose::Pods),
                memory: Stream::new(seed, Purpose::Memory),
            },
            served: Served::default(),
            arrivals: Vec::new(),
            next_event: 0,
            history: History::new(&application, start),
            recording: empty_recording(&application, options.start),
            application,
            demand,
            options,
        };
        cluster.check_events(&cluster.options.events)?;
        Ok(cluster)
    }

    /// From here on the load of `demand`, and `events` instead of those that have not happened: one of several futures of a
    /// history that was simulated once and cloned.
    ///
    /// Fails when an event is about something that is not there.
    pub fn set_future(
        &mut self,
        demand: Arc<dyn Demand>,
        mut events: Vec<TimedEvent>,
    ) -> Result<(), ClusterError> {
        self.check_events(&events)?;
        events.sort_by_key(|event| event.at);
        self.options.events = events;
        self.next_event = 0;
        self.demand = demand;
        Ok(())
    }

    fn check_events(&self, events: &[TimedEvent]) -> Result<(), ClusterError> {
        let strange = events.iter().find(|event| !self.knows(&event.event));
        strange.map_or(Ok(()), |event| Err(ClusterError::Event(Box::new(event.event.clone()))))
    }

    fn knows(&self, event: &Event) -> bool {
        match event {
            Event::NodeLost { node, .. } => *node < self.nodes.len(),
            Event::Leak { workload, .. } => self.index.contains_key(workload),
            Event::CallMix { caller, callee, factor } => {
                self.edge(caller, callee).is_some() && factor.is_finite() && *factor >= 0.0
            }
        }
    }

    /// Places the pods that the manifests state; those that find a place are ready.
    pub(super) fn start_all(&mut self) {
        for service in 0..self.services.len() {
            self.reconcile(service);
        }
        self.place_pending();
        for pod in 0..self.pods.len() {
            if matches!(self.pods[pod].phase, Phase::Starting(_)) {
                self.pods[pod].phase = Phase::Ready(self.now);
            }
        }
        self.balance_all();
    }
}

fn services(application: &Application) -> Vec<Service> {
    let mut tables: BTreeMap<u64, WorkTable> = BTreeMap::new();
    let mut services: Vec<Service> = application
        .microservices
        .iter()
        .map(|microservice| {
            let variation = microservice.cpu.variation;
            let table =
                tables.entry(variation.to_bits()).or_insert_with(|| WorkTable::new(variation));
            Service::new(microservice, table.clone())
        })
        .collect();
    for (edge, call) in application.calls.iter().enumerate() {
        let callee = Callee { service: call.callee, edge, ratio: call.ratio, made: 0.0 };
        services[call.caller].callees.push(callee);
    }
    services.iter_mut().for_each(Service::calls_changed);
    services
}

/// Callers before callees: the calls are in such an order, so that the last call to a microservice says where it stands.
fn in_order(application: &Application) -> Vec<usize> {
    let mut order: Vec<usize> = (0..application.microservices.len()).collect();
    let last_call = |service: usize| {
        application.calls.iter().rposition(|call| call.callee == service).map_or(0, |at| at + 1)
    };
    // A callee's last call stands after all calls to its callers, since those stand before the callers' own.
    order.sort_by_cached_key(|service| last_call(*service));
    order
}
