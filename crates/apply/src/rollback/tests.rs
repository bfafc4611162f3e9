use jiff::Timestamp;
use mora_core::ApplyMode;
use proptest::prelude::*;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::fake::{Ask, Fake, Fault, Kubelet, plan, requests};
use crate::resources::claim;
use crate::{ApplyConfig, Driver, Journal, Pace};

const ASK: Ask = Ask::raise("shop/cart", 1);

struct Scene {
    fake: Fake,
    workload: WorkloadRef,
    journal: Journal,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new(resources: Option<Value>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let fake = Fake::new();
        let workload = fake.add("shop/cart", resources, 2);
        Self { fake, workload, journal: Journal::new(folder.path()), _folder: folder }
    }

    async fn apply(&self, plan: &mora_core::Plan, mode: ApplyMode) {
        let config = ApplyConfig { default_mode: mode, ..ApplyConfig::default() };
        let driver = Driver {
            actuator: &self.fake,
            records: &self.journal,
            config: &config,
            stop: &CancellationToken::new(),
            pace: Pace::default(),
            tell: &|_| {},
        };
        driver.put_in_force(plan, Timestamp::UNIX_EPOCH).await.unwrap();
    }

    async fn roll_back(&self, force: bool) -> Vec<Undone> {
        let mut applied = self.journal.load("p1").await.unwrap().unwrap();
        roll_back(&self.fake, &self.journal, &mut applied, force).await.unwrap()
    }

    fn pods(&self) -> Vec<Value> {
        let state = self.fake.state();
        state.pods[&self.workload].iter().map(|p| p.containers[0].resources.clone()).collect()
    }
}

fn outcomes(undone: &[Undone]) -> Vec<Outcome> {
    undone.iter().map(|one| one.outcome).collect()
}

#[tokio::test(start_paused = true)]
async fn templates_and_pods_are_as_before_and_a_second_time_changes_nothing() {
    for mode in [ApplyMode::Patch, ApplyMode::InPlace] {
        let before = requests("0.1", "67108864");
        let scene = Scene::new(Some(before.clone()));
        scene.apply(&plan(&[ASK]), mode).await;
        let changed = scene.fake.state().log.len();
        assert!(scene.roll_back(false).await.iter().all(|one| one.outcome == Outcome::Applied));
        assert_eq!(scene.fake.resources(&scene.workload), Some(before.clone()));
        assert_eq!(scene.pods(), [before.clone(), before]);
        assert_eq!(scene.fake.state().templates[&scene.workload].plan, None);
        let undone = scene.fake.state().log.len();
        assert!(undone > changed);
        let again = scene.roll_back(false).await;
        assert!(again.iter().all(|one| one.outcome == Outcome::Unchanged));
        assert_eq!(scene.fake.state().log.len(), undone);
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_changed_since_is_only_set_back_by_force() {
    let scene = Scene::new(Some(requests("100m", "64Mi")));
    scene.apply(&plan(&[ASK]), ApplyMode::Patch).await;
    scene.fake.set_resources(&scene.workload, &requests("175m", "64Mi"));
    let undone = scene.roll_back(false).await;
    assert_eq!(outcomes(&undone), [Outcome::LeftAlone]);
    assert!(undone[0].detail.contains("--force"), "{}", undone[0].detail);
    assert_eq!(scene.fake.resources(&scene.workload), Some(requests("175m", "64Mi")));
    assert_eq!(outcomes(&scene.roll_back(true).await), [Outcome::Applied]);
    assert_eq!(scene.fake.resources(&scene.workload), Some(requests("100m", "64Mi")));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_died_between_record_and_change_or_before_its_answer_is_undone() {
    for (fault, done) in [(Fault::Before(500), false), (Fault::After(500), true)] {
        for mode in [ApplyMode::Patch, ApplyMode::InPlace] {
            let before = requests("100m", "64Mi");
            let scene = Scene::new(Some(before.clone()));
            scene.fake.state().faults.insert(0, fault);
            scene.apply(&plan(&[ASK]), mode).await;
            let first = scene.roll_back(false).await;
            let expected = if done { Outcome::Applied } else { Outcome::Unchanged };
            assert_eq!(first.last().unwrap().outcome, expected, "{mode}, {fault:?}");
            assert_eq!(scene.fake.resources(&scene.workload), Some(before.clone()));
            assert_eq!(scene.pods(), [before.clone(), before]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_undone_keeps_no_other_and_is_tried_again_next_time() {
    let scene = Scene::new(Some(requests("100m", "64Mi")));
    let other = scene.fake.add("shop/front", Some(requests("100m", "64Mi")), 1);
    scene.apply(&plan(&[ASK, Ask::raise("shop/front", 2)]), ApplyMode::Patch).await;
    scene.fake.state().faults.insert(2, Fault::Before(403));
    let undone = scene.roll_back(false).await;
    assert_eq!(outcomes(&undone), [Outcome::Failed, Outcome::Applied], "the last change first");
    assert_eq!(undone[0].workload, other);
    let again = scene.roll_back(false).await;
    assert_eq!(outcomes(&again), [Outcome::Applied, Outcome::Unchanged]);
}

#[tokio::test(start_paused = true)]
async fn pods_and_workloads_that_are_gone_need_nothing() {
    let scene = Scene::new(Some(requests("100m", "64Mi")));
    scene.apply(&plan(&[ASK]), ApplyMode::InPlace).await;
    scene.fake.state().pods.clear();
    let undone = scene.roll_back(false).await;
    assert_eq!(outcomes(&undone), [Outcome::Unchanged, Outcome::Unchanged]);
    let scene = Scene::new(Some(requests("100m", "64Mi")));
    scene.apply(&plan(&[ASK]), ApplyMode::Patch).await;
    scene.fake.state().templates.get_mut(&scene.workload).unwrap().uid = "another".to_owned();
    let undone = scene.roll_back(false).await;
    assert!(undone[0].detail.contains("deleted and made again"), "{}", undone[0].detail);
}

#[tokio::test(start_paused = true)]
async fn a_recommendation_is_taken_back_to_what_was_recommended_before() {
    let scene = Scene::new(Some(requests("100m", "64Mi")));
    let status = json!({"conditions": [{"type": "LowConfidence", "status": "True"}]});
    let autoscaler = mora_kubernetes::RecommendedAutoscaler {
        name: "cart".to_owned(),
        resource_version: "1".to_owned(),
        policies: Vec::new(),
        status: status.clone(),
    };
    scene.fake.state().autoscalers.insert(scene.workload.clone(), vec![autoscaler]);
    scene.apply(&plan(&[ASK]), ApplyMode::Vpa).await;
    assert_eq!(outcomes(&scene.roll_back(false).await), [Outcome::Applied]);
    let now = scene.fake.state().autoscalers[&scene.workload][0].status.clone();
    assert_eq!(now["conditions"], status["conditions"]);
    assert!(now["recommendation"].is_null());
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_was_set_back_is_not_touched_by_a_roll_back() {
    let scene = Scene::new(Some(requests("100m", "64Mi")));
    *scene.fake.kubelet.lock().unwrap() = Kubelet::CannotEver;
    scene.apply(&plan(&[ASK]), ApplyMode::InPlace).await;
    let changes = scene.fake.state().log.len();
    assert_eq!(outcomes(&scene.roll_back(false).await), [Outcome::Unchanged]);
    assert_eq!(scene.fake.state().log.len(), changes);
}

fn quantity(spelt: &'static [&'static str]) -> impl Strategy<Value = Option<&'static str>> + Clone {
    prop_oneof![2 => Just(None), 5 => prop::sample::select(spelt).prop_map(Some)]
}

/// Any `resources` that the API may give: absent, empty, with odd spellings, and with what is not MOrA's.
fn resources() -> impl Strategy<Value = Option<Value>> {
    const CPU: &[&str] = &["0.5", "500m", "1e3", "2", "1E-1", ".25", "100u", "1500m"];
    const MEMORY: &[&str] =
        &["128974848", "123Mi", "129e6", "1Gi", "0.5Gi", "128974848000m", "64Mi"];
    let sides = (quantity(CPU), quantity(MEMORY), any::<bool>());
    (sides.clone(), sides, any::<bool>(), 0..4).prop_map(|(requests, limits, claims, shape)| {
        if shape == 0 {
            return None;
        }
        let mut resources = json!({});
        for (side, (cpu, memory, other)) in [("requests", requests), ("limits", limits)] {
            let mut quantities = json!({});
            let stated =
                [("cpu", cpu), ("memory", memory), ("ephemeral-storage", other.then_some("1Gi"))];
            for (name, text) in stated {
                if let Some(text) = text {
                    quantities[name] = json!(text);
                }
            }
            if shape == 1 || quantities != json!({}) {
                resources[side] = quantities;
            }
        }
        if claims {
            resources["claims"] = json!([{"name": "gpu"}]);
        }
        Some(resources)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_a_container_stated_is_stated_again_to_the_byte(
        before in resources(),
        cpu in 1_u64..5000,
        memory in 1_u64..4096,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            for mode in [ApplyMode::Patch, ApplyMode::InPlace] {
                let scene = Scene::new(before.clone());
                let mut plan = plan(&[Ask { to: (cpu, memory), ..ASK }]);
                // What the plan was made from is what is there.
                let Ok(now) = claim(before.as_ref()).map(crate::resources::effective) else { return };
                let one = &mut plan.recommendations[0];
                (one.cpu.current, one.memory.current) = (now.cpu_request, now.memory_request);
                one.limits.cpu.current = now.cpu_limit;
                one.limits.memory.current = now.memory_limit;
                let texts = || {
                    let template = scene.fake.resources(&scene.workload).map(|raw| raw.to_string());
                    (template, scene.pods().iter().map(Value::to_string).collect::<Vec<_>>())
                };
                let was = texts();
                scene.apply(&plan, mode).await;
                if scene.journal.load("p1").await.unwrap().is_some() {
                    let undone = scene.roll_back(false).await;
                    assert!(undone.iter().all(|one| one.outcome != Outcome::Failed && one.outcome != Outcome::LeftAlone), "{undone:?}");
                }
                assert_eq!(texts(), was, "{mode}");
            }
        });
    }
}
