//! What runs on the simulated cluster: microservices and who calls whom.

use std::collections::BTreeSet;

use mora_core::{ResourceClaim, WorkloadRef};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An application: its microservices in order of name, and the calls among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    /// The microservices, ordered by workload.
    pub microservices: Vec<Microservice>,
    /// The calls; a microservice's callers stand before its own calls.
    pub calls: Vec<Call>,
    /// Index of the microservice that users reach.
    pub entry: usize,
}

/// One microservice: one container in each of its pods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Microservice {
    /// The workload.
    pub workload: WorkloadRef,
    /// The container's name.
    pub container: String,
    /// What its manifest claims.
    pub claim: ResourceClaim,
    /// Replicas its manifest states, at least 1.
    pub replicas: u32,
    /// Whether more than one pod may run.
    pub scales: bool,
    /// What requests cost.
    pub cpu: CpuCost,
    /// Requests one pod works on at a time, at least 1; more wait.
    pub concurrency: u32,
    /// How memory develops.
    pub memory: MemoryProfile,
    /// From the creation of a pod to its first request.
    pub start_up: StartUp,
}

/// CPU of a microservice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CpuCost {
    /// Mean CPU of one request, in seconds, above 0.
    pub per_request: f64,
    /// Coefficient of variation of the CPU of a request, at least 0.
    pub variation: f64,
    /// CPU of a pod without load, in cores, at least 0.
    pub idle: f64,
    /// Time a request spends waiting for something that is no CPU of this application, such as the network, in seconds, at
    /// least 0.
    pub waiting: f64,
}

/// Memory of a pod, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryProfile {
    /// Right after the start.
    pub base: f64,
    /// What caches add until they are full.
    pub cache: f64,
    /// Time constant with which caches fill, in seconds, above 0.
    pub cache_seconds: f64,
    /// Of each request that is in a pod.
    pub per_request: f64,
    /// Memory that is never given back; `None` for none.
    pub leak: Option<Leak>,
}

/// Memory that grows until the container ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leak {
    /// Bytes per hour.
    pub per_hour: f64,
    /// Hours after which the container ends by itself; `None` for never.
    pub restart_hours: Option<f64>,
}

/// What a pod does before its first request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartUp {
    /// From the creation of the pod until it is ready where CPU is not short, in seconds.
    pub seconds: f64,
    /// CPU it takes meanwhile, in core seconds; a limit makes the start longer.
    pub cpu: f64,
}

/// Calls from one microservice to another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// Index of the caller.
    pub caller: usize,
    /// Index of the callee.
    pub callee: usize,
    /// Mean number of calls for each request of the caller, above 0.
    pub ratio: f64,
}

/// Why an application cannot be simulated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ApplicationError {
    /// There is no microservice.
    #[error("the application has no microservice; state at least one")]
    Empty,
    /// Microservices are not in order, or two have one name.
    #[error(
        "the microservices are not in order of name, each once; sort them and leave out `{0}` where it stands twice"
    )]
    Order(WorkloadRef),
    /// A call or the entry names a microservice that is not there.
    #[error("{0} names microservice {1}, but there are {2}; count from 0")]
    Index(&'static str, usize, usize),
    /// Calls form a cycle, or a call stands before a caller's own.
    #[error(
        "the call from {0} to {1} stands before a call to {0}, or they form a cycle; order calls from the entry on"
    )]
    CallOrder(WorkloadRef, WorkloadRef),
    /// A number is out of its range.
    #[error("{what} of `{workload}` is {value}; use a number {range}")]
    Range {
        /// Whose.
        workload: WorkloadRef,
        /// What.
        what: &'static str,
        /// The number, as text.
        value: String,
        /// What it must be.
        range: &'static str,
    },
}

impl Application {
    /// The same application, if it can be simulated.
    ///
    /// Fails when it is empty, out of order, has cycles, or a number is out of its range.
    pub fn checked(self) -> Result<Self, ApplicationError> {
        let count = self.microservices.len();
        if count == 0 {
            return Err(ApplicationError::Empty);
        }
        let names = self.microservices.windows(2);
        if let Some(pair) = names.into_iter().find(|pair| pair[0].workload >= pair[1].workload) {
            return Err(ApplicationError::Order(pair[1].workload.clone()));
        }
        for (what, index) in self
            .calls
            .iter()
            .flat_map(|call| [("a caller", call.caller), ("a callee", call.callee)])
            .chain([("the entry", self.entry)])
        {
            if index >= count {
                return Err(ApplicationError::Index(what, index, count));
            }
        }
        self.calls_in_order()?;
        self.microservices.iter().try_for_each(Microservice::check)?;
        for call in &self.calls {
            let caller = &self.microservices[call.caller];
            caller.range("a call ratio", call.ratio, call.ratio > 0.0, "above 0")?;
        }
        Ok(self)
    }

    fn calls_in_order(&self) -> Result<(), ApplicationError> {
        let mut made = BTreeSet::new();
        for call in &self.calls {
            if made.contains(&call.callee) || call.caller == call.callee {
                let name = |index: usize| self.microservices[index].workload.clone();
                return Err(ApplicationError::CallOrder(name(call.callee), name(call.caller)));
            }
            made.insert(call.caller);
        }
        Ok(())
    }
}

impl Microservice {
    fn range(
        &self,
        what: &'static str,
        value: f64,
        fits: bool,
        range: &'static str,
    ) -> Result<(), ApplicationError> {
        if value.is_finite() && fits {
            return Ok(());
        }
        let (workload, value) = (self.workload.clone(), value.to_string());
        Err(ApplicationError::Range { workload, what, value, range })
    }

    fn check(&self) -> Result<(), ApplicationError> {
        let CpuCost { per_request, variation, idle, waiting } = self.cpu;
        self.range("cpu.per_request", per_request, per_request > 0.0, "above 0")?;
        let memory = &self.memory;
        let at_least_zero = [
            ("cpu.variation", variation),
            ("cpu.idle", idle),
            ("cpu.waiting", waiting),
            ("memory.base", memory.base),
            ("memory.cache", memory.cache),
            ("memory.per_request", memory.per_request),
            ("start_up.seconds", self.start_up.seconds),
            ("start_up.cpu", self.start_up.cpu),
        ];
        for (what, value) in at_least_zero {
            self.range(what, value, value >= 0.0, "of at least 0")?;
        }
        let fill = memory.cache_seconds;
        self.range("memory.cache_seconds", fill, fill > 0.0, "above 0")?;
        let counts = [("replicas", self.replicas), ("concurrency", self.concurrency)];
        counts.into_iter().try_for_each(|(what, count)| {
            self.range(what, f64::from(count), count > 0, "of at least 1")
        })
    }
}
