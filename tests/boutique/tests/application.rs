//! The whole application: visitors, calls, scaling, restarts, and the end of all its processes.

#[path = "application/shop.rs"]
mod shop;

use shop::{Form, Shop, eventually, is_running};

const MUG: &str = "6E92ZMYYFZ";
const ORDER: Form = &[
    ("email", "someone@example.com"),
    ("street_address", "1 Example Street"),
    ("zip_code", "94043"),
    ("city", "Mountain View"),
    ("state", "CA"),
    ("country", "United States"),
    ("credit_card_number", "4432-8015-6152-0454"),
    ("credit_card_expiration_month", "1"),
    ("credit_card_expiration_year", "2099"),
    ("credit_card_cvv", "672"),
];

#[tokio::test]
async fn a_visitor_orders_and_every_call_is_counted_along_the_graph() {
    let shop = Shop::start().await;
    let mut visitor = shop.visitor();
    let home = visitor.get("/").await.expect(200);
    assert!(home.contains("Mug") && home.contains("$8.99") && home.contains("Salt &amp; Pepper"));
    let product = visitor.get(&format!("/product/{MUG}")).await.expect(200);
    assert!(product.contains("Add To Cart") && product.contains("You May Also Like"));
    let item = [("product_id", MUG), ("quantity", "2")];
    assert_eq!(visitor.post("/cart", &item).await.expect_redirect(), "/cart");
    let cart = visitor.get("/cart").await.expect(200);
    assert!(
        cart.contains("Cart (2)") && cart.contains("$17.98") && cart.contains("$26.97"),
        "{cart}"
    );
    assert_eq!(
        visitor.post("/setCurrency", &[("currency_code", "EUR")]).await.expect_redirect(),
        "/"
    );
    assert!(visitor.get("/cart").await.expect(200).contains("€15.90"));
    let order = visitor.post("/cart/checkout", ORDER).await.expect(200);
    assert!(order.contains("Your order is complete!") && order.contains("Total Paid"), "{order}");
    assert!(visitor.get("/cart").await.expect(200).contains("Your shopping cart is empty!"));
    visitor.get("/logout").await.expect_redirect();

    let page = shop.metrics().await;
    let calls = |from, to| {
        let labels =
            [("source_workload", from), ("destination_workload", to), ("reporter", "destination")];
        page.count("istio_requests_total", &labels)
    };
    assert_eq!(calls("unknown", "frontend"), 9);
    assert_eq!(calls("frontend", "adservice"), 2);
    assert_eq!(calls("frontend", "checkoutservice"), 1);
    assert_eq!(calls("frontend", "recommendationservice"), 5);
    assert_eq!(calls("recommendationservice", "productcatalogservice"), 5);
    // Home, product, three carts and the order ask for the currencies; home converts 9 prices, the product 1, the two
    // full carts a price and shipping each, the empty one shipping.
    assert_eq!(calls("frontend", "currencyservice"), 6 + 9 + 1 + 4 + 1);
    assert_eq!(calls("frontend", "cartservice"), 6);
    assert_eq!(calls("frontend", "shippingservice"), 3);
    let of_order = [("cartservice", 2), ("currencyservice", 2), ("emailservice", 1)];
    let of_order = of_order.into_iter().chain([("paymentservice", 1)]);
    for (callee, count) in of_order.chain([("productcatalogservice", 1), ("shippingservice", 2)]) {
        assert_eq!(calls("checkoutservice", callee), count, "{callee}");
    }
    // Pages read the cart five times and an order once; adding reads and writes, an order empties.
    assert_eq!(calls("cartservice", "redis-cart"), 9);
    let grpc = [("destination_workload", "cartservice"), ("grpc_response_status", "0")];
    let durations = page.count("istio_request_duration_milliseconds_count", &grpc);
    assert_eq!(durations, page.count("istio_requests_total", &grpc));
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_a_failing_dependency_is_a_500() {
    let shop = Shop::start().await;
    let mut visitor = shop.visitor();
    visitor.get("/product/NOSUCHTHING").await.expect(404);
    visitor.get("/nowhere").await.expect(404);
    visitor.post("/cart", &[("product_id", "NOSUCHTHING"), ("quantity", "1")]).await.expect(404);
    visitor.post("/cart", &[("product_id", MUG), ("quantity", "11")]).await.expect(422);
    visitor.post("/cart", &[("product_id", MUG), ("quantity", "many")]).await.expect(422);
    visitor.post("/cart", &[("product_id", MUG)]).await.expect(422);
    visitor.post("/setCurrency", &[("currency_code", "XXX")]).await.expect(422);
    assert!(visitor.post("/cart/checkout", ORDER).await.expect(422).contains("the cart is empty"));
    visitor.post("/cart", &[("product_id", MUG), ("quantity", "1")]).await.expect_redirect();
    let mut expired = ORDER.to_vec();
    expired[8].1 = "2001";
    let refused = visitor.post("/cart/checkout", &expired).await.expect(422);
    assert!(refused.contains("the card has expired"), "{refused}");
    visitor.post("/cart/empty", &[]).await.expect_redirect();
    assert_eq!(visitor.get("/_healthz").await.expect(200), "ok");

    shop.put("currencyservice", r#"{"replicas": 0}"#).await.expect(200);
    eventually("a failing page", async || (visitor.get("/").await.status == 500).then_some(()))
        .await;
    assert_eq!(visitor.get("/_healthz").await.expect(200), "ok");
    shop.put("currencyservice", r#"{"replicas": 1}"#).await.expect(200);
    eventually("a page again", async || (visitor.get("/").await.status == 200).then_some(())).await;
}

#[tokio::test]
async fn replicas_are_real_processes_that_get_their_share_and_claims_are_told() {
    let shop = Shop::start().await;
    let all = shop.control("/workloads").await.json();
    assert_eq!(all.as_array().unwrap().len(), 11);
    shop.put("cartservice", r#"{"replicas": 3, "claim": {"cpu_limit_millicores": 700}}"#)
        .await
        .expect(200);
    shop.ready("cartservice", 3).await;
    let mut visitor = shop.visitor();
    let cart = [("destination_workload", "cartservice")];
    let three = eventually("calls to each of three pods", async || {
        visitor.get("/").await.expect(200);
        let page = shop.metrics().await;
        let pods = page.values("istio_requests_total", &cart, "pod");
        (pods.len() == 3).then_some(pods)
    })
    .await;
    let page = shop.metrics().await;
    let deployment = [("namespace", "shop"), ("deployment", "cartservice")];
    assert_eq!(page.count("kube_deployment_status_replicas_ready", &deployment), 3);
    for pod in &three {
        let of = [("namespace", "shop"), ("pod", pod.as_str())];
        let container = [of[0], of[1], ("container", "server")];
        assert!(page.sum("container_memory_working_set_bytes", &container) > 1e6);
        assert!(page.has("container_cpu_usage_seconds_total", &container));
        let network = [of[0], of[1], ("interface", "eth0")];
        assert!(page.sum("container_network_receive_bytes_total", &network) > 100.0);
        assert!(page.sum("container_network_transmit_bytes_total", &network) > 100.0);
        let cpu = [of[0], of[1], ("resource", "cpu"), ("unit", "core")];
        let limit = page.sum("kube_pod_container_resource_limits", &cpu);
        assert!((limit - 0.7).abs() < 1e-9, "{limit}");
        let [set] = &page.values("kube_pod_owner", &of, "owner_name")[..] else { panic!("{pod}") };
        let set = [("replicaset", set.as_str()), ("owner_kind", "Deployment")];
        assert_eq!(page.values("kube_replicaset_owner", &set, "owner_name"), ["cartservice"]);
    }

    let processes = shop.processes("cartservice").await;
    assert_eq!(processes.len(), 3);
    shop.put("cartservice", r#"{"replicas": 1}"#).await.expect(200);
    shop.ready("cartservice", 1).await;
    eventually("two processes to end", async || {
        (processes.iter().filter(|number| is_running(**number)).count() == 1).then_some(())
    })
    .await;
    visitor.get("/").await.expect(200);
    assert_eq!(shop.metrics().await.count("kube_deployment_status_replicas_ready", &deployment), 1);

    shop.put("cartservice", r#"{"replicas": 21}"#).await.expect(422);
    shop.put("cartservice", r#"{"replica": 2}"#).await.expect(422);
    shop.put("cartservice", r#"{"claim": {"cpu_request_millicores": 701}}"#).await.expect(422);
    shop.put("nosuchservice", r#"{"replicas": 1}"#).await.expect(404);
    let state = shop.control("/workloads/cartservice").await.json();
    assert_eq!((&state["replicas"], &state["kind"]), (&1.into(), &"Deployment".into()));
    assert_eq!(state["claim"]["cpu_limit_millicores"], 700);
}

#[tokio::test]
async fn a_killed_process_is_started_again_as_the_same_pod() {
    let shop = Shop::start().await;
    let [before] = shop.processes("paymentservice").await[..] else { panic!("one replica") };
    shop::kill(before);
    let page = eventually("a restart", async || {
        let page = shop.metrics().await;
        (page.count("kube_pod_container_status_restarts_total", &[]) == 1).then_some(page)
    })
    .await;
    let restarted = page.samples("kube_pod_container_status_restarts_total", &[]);
    let restarted: Vec<_> = restarted.into_iter().filter(|(_, count)| *count > 0.0).collect();
    assert!(restarted[0].0.contains("pod=\"paymentservice-"), "{restarted:?}");
    shop.ready("paymentservice", 1).await;
    assert_ne!(shop.processes("paymentservice").await, [before]);
    let mut visitor = shop.visitor();
    visitor.post("/cart", &[("product_id", MUG), ("quantity", "1")]).await.expect_redirect();
    visitor.post("/cart/checkout", ORDER).await.expect(200);
}

#[tokio::test]
async fn all_processes_end_with_the_supervisor_however_it_ends() {
    for ending in [Shop::kill, Shop::close_input, Shop::terminate] {
        let mut shop = Shop::start().await;
        let processes = shop.all_processes().await;
        assert_eq!(processes.len(), 11);
        assert!(processes.iter().all(|number| is_running(*number)));
        ending(&mut shop);
        eventually("no process left", async || {
            processes.iter().all(|number| !is_running(*number)).then_some(())
        })
        .await;
        eventually("the supervisor to end", async || shop.has_ended().then_some(())).await;
    }
}

#[test]
fn one_service_alone_names_the_address_it_lacks() {
    let refused = shop::refused(&["serve", "cartservice", "--listen", "127.0.0.1:0"]);
    assert!(refused.contains("set REDIS_ADDR"), "{refused}");
    let refused = shop::refused(&["serve", "cart"]);
    assert!(refused.contains("cartservice, currencyservice"), "{refused}");
}

#[tokio::test]
async fn carts_outlive_the_scaling_of_their_store() {
    let shop = Shop::start().await;
    let mut visitor = shop.visitor();
    visitor.post("/cart", &[("product_id", MUG), ("quantity", "1")]).await.expect_redirect();
    for replicas in [2, 1] {
        shop.put("redis-cart", &format!(r#"{{"replicas": {replicas}}}"#)).await.expect(200);
        shop.ready("redis-cart", replicas).await;
        for _ in 0..10 {
            assert!(visitor.get("/cart").await.expect(200).contains("Cart (1)"));
        }
    }
}
