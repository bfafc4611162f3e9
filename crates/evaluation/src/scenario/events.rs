//! What happens beside the load.

use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::{Application, Call, Event, TimedEvent};

/// When the calls change.
const MIX_AT: i64 = 11;
const CHECKOUT: (&str, f64) = ("checkout", 5.0);
const RECOMMENDATION: (&str, f64) = ("recommendation", 0.5);

/// When a leak begins, and hours after which it reaches the stock memory limit.
const LEAK_AT: i64 = 1;
const LEAK_HOURS: f64 = 11.0;
const LEAKING: usize = 2;

/// When a node is lost: near the peak of the day.
const LOST_AT: i64 = 12;
const LOST_MINUTES: i64 = 30;

fn hours_after(judged: Timestamp, hours: i64) -> Timestamp {
    judged + SignedDuration::from_hours(hours)
}

/// More calls of the entry to the checkout, fewer to the recommendations.
///
/// Fails with what the application lacks.
pub(super) fn call_mix(
    application: &Application,
    judged: Timestamp,
) -> Result<Vec<TimedEvent>, String> {
    let name = |index: usize| &application.microservices[index].workload;
    let change = |(part, factor): (&str, f64)| {
        let mut calls = application.calls.iter();
        let call = calls
            .find(|call| {
                call.caller == application.entry && name(call.callee).name().contains(part)
            })
            .ok_or_else(|| {
                format!("calls from `{}` to a {part} service", name(application.entry))
            })?;
        let (caller, callee) = (name(call.caller).clone(), name(call.callee).clone());
        let event = Event::CallMix { caller, callee, factor };
        Ok(TimedEvent { at: hours_after(judged, MIX_AT), event })
    };
    [CHECKOUT, RECOMMENDATION].into_iter().map(change).collect()
}

/// A leak in the microservices that the entry calls most, each as large as what its stock limit leaves.
///
/// Fails with what the application lacks.
pub(super) fn leak(
    application: &Application,
    judged: Timestamp,
) -> Result<Vec<TimedEvent>, String> {
    let mut called: Vec<&Call> =
        application.calls.iter().filter(|call| call.caller == application.entry).collect();
    called.sort_by(|a, b| b.ratio.total_cmp(&a.ratio));
    let leaks = called.into_iter().filter_map(|call| {
        let microservice = &application.microservices[call.callee];
        let limit = microservice.claim.memory_limit?.get() as f64;
        let room = limit - microservice.memory.base - microservice.memory.cache;
        let workload = microservice.workload.clone();
        let event = Event::Leak { workload, per_hour: room / LEAK_HOURS };
        (room > 0.0).then(|| TimedEvent { at: hours_after(judged, LEAK_AT), event })
    });
    let leaks: Vec<TimedEvent> = leaks.take(LEAKING).collect();
    if leaks.len() == LEAKING {
        return Ok(leaks);
    }
    Err(format!("{LEAKING} microservices with a memory limit that the entry calls"))
}

/// One node is gone; which one follows from the seed.
pub(super) fn node_loss(seed: u64, judged: Timestamp, nodes: usize) -> Vec<TimedEvent> {
    let node = (seed % nodes.max(1) as u64) as usize;
    let event = Event::NodeLost { node, lasts: SignedDuration::from_mins(LOST_MINUTES) };
    vec![TimedEvent { at: hours_after(judged, LOST_AT), event }]
}
