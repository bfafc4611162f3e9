use mora_core::Limit;

use super::*;
use crate::ModeRule;
use crate::fake::{Ask, plan};
use mora_planning::Pattern;

fn config(mode: ApplyMode) -> ApplyConfig {
    ApplyConfig { default_mode: mode, ..ApplyConfig::default() }
}

fn at(minutes: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
}

fn scheduled(cpu: [u64; 2], asks: &[Ask]) -> Plan {
    let mut plan = plan(asks);
    let point = |hour: i64, cpu: u64| ForecastPoint {
        start: at(hour * 60),
        cpu: Millicores::new(cpu),
        memory: Bytes::from_mebibytes(64),
    };
    plan.recommendations[0].schedule = vec![point(0, cpu[0]), point(1, cpu[1])];
    plan
}

fn cpu_of(intended: &Intended) -> Option<u64> {
    let intent = intended.changes.first()?;
    intent.containers["server"].to.cpu_request.map(Millicores::get)
}

#[test]
fn what_is_intended_is_the_decision_and_not_the_target_and_a_hold_is_nothing() {
    let raise = Ask::raise("shop/cart", 2);
    let hold = Ask { wave: None, ..Ask::raise("shop/front", 1) };
    let mut plan = plan(&[raise, hold]);
    plan.recommendations[0].cpu.target = Millicores::new(900);
    let Intended { changes, left } = intents(&plan, &config(ApplyMode::Patch), at(5));
    assert!(left.is_empty());
    let [intent] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((intent.wave, intent.means), (2, Means::Template));
    let asked = &intent.containers["server"];
    assert_eq!(asked.from.cpu_request, Some(Millicores::new(100)));
    assert_eq!(asked.to.cpu_request, Some(Millicores::new(150)));
}

#[test]
fn nothing_is_intended_without_a_mode() {
    let plan = plan(&[Ask::raise("shop/cart", 1)]);
    assert_eq!(intents(&plan, &ApplyConfig::default(), at(5)), Intended::default());
    let rule = ModeRule { workload: Pattern("other/*".to_owned()), mode: ApplyMode::Patch };
    let other = ApplyConfig { modes: vec![rule], ..ApplyConfig::default() };
    assert_eq!(intents(&plan, &other, at(5)), Intended::default());
}

#[test]
fn changes_are_ordered_by_wave() {
    let asks = [Ask::raise("shop/a", 3), Ask::raise("shop/b", 1), Ask::raise("shop/c", 2)];
    let intended = intents(&plan(&asks), &config(ApplyMode::InPlace), at(5));
    let waves: Vec<u32> = intended.changes.iter().map(|intent| intent.wave).collect();
    assert_eq!(waves, [1, 2, 3]);
}

#[test]
fn a_plan_of_yesterday_and_one_the_gate_did_not_see_are_left_alone_with_the_reason() {
    let old = plan(&[Ask::raise("shop/cart", 1)]);
    let intended = intents(&old, &config(ApplyMode::Patch), at(25 * 60));
    assert!(intended.changes.is_empty());
    assert!(intended.left[0].reason.contains("more than a day ago"), "{:?}", intended.left);
    let mut ungated = plan(&[Ask::raise("shop/cart", 1)]);
    ungated.recommendations[0].decision = None;
    let intended = intents(&ungated, &config(ApplyMode::Patch), at(5));
    assert!(intended.left[0].reason.contains("change gate was not asked"), "{:?}", intended.left);
}

#[test]
fn the_schedule_gives_the_slot_that_holds_the_present_whatever_the_gate_holds() {
    let hold = Ask { wave: None, ..Ask::raise("shop/cart", 1) };
    let plan = scheduled([200, 60], &[hold]);
    let config = config(ApplyMode::Scheduled);
    assert_eq!(cpu_of(&intents(&plan, &config, at(59))), Some(200));
    assert_eq!(cpu_of(&intents(&plan, &config, at(60))), Some(60));
    let beyond = intents(&plan, &config, at(120));
    assert!(beyond.left[0].reason.contains("no slot that holds"), "{:?}", beyond.left);
}

#[test]
fn a_schedule_that_differs_by_little_changes_nothing_and_a_roll_back_is_stronger() {
    let plan = scheduled([105, 300], &[Ask::raise("shop/cart", 1)]);
    let config = config(ApplyMode::Scheduled);
    assert_eq!(intents(&plan, &config, at(5)), Intended::default());
    let mut rolled = scheduled([60, 60], &[Ask::raise("shop/cart", 1)]);
    rolled.recommendations[0].decision.as_mut().unwrap().verdict = Verdict::RollBack;
    assert_eq!(cpu_of(&intents(&rolled, &config, at(5))), Some(150), "the decision's");
}

#[test]
fn decreases_of_the_schedule_come_after_all_other_changes() {
    let hold = Ask { wave: None, ..Ask::raise("shop/cart", 1) };
    let plan = scheduled([50, 50], &[hold, Ask::raise("shop/front", 4)]);
    let rule = ModeRule { workload: Pattern("shop/front".to_owned()), mode: ApplyMode::Patch };
    let config = ApplyConfig { modes: vec![rule], ..config(ApplyMode::Scheduled) };
    let intended = intents(&plan, &config, at(5));
    let waves: Vec<_> = intended.changes.iter().map(|i| (i.workload.name(), i.wave)).collect();
    assert_eq!(waves, [("front", 4), ("cart", 5)]);
}

#[test]
fn limits_follow_the_step_that_is_taken() {
    let step = Ask { workload: "shop/cart", from: (1000, 64), to: (800, 64), wave: Some(1) };
    let mut plan = plan(&[step]);
    plan.recommendations[0].cpu.target = Millicores::new(100);
    plan.recommendations[0].limits.cpu = Limit {
        current: Some(Millicores::new(2000)),
        target: Some(Millicores::new(200)),
        fixed: false,
    };
    let intended = intents(&plan, &config(ApplyMode::Patch), at(5));
    let to = intended.changes[0].containers["server"].to;
    assert_eq!(to.cpu_limit, Some(Millicores::new(1600)));
    assert_eq!(to.memory_limit, None);
}
