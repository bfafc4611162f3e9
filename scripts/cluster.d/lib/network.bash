# shellcheck shell=bash disable=SC2154
# The network namespace of the test cluster and its link to the host; sourced by scripts/cluster.

in_namespace() { nsenter "--net=/run/netns/$namespace" "$@"; }

make_network() {
    ip netns add "$namespace"
    ip link add "$host_link" type veth peer name "$node_link" netns "$namespace"
    ip address add "$host_ip/30" dev "$host_link"
    ip link set "$host_link" up
    in_namespace ip link set lo up
    in_namespace ip address add "$node_ip/30" dev "$node_link"
    in_namespace ip link set "$node_link" up
    # A Service's address is translated after it has found a route: any will do. Nothing leads out of the namespace.
    in_namespace ip route add "$service_net" via "$host_ip"
    in_namespace sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.route_localnet=1
    # Without the link these addresses are unreachable instead of leaving by the host's default route.
    ip route add unreachable "$cluster_net" metric 4096
    ip route add "$pod_net" via "$node_ip" dev "$host_link"
    ip route add "$service_net" via "$node_ip" dev "$host_link"
}

remove_network() {
    ip link delete "$host_link" 2>/dev/null || true
    ip netns delete "$namespace" 2>/dev/null || true
    ip route delete unreachable "$cluster_net" metric 4096 2>/dev/null || true
}
