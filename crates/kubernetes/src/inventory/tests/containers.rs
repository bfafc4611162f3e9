use super::*;

#[tokio::test]
async fn init_containers_that_always_restart_are_sidecars_and_what_is_injected_is_too() {
    let mut cart = workload("cart", 1);
    let mut proxy = container("proxy", "50m");
    proxy["restartPolicy"] = json!("Always");
    cart["spec"]["template"]["spec"]["initContainers"] = json!([container("migrate", "1"), proxy]);
    let mut of_cart = pod(&owned("cart-0", "apps/v1", "StatefulSet", "cart"));
    of_cart["spec"]["containers"] =
        json!([container("server", "100m"), container("istio-proxy", "10m")]);
    of_cart["spec"]["initContainers"] = json!([container("istio-init", "5m")]);
    let item = only(&json!({"statefulsets": [cart], "pods": [of_cart]})).await;
    let found: Vec<_> = item.containers.iter().map(|(name, c)| (&**name, c.role)).collect();
    let expected = [
        ("server", ContainerRole::Main),
        ("migrate", ContainerRole::Init),
        ("proxy", ContainerRole::Sidecar),
        ("istio-proxy", ContainerRole::Sidecar),
        ("istio-init", ContainerRole::Init),
    ];
    assert_eq!(found, expected);
    assert_eq!(named(&item)["istio-proxy"].1.cpu_request, Some(Millicores::new(10)));
}

#[tokio::test]
async fn claims_are_those_of_the_template_also_where_a_pod_was_resized() {
    let mut resized = pod(&owned("cart-0", "apps/v1", "StatefulSet", "cart"));
    resized["spec"]["containers"] = json!([container("server", "700m")]);
    let mut cart = workload("cart", 1);
    cart["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] =
        json!({"memory": "1Gi"});
    let item = only(&json!({"statefulsets": [cart], "pods": [resized]})).await;
    let claim = named(&item)["server"].1;
    assert_eq!(claim.cpu_request, Some(Millicores::new(100)));
    assert_eq!(claim.memory_request, Some(Bytes::from_mebibytes(64)));
    assert_eq!((claim.cpu_limit, claim.memory_limit), (None, Some(Bytes::from_mebibytes(1024))));
}

#[tokio::test]
async fn micro_units_and_plain_numbers_are_quantities_and_nonsense_is_a_warning_of_its_owner() {
    let mut cart = workload("cart", 1);
    cart["spec"]["template"]["spec"]["containers"] = json!([
        {"name": "a", "resources": {"requests": {"cpu": "100u", "memory": 1024}, "limits": {"cpu": 0.5}}},
        {"name": "b", "resources": {"requests": {"cpu": "lots", "memory": {"of": "it"}}}},
        {"name": "c", "resources": null},
    ]);
    let item = only(&json!({"deployments": [cart]})).await;
    let found = named(&item);
    let a = found["a"].1;
    assert_eq!(
        (a.cpu_request, a.cpu_limit),
        (Some(Millicores::new(1)), Some(Millicores::new(500)))
    );
    assert_eq!(a.memory_request, Some(Bytes::new(1024)));
    assert_eq!((found["b"].1, found["c"].1), (ResourceClaim::default(), ResourceClaim::default()));
    let [cpu, memory] = &item.warnings[..] else { panic!("{:?}", item.warnings) };
    let start = "the CPU request of container b of shop/Deployment/cart is ignored: `lots`";
    assert!(cpu.starts_with(start), "{cpu}");
    assert!(memory.starts_with("the memory request of container b"), "{memory}");
}
