# shellcheck shell=bash disable=SC2154
# The test application on the test cluster, measured every second; sourced by scripts that measure or evaluate it. They set `here`,
# `profile`, `binaries`, `work` and `dir`.

on_cluster() { "$here/cluster" exec --dir "$dir" -- "$@"; }

# Without Grafana, whose image cannot be had here, and with a scrape every second instead of every fifteen.
monitoring() {
    on_cluster kubectl kustomize "$here/../deploy/overlays/monitoring" \
        | sed -e 's/^\( *scrape_interval:\) 15s$/\1 1s/' -e 's/^\( *scrape_timeout:\) 10s$/\1 1s/' \
        | on_cluster kubectl apply -f - >/dev/null
    on_cluster kubectl -n monitoring delete deployment grafana --ignore-not-found >/dev/null
}

bring_up() {
    local images
    images=$(mktemp -d)
    "$here/images" --profile "$profile" ${binaries:+--binaries "$binaries"} --output "$images" boutique >&2
    "$here/cluster" up --dir "$dir" --owner "$$" --images "$images" --metrics-api --housekeeping 1 >/dev/null
    rm -rf "$images"
    on_cluster kubectl apply -k "$here/../tests/boutique/deploy" >/dev/null
    on_cluster kubectl -n "$shop" set env deployment --all "BOUTIQUE_WORK=$work" >/dev/null
    # Of resources whose definition is applied in the same call.
    monitoring || monitoring
    on_cluster kubectl -n "$shop" wait deployment --all --for=condition=Available --timeout=300s >/dev/null
    on_cluster kubectl -n monitoring wait deployment --all --for=condition=Available --timeout=300s >/dev/null
    host=$(on_cluster kubectl -n "$shop" get service frontend -o 'jsonpath={.spec.clusterIP}')
    prometheus=http://$(on_cluster kubectl -n monitoring get service prometheus -o 'jsonpath={.spec.clusterIP}'):9090
    jmeter=$("$here/test-tools" 2>/dev/null | sed -n 's/^MORA_TEST_JMETER=//p')
    [ -n "$jmeter" ] || { echo "there is no JMeter; see scripts/test-tools" >&2; exit 1; }
}

bring_down() { if [ -z "$keep" ]; then "$here/cluster" down --dir "$dir"; fi; }

shop=hipster-shop
