use std::sync::Mutex;

use serde_json::{Value, json};

use super::*;
use crate::fake::{Ask, Fake, Fault, Kubelet, plan, requests};
use crate::{Journal, Through};

/// What a run on `fake` came to, with the journal it wrote.
struct Run {
    report: Report,
    applied: Option<AppliedPlan>,
}

impl Run {
    fn outcomes(&self) -> Vec<Outcome> {
        self.report.workloads.iter().map(|one| one.outcome).collect()
    }

    fn detail(&self, index: usize) -> &str {
        &self.report.workloads[index].detail
    }
}

fn modes(mode: ApplyMode) -> ApplyConfig {
    ApplyConfig { default_mode: mode, ..ApplyConfig::default() }
}

async fn drive(fake: &Fake, plan: &Plan, config: &ApplyConfig) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::new(folder.path());
    let stop = CancellationToken::new();
    drive_into(fake, plan, config, (&journal, &stop)).await
}

async fn drive_into(
    fake: &Fake,
    plan: &Plan,
    config: &ApplyConfig,
    (journal, stop): (&Journal, &CancellationToken),
) -> Run {
    let driver = Driver {
        actuator: fake,
        records: journal,
        config,
        stop,
        pace: Pace::default(),
        tell: &|_| {},
    };
    let report = driver.put_in_force(plan, Timestamp::UNIX_EPOCH).await.unwrap();
    Run { report, applied: journal.load(&plan.id).await.unwrap() }
}

fn shop(fake: &Fake, names: &[&str]) -> Vec<WorkloadRef> {
    names.iter().map(|name| fake.add(name, Some(requests("100m", "64Mi")), 2)).collect()
}

#[tokio::test(start_paused = true)]
async fn waves_are_made_in_order_and_only_what_the_gate_let_through() {
    let fake = Fake::new();
    shop(&fake, &["shop/front", "shop/cart", "shop/mail"]);
    let hold = Ask { wave: None, ..Ask::raise("shop/mail", 1) };
    let plan = plan(&[Ask::raise("shop/front", 2), Ask::raise("shop/cart", 1), hold]);
    let run = drive(&fake, &plan, &modes(ApplyMode::Patch)).await;
    assert_eq!(run.outcomes(), [Outcome::Applied, Outcome::Applied]);
    let log = fake.state().log.clone();
    assert_eq!(log, ["apply shop/Deployment/cart", "apply shop/Deployment/front"]);
    let applied = run.applied.unwrap();
    assert!(applied.changes.iter().all(|change| change.state == ChangeState::Made));
    assert_eq!(applied.outcomes.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_workload_that_does_not_get_well_stops_later_waves() {
    let fake = Fake::new();
    let sick = shop(&fake, &["shop/cart", "shop/front"]).remove(0);
    fake.state().sick.push(sick);
    let plan = plan(&[Ask::raise("shop/cart", 1), Ask::raise("shop/front", 2)]);
    let run = drive(&fake, &plan, &modes(ApplyMode::Patch)).await;
    assert_eq!(run.outcomes(), [Outcome::Failed, Outcome::NotReached]);
    assert!(run.detail(0).contains("ready within 600 s"), "{}", run.detail(0));
    assert!(run.detail(1).contains("shop/Deployment/cart of wave 1 failed"), "{}", run.detail(1));
    assert!(run.report.has_failed());
}

#[tokio::test(start_paused = true)]
async fn a_conflict_leaves_its_workload_alone_and_stops_nobody() {
    let fake = Fake::new();
    let workloads = shop(&fake, &["shop/cart", "shop/front"]);
    fake.set_resources(&workloads[0], &requests("120m", "64Mi"));
    let plan = plan(&[Ask::raise("shop/cart", 1), Ask::raise("shop/front", 2)]);
    let run = drive(&fake, &plan, &modes(ApplyMode::Patch)).await;
    assert_eq!(run.outcomes(), [Outcome::LeftAlone, Outcome::Applied]);
    assert_eq!(fake.resources(&workloads[0]), Some(requests("120m", "64Mi")));
    assert!(!run.report.has_failed() && !run.report.is_complete());
}

#[tokio::test(start_paused = true)]
async fn an_object_that_changed_since_it_was_read_is_read_again() {
    let fake = Fake::new();
    let workload = shop(&fake, &["shop/cart"]).remove(0);
    fake.state().faults.insert(0, Fault::Before(409));
    let run = drive(&fake, &plan(&[Ask::raise("shop/cart", 1)]), &modes(ApplyMode::Patch)).await;
    assert_eq!(run.outcomes(), [Outcome::Applied]);
    assert_eq!(fake.resources(&workload), Some(requests("150m", "64Mi")));
}

#[tokio::test(start_paused = true)]
async fn a_second_run_finds_everything_in_force() {
    let fake = Fake::new();
    shop(&fake, &["shop/cart"]);
    let plan = plan(&[Ask::raise("shop/cart", 1)]);
    for mode in [ApplyMode::Patch, ApplyMode::InPlace] {
        drive(&fake, &plan, &modes(mode)).await;
        let changes = fake.state().log.len();
        let again = drive(&fake, &plan, &modes(mode)).await;
        assert_eq!(again.outcomes(), [Outcome::Unchanged], "{mode}");
        assert_eq!(fake.state().log.len(), changes);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_changed_where_it_cannot_be_written_down() {
    let fake = Fake::new();
    shop(&fake, &["shop/cart"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let (journal, stop, config) =
        (Journal::new(&file), CancellationToken::new(), modes(ApplyMode::Patch));
    let driver = Driver {
        actuator: &fake,
        records: &journal,
        config: &config,
        stop: &stop,
        pace: Pace::default(),
        tell: &|_| {},
    };
    let plan = plan(&[Ask::raise("shop/cart", 1)]);
    assert!(driver.put_in_force(&plan, Timestamp::UNIX_EPOCH).await.is_err());
    assert!(fake.state().log.is_empty());
}

#[tokio::test(start_paused = true)]
async fn running_pods_are_resized_one_by_one_and_their_template_is_left() {
    let fake = Fake::new();
    let workload = shop(&fake, &["shop/cart"]).remove(0);
    let run = drive(&fake, &plan(&[Ask::raise("shop/cart", 1)]), &modes(ApplyMode::InPlace)).await;
    assert_eq!(run.outcomes(), [Outcome::Applied], "{}", run.detail(0));
    assert_eq!(run.detail(0), "2 of 2 pods were resized");
    assert_eq!(fake.state().log, ["resize cart-0", "resize cart-1"]);
    assert_eq!(fake.resources(&workload), Some(requests("100m", "64Mi")));
    let sizes: Vec<Value> = fake.state().pods[&workload]
        .iter()
        .map(|pod| pod.containers[0].resources.clone())
        .collect();
    assert_eq!(sizes, [requests("150m", "64Mi"), requests("150m", "64Mi")]);
}

#[tokio::test(start_paused = true)]
async fn a_kubelet_that_reports_no_sizes_is_believed_once_it_has_set_them_aside() {
    let fake = Fake::new();
    shop(&fake, &["shop/cart"]);
    *fake.kubelet.lock().unwrap() = Kubelet::Silent;
    let run = drive(&fake, &plan(&[Ask::raise("shop/cart", 1)]), &modes(ApplyMode::InPlace)).await;
    assert_eq!(run.outcomes(), [Outcome::Applied], "{}", run.detail(0));
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_its_node_cannot_hold_is_set_back_and_no_other_is_tried() {
    for (kubelet, reason) in [
        (Kubelet::CannotEver, "its node can never hold it: too large"),
        (Kubelet::Defers, "not resized within 60 s: its node has no room for it now: no room"),
        (Kubelet::Restarts, "container server was restarted by it"),
    ] {
        let fake = Fake::new();
        let workload = shop(&fake, &["shop/cart", "shop/front"]).remove(0);
        *fake.kubelet.lock().unwrap() = kubelet;
        let plan = plan(&[Ask::raise("shop/cart", 1), Ask::raise("shop/front", 2)]);
        let run = drive(&fake, &plan, &modes(ApplyMode::InPlace)).await;
        assert_eq!(run.outcomes(), [Outcome::SetBack, Outcome::NotReached], "{kubelet:?}");
        assert!(run.detail(0).contains(reason), "{}", run.detail(0));
        assert_eq!(fake.state().log, ["resize cart-0", "resize cart-0"]);
        let back = fake.state().pods[&workload][0].containers[0].resources.clone();
        assert_eq!(back, requests("100m", "64Mi"));
        assert_eq!(run.applied.unwrap().changes[0].state, ChangeState::Undone);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_cannot_be_set_back_is_a_failure_that_says_so() {
    let fake = Fake::new();
    shop(&fake, &["shop/cart"]);
    *fake.kubelet.lock().unwrap() = Kubelet::CannotEver;
    fake.state().faults.extend((1..10).map(|change| (change, Fault::Before(422))));
    let run = drive(&fake, &plan(&[Ask::raise("shop/cart", 1)]), &modes(ApplyMode::InPlace)).await;
    assert_eq!(run.outcomes(), [Outcome::Failed]);
    assert!(run.detail(0).contains("and it could not be set back"), "{}", run.detail(0));
    assert!(run.applied.unwrap().is_outstanding(), "a roll-back may still do it");
}

#[tokio::test(start_paused = true)]
async fn pods_that_went_away_come_next_time_and_pods_that_do_not_run_are_left() {
    let fake = Fake::new();
    let workload = shop(&fake, &["shop/cart"]).remove(0);
    fake.state().pods.get_mut(&workload).unwrap()[0].runs = false;
    let run = drive(&fake, &plan(&[Ask::raise("shop/cart", 1)]), &modes(ApplyMode::InPlace)).await;
    assert_eq!(run.detail(0), "1 of 1 pods were resized");
    fake.state().pods.get_mut(&workload).unwrap().clear();
    let run = drive(&fake, &plan(&[Ask::raise("shop/cart", 1)]), &modes(ApplyMode::InPlace)).await;
    assert_eq!(run.outcomes(), [Outcome::LeftAlone]);
}

#[tokio::test(start_paused = true)]
async fn the_schedule_changes_the_template_where_pods_cannot_be_resized_if_that_is_allowed() {
    let mut plan = plan(&[Ask::raise("shop/cart", 1)]);
    let start = Timestamp::UNIX_EPOCH;
    let (cpu, memory) = ("200m".parse().unwrap(), "64Mi".parse().unwrap());
    plan.recommendations[0].schedule = vec![mora_core::ForecastPoint { start, cpu, memory }];
    for (through, outcome, cpu) in [
        (Through::InPlaceOrPatch, Outcome::Applied, "200m"),
        (Through::InPlace, Outcome::SetBack, "100m"),
    ] {
        let fake = Fake::new();
        let workload = shop(&fake, &["shop/cart"]).remove(0);
        *fake.kubelet.lock().unwrap() = Kubelet::CannotEver;
        let mut config = modes(ApplyMode::Scheduled);
        config.scheduled.through = through;
        let run = drive(&fake, &plan, &config).await;
        assert_eq!(run.outcomes(), [outcome], "{}", run.detail(0));
        assert_eq!(fake.resources(&workload), Some(requests(cpu, "64Mi")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_told_to_stop_begins_nothing_more_and_its_record_is_right() {
    let fake = Fake::new();
    let workloads = shop(&fake, &["shop/cart", "shop/front"]);
    let folder = tempfile::tempdir().unwrap();
    let (journal, stop) = (Journal::new(folder.path()), CancellationToken::new());
    let told = Mutex::new(0);
    let config = modes(ApplyMode::Patch);
    let driver = Driver {
        actuator: &fake,
        records: &journal,
        config: &config,
        stop: &stop,
        pace: Pace::default(),
        // Told to stop once the first wave is over.
        tell: &|sentence| {
            if sentence.contains("applied") {
                *told.lock().unwrap() += 1;
                stop.cancel();
            }
        },
    };
    let plan = plan(&[Ask::raise("shop/cart", 1), Ask::raise("shop/front", 2)]);
    let report = driver.put_in_force(&plan, Timestamp::UNIX_EPOCH).await.unwrap();
    let outcomes: Vec<Outcome> = report.workloads.iter().map(|one| one.outcome).collect();
    assert_eq!(outcomes, [Outcome::Applied, Outcome::NotReached]);
    assert_eq!(fake.resources(&workloads[1]), Some(requests("100m", "64Mi")));
    let applied = journal.load("p1").await.unwrap().unwrap();
    assert_eq!(applied.changes.len(), 1);
    assert_eq!(applied.changes[0].state, ChangeState::Made);
}

#[tokio::test(start_paused = true)]
async fn a_vertical_autoscaler_is_told_target_and_bounds_and_others_are_not_there() {
    let fake = Fake::new();
    let workload = shop(&fake, &["shop/cart"]).remove(0);
    let plan = plan(&[Ask::raise("shop/cart", 1)]);
    let config = modes(ApplyMode::Vpa);
    let run = drive(&fake, &plan, &config).await;
    assert!(run.detail(0).contains("has no VerticalPodAutoscaler"), "{}", run.detail(0));
    let autoscaler = mora_kubernetes::RecommendedAutoscaler {
        name: "cart".to_owned(),
        resource_version: "1".to_owned(),
        policies: Vec::new(),
        status: Value::Null,
    };
    fake.state().autoscalers.insert(workload.clone(), vec![autoscaler]);
    let run = drive(&fake, &plan, &config).await;
    assert_eq!(run.outcomes(), [Outcome::Applied]);
    let status = fake.state().autoscalers[&workload][0].status.clone();
    let amounts = json!({"cpu": "150m", "memory": "64Mi"});
    assert_eq!(status["recommendation"]["containerRecommendations"][0]["target"], amounts);
    assert_eq!(status["conditions"][0]["type"], "RecommendationProvided");
    assert_eq!(drive(&fake, &plan, &config).await.outcomes(), [Outcome::Unchanged]);
    assert_eq!(fake.state().log, ["recommend cart"]);
}

#[tokio::test]
async fn files_need_no_cluster_and_a_folder() {
    let plan = plan(&[Ask::raise("shop/cart", 1)]);
    let report = in_files(&plan, &modes(ApplyMode::GitOps), Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(report.workloads[0].outcome, Outcome::LeftAlone);
    let folder = tempfile::tempdir().unwrap();
    let mut config = modes(ApplyMode::GitOps);
    config.git_ops.folder = Some(folder.path().join("mora"));
    let report = in_files(&plan, &config, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(report.workloads[0].outcome, Outcome::Applied);
    let again = in_files(&plan, &config, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(again.workloads[0].outcome, Outcome::Unchanged);
    assert_eq!(in_files(&plan, &modes(ApplyMode::Patch), Timestamp::UNIX_EPOCH), None);
}
