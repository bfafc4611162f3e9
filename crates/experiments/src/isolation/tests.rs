use super::*;

fn state(name: &str, replicas: u32) -> WorkloadState {
    let claim = ResourceClaim {
        cpu_request: Some(Millicores::new(100)),
        cpu_limit: Some(Millicores::new(300)),
        memory_request: None,
        memory_limit: Some(Bytes::from_mebibytes(3000)),
    };
    WorkloadState {
        workload: name.parse().unwrap(),
        replicas,
        ready: replicas,
        settled: true,
        containers: [("server".to_owned(), claim)].into(),
        autoscaler: None,
    }
}

fn scaled(mut state: WorkloadState) -> WorkloadState {
    state.autoscaler = Some(("hpa".to_owned(), Bounds { min: 1, max: 9 }));
    state
}

fn target() -> WorkloadRef {
    "shop/frontend".parse().unwrap()
}

fn texts(isolation: &Isolation) -> Vec<String> {
    isolation.changes.iter().map(ToString::to_string).collect()
}

#[test]
fn others_get_more_replicas_and_limits_up_to_the_ceiling_and_the_target_nothing() {
    let states = [
        state("shop/frontend", 1),
        state("shop/cart", 3),
        state("shop/redis-cart", 1),
        state("shop/StatefulSet/redis", 1),
    ];
    let isolation = isolate(&states, &target(), &IsolationConfig::default()).unwrap();
    assert_eq!(
        texts(&isolation),
        [
            "shop/Deployment/cart: claim of container server cpu 100m/300m, memory none/3000Mi -> cpu 100m/600m, memory none/4Gi",
            "shop/Deployment/cart: replicas 3 -> 4",
            "shop/Deployment/redis-cart: claim of container server cpu 100m/300m, memory none/3000Mi -> cpu 100m/600m, memory none/4Gi",
            "shop/StatefulSet/redis: claim of container server cpu 100m/300m, memory none/3000Mi -> cpu 100m/600m, memory none/4Gi",
        ]
    );
}

#[test]
fn what_is_above_the_ceiling_already_is_not_lowered() {
    let config = IsolationConfig {
        most_replicas: 2,
        most_cpu: Millicores::new(200),
        most_memory: Bytes::from_mebibytes(1),
        ..IsolationConfig::default()
    };
    let states = [state("shop/frontend", 1), state("shop/cart", 3)];
    assert_eq!(isolate(&states, &target(), &config).unwrap(), Isolation::default());
}

#[test]
fn load_of_the_application_s_own_is_stopped_and_what_is_named_or_off_is_left() {
    let states = [
        state("shop/frontend", 1),
        state("shop/loadgenerator", 2),
        state("shop/cart", 1),
        state("shop/email", 0),
    ];
    let config =
        IsolationConfig { untouched: vec!["cart".to_owned()], ..IsolationConfig::default() };
    let isolation = isolate(&states, &target(), &config).unwrap();
    assert_eq!(texts(&isolation), ["shop/Deployment/loadgenerator: replicas 2 -> 0"]);
}

#[test]
fn an_autoscaler_on_the_target_is_an_error_that_says_how_to_hold_it() {
    let states = [scaled(state("shop/frontend", 2)), scaled(state("shop/cart", 1))];
    let error = isolate(&states, &target(), &IsolationConfig::default()).unwrap_err();
    assert!(error.to_string().contains("--pause-autoscalers"), "{error}");
    let config = IsolationConfig { pause_autoscalers: true, ..IsolationConfig::default() };
    let isolation = isolate(&states, &target(), &config).unwrap();
    assert_eq!(
        texts(&isolation)[1..],
        [
            "shop/Deployment/cart: bounds of autoscaler hpa 1 to 9 -> 2 to 2",
            "shop/Deployment/cart: replicas 1 -> 2"
        ]
    );
}

#[test]
fn another_workload_with_an_autoscaler_keeps_its_replicas_and_that_is_said() {
    let states = [state("shop/frontend", 2), scaled(state("shop/cart", 1))];
    let isolation = isolate(&states, &target(), &IsolationConfig::default()).unwrap();
    assert_eq!(isolation.changes.len(), 1, "only the limits: {isolation:?}");
    assert!(isolation.notes[0].contains("shop/Deployment/cart keeps its replicas"));
}

#[test]
fn a_target_that_is_not_there_or_has_no_replicas_is_refused() {
    let states = [state("shop/cart", 3), state("shop/DaemonSet/agent", 2)];
    let config = IsolationConfig::default();
    let absent = isolate(&states, &target(), &config).unwrap_err();
    assert!(absent.to_string().contains("shop/Deployment/cart"), "{absent}");
    let agent: WorkloadRef = "shop/DaemonSet/agent".parse().unwrap();
    let error = isolate(&states, &agent, &config).unwrap_err();
    assert_eq!(error, IsolationError::DaemonSet(agent));
}
