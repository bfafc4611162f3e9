//! Recommending to VerticalPodAutoscalers.

use jiff::Timestamp;
use mora_core::{Bytes, Millicores, Target};
use mora_kubernetes::{ContainerPolicy, RecommendedAutoscaler};
use serde_json::{Map, Value, json};

use super::{Driver, Ended, Making, TRIES};
use crate::actuator::{is_absent, is_stale, said};
use crate::record::{ChangeState, Place, RecordError, Records};
use crate::{Actuator, ContainerIntent, Intent, Outcome};

/// The condition that says that a recommendation is there.
const PROVIDED: &str = "RecommendationProvided";

impl<A: Actuator, R: Records> Driver<'_, A, R> {
    /// Writes the recommendation of every VerticalPodAutoscaler of the workload that leaves it to MOrA.
    pub(super) async fn recommend(&self, making: &mut Making<'_>) -> Result<Ended, RecordError> {
        let recommender = &self.config.vpa.recommender;
        let mut written = 0;
        for _ in 0..TRIES {
            let workload = &making.intent.workload;
            let found = match self.actuator.autoscalers(workload, recommender).await {
                Ok(found) => found,
                Err(error) if is_absent(&error) => {
                    let reason =
                        "the cluster has no VerticalPodAutoscaler; install it, or use another mode";
                    return Ok((Outcome::LeftAlone, reason.to_owned()));
                }
                Err(error) => return Ok((Outcome::Failed, said(&error))),
            };
            if found.is_empty() {
                let reason = format!(
                    "no VerticalPodAutoscaler has it as its target and names {recommender} under spec.recommenders"
                );
                return Ok((Outcome::LeftAlone, reason));
            }
            let mut stale = false;
            for autoscaler in &found {
                match self.write_recommendation(making, autoscaler).await? {
                    Ok(true) => written += 1,
                    Ok(false) => {}
                    Err(error) if is_stale(&error) => stale = true,
                    Err(error) => return Ok((Outcome::Failed, said(&error))),
                }
            }
            if !stale {
                let names: Vec<&str> = found.iter().map(|a| a.name.as_str()).collect();
                let names = names.join(", ");
                return Ok(match written {
                    0 => (Outcome::Unchanged, format!("{names} recommends it already")),
                    _ => (Outcome::Applied, format!("recommended by {names}")),
                });
            }
        }
        Ok((Outcome::Failed, format!("it was changed by others {TRIES} times meanwhile")))
    }

    /// Whether there was anything to write.
    async fn write_recommendation(
        &self,
        making: &mut Making<'_>,
        autoscaler: &RecommendedAutoscaler,
    ) -> Result<Result<bool, mora_kubernetes::ClusterError>, RecordError> {
        let part = |key: &str| autoscaler.status.get(key).cloned().unwrap_or_default();
        let before = [part("recommendation"), part("conditions")];
        let recommendation = recommendation(making.intent, &autoscaler.policies);
        if before[0] == recommendation {
            return Ok(Ok(false));
        }
        let after = [recommendation, provided(&before[1], Timestamp::now())];
        let place = Place::Autoscaler {
            name: autoscaler.name.clone(),
            recommender: self.config.vpa.recommender.clone(),
            before,
            after: after.clone(),
        };
        let index = self.begin(making, place).await?;
        let namespace = making.intent.workload.namespace();
        let answer = self.actuator.recommend(namespace, autoscaler, &after[0], &after[1]).await;
        if answer.is_ok() {
            self.note(making, index, ChangeState::Made).await?;
        }
        Ok(answer.map(|()| true))
    }
}

/// The recommendation of `intent` within what `policies` allow.
fn recommendation(intent: &Intent, policies: &[ContainerPolicy]) -> Value {
    let containers = intent.containers.iter().filter_map(|(name, asked)| {
        let policy = policy_of(policies, name);
        if policy.is_some_and(|policy| policy.mode.as_deref() == Some("Off")) {
            return None;
        }
        of_container(name, asked, policy)
    });
    json!({"containerRecommendations": containers.collect::<Vec<_>>()})
}

fn policy_of<'a>(policies: &'a [ContainerPolicy], name: &str) -> Option<&'a ContainerPolicy> {
    let named =
        |wanted: &str| policies.iter().find(|p| p.container_name.as_deref() == Some(wanted));
    named(name).or_else(|| named("*"))
}

/// What is recommended of one container; `None` where it is to have no request.
fn of_container(
    name: &str,
    asked: &ContainerIntent,
    policy: Option<&ContainerPolicy>,
) -> Option<Value> {
    let controlled = |resource: &str| {
        let named = policy.and_then(|policy| policy.controlled_resources.as_ref());
        named.is_none_or(|named| named.iter().any(|name| name == resource))
    };
    let cpu = asked.to.cpu_request.filter(|_| controlled("cpu"));
    let memory = asked.to.memory_request.filter(|_| controlled("memory"));
    let cpu = cpu.map(|target| cpu_bounds(target, asked.cpu, policy));
    let memory = memory.map(|target| memory_bounds(target, asked.memory, policy));
    if cpu.is_none() && memory.is_none() {
        return None;
    }
    let mut recommended = json!({"containerName": name});
    for (index, key) in
        ["target", "lowerBound", "upperBound", "uncappedTarget"].into_iter().enumerate()
    {
        let mut amounts = Map::new();
        cpu.as_ref().map(|cpu| amounts.insert("cpu".to_owned(), json!(cpu[index])));
        memory.as_ref().map(|memory| amounts.insert("memory".to_owned(), json!(memory[index])));
        recommended[key] = Value::Object(amounts);
    }
    Some(recommended)
}

/// Target, lower bound and upper bound within what the policy allows, and the target before any bounds.
fn cpu_bounds(
    target: Millicores,
    plan: Target<Millicores>,
    policy: Option<&ContainerPolicy>,
) -> [Millicores; 4] {
    let (lower, upper) = (plan.lower_bound.min(target), plan.upper_bound.max(target));
    let allowed = |amount: Millicores| within(amount, policy, "cpu");
    [allowed(target), allowed(lower), allowed(upper), plan.uncapped_target]
}

fn memory_bounds(
    target: Bytes,
    plan: Target<Bytes>,
    policy: Option<&ContainerPolicy>,
) -> [Bytes; 4] {
    let (lower, upper) = (plan.lower_bound.min(target), plan.upper_bound.max(target));
    let allowed = |amount: Bytes| within(amount, policy, "memory");
    [allowed(target), allowed(lower), allowed(upper), plan.uncapped_target]
}

fn within<Q: Ord + std::str::FromStr>(
    amount: Q,
    policy: Option<&ContainerPolicy>,
    resource: &str,
) -> Q {
    let bound =
        |of: fn(&ContainerPolicy) -> &Value| of(policy?).get(resource)?.as_str()?.parse::<Q>().ok();
    let amount = match bound(|policy| &policy.min_allowed) {
        Some(least) => amount.max(least),
        None => amount,
    };
    match bound(|policy| &policy.max_allowed) {
        Some(most) => amount.min(most),
        None => amount,
    }
}

/// `conditions` with the one that says that a recommendation is there, true since `now` if it was not before.
fn provided(conditions: &Value, now: Timestamp) -> Value {
    let known = conditions.as_array().cloned().unwrap_or_default();
    let is_provided = |c: &Value| c["type"] == PROVIDED;
    if known.iter().any(|c| is_provided(c) && c["status"] == "True") {
        return Value::Array(known);
    }
    let others = known.into_iter().filter(|c| !is_provided(c));
    let since = now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let condition = json!({"type": PROVIDED, "status": "True", "lastTransitionTime": since});
    Value::Array(others.chain([condition]).collect())
}

#[cfg(test)]
mod tests;
