# shellcheck shell=bash disable=SC2154
# The programs of the test cluster: how each is started, stopped and waited for; sourced by scripts/cluster.

components=(etcd containerd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy)

# render FILE: a file of cluster.d/node with its @NAMES@ filled in.
render() {
    sed -e "s|@DIR@|$dir|g" -e "s|@NODE@|$node_root|g" -e "s|@NODE_NAME@|$node_name|g" -e "s|@DNS_IP@|$dns_ip|g" \
        -e "s|@POD_CIDR@|$pod_net|g" -e "s|@SNAPSHOTTER@|$snapshotter|g" -e "s|@COREDNS_IMAGE@|$coredns_image|g" \
        -e "s|@METRICS_SERVER_IMAGE@|$metrics_server_image|g" "$here/cluster.d/node/$1"
}

write_configuration() {
    mkdir -p "$dir/config/cni"
    render containerd.toml >"$dir/config/containerd.toml"
    render cni.conflist >"$dir/config/cni/10-mora.conflist"
    render kubelet.yaml >"$dir/config/kubelet.yaml"
    render kube-proxy.yaml >"$dir/config/kube-proxy.yaml"
    render audit.yaml >"$dir/config/audit.yaml"
    : >"$dir/config/resolv.conf"
}

# The command line of a component, in the array `command`.
# shellcheck disable=SC2054 # the commas are Kubernetes'
command_of() {
    local config=$dir/config pki=$dir/pki
    case $1 in
        etcd) command=("$node_root/usr/bin/etcd" --data-dir "$dir/etcd" --listen-client-urls http://127.0.0.1:2379
            --advertise-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 --log-level warn) ;;
        containerd) command=("$node_root/usr/bin/containerd" --config "$config/containerd.toml") ;;
        kube-apiserver) command=("$bin/kube-apiserver" --etcd-servers http://127.0.0.1:2379 --secure-port 6443 --advertise-address "$node_ip"
            --authorization-mode Node,RBAC --enable-admission-plugins NodeRestriction --allow-privileged=true
            --service-cluster-ip-range "$service_net" --client-ca-file "$pki/ca.crt"
            --tls-cert-file "$pki/apiserver.crt" --tls-private-key-file "$pki/apiserver.key"
            --kubelet-client-certificate "$pki/apiserver-kubelet.crt" --kubelet-client-key "$pki/apiserver-kubelet.key"
            --kubelet-certificate-authority "$pki/ca.crt" --kubelet-preferred-address-types InternalIP
            --service-account-issuer https://kubernetes.default.svc.cluster.local
            --service-account-key-file "$pki/service-account.pub" --service-account-signing-key-file "$pki/service-account.key"
            --requestheader-client-ca-file "$pki/front-proxy-ca.crt" --requestheader-allowed-names front-proxy
            --requestheader-username-headers X-Remote-User --requestheader-group-headers X-Remote-Group
            --requestheader-extra-headers-prefix X-Remote-Extra- --enable-aggregator-routing=true
            --proxy-client-cert-file "$pki/front-proxy.crt" --proxy-client-key-file "$pki/front-proxy.key"
            --feature-gates SizeBasedListCostEstimate=false
            --audit-policy-file "$config/audit.yaml" --audit-log-path "$dir/log/audit.log") ;;
        kube-controller-manager) command=("$bin/kube-controller-manager" --kubeconfig "$config/controller-manager.kubeconfig"
            --use-service-account-credentials --service-account-private-key-file "$pki/service-account.key"
            --root-ca-file "$pki/ca.crt" --cluster-signing-cert-file "$pki/ca.crt" --cluster-signing-key-file "$pki/ca.key"
            --leader-elect=false --bind-address 127.0.0.1) ;;
        kube-scheduler) command=("$bin/kube-scheduler" --kubeconfig "$config/scheduler.kubeconfig" --leader-elect=false --bind-address 127.0.0.1) ;;
        kubelet) command=("$bin/kubelet" --config "$config/kubelet.yaml" --kubeconfig "$config/kubelet.kubeconfig"
            --root-dir "$dir/kubelet" --containerd "$dir/containerd.sock" --hostname-override "$node_name" --node-ip "$node_ip"
            --housekeeping-interval "$(cat "$config/housekeeping")") ;;
        kube-proxy) command=("$bin/kube-proxy" --config "$config/kube-proxy.yaml") ;;
        *) fail "there is no component '$1'; there are: ${components[*]}" ;;
    esac
}

process_of() { cat "$dir/run/$1.pid" 2>/dev/null; }

# Whether the component runs; a process of the same number started later by others does not count.
is_running() {
    local process
    process=$(process_of "$1") && [ "$(readlink "/proc/$process/exe" 2>/dev/null)" = "$(cat "$dir/run/$1.exe")" ]
}

start_component() {
    local command
    if is_running "$1"; then return; fi
    command_of "$1"
    readlink -f "${command[0]}" >"$dir/run/$1.exe"
    # nsenter without a process namespace becomes the program, so that $! is the program's process.
    PATH=$node_root/tools:$node_root/usr/bin:$node_root/usr/sbin:$PATH LD_LIBRARY_PATH=$node_root/usr/lib/$(uname -m)-linux-gnu \
        XTABLES_LIBDIR=$node_root/usr/lib/$(uname -m)-linux-gnu/xtables \
        setsid nsenter "--net=/run/netns/$namespace" "${command[@]}" >>"$dir/log/$1.log" 2>&1 </dev/null 8>&- &
    echo "$!" >"$dir/run/$1.pid"
}

# stop_component NAME: SIGTERM, and SIGKILL after ten seconds.
stop_component() {
    local process deadline=$((SECONDS + 10))
    if ! is_running "$1"; then return; fi
    process=$(process_of "$1")
    kill "$process"
    while is_running "$1"; do
        if [ "$SECONDS" -ge "$deadline" ]; then kill -9 "$process" 2>/dev/null || true; fi
        sleep 0.1
    done
    rm -f "$dir/run/$1.pid"
}

# Ends a component whose state nobody needs any more.
kill_component() {
    if ! is_running "$1"; then return; fi
    kill -9 "$(process_of "$1")"
    while is_running "$1"; do sleep 0.02; done
}

# wait_until SECONDS WHAT COMMAND...: with the reason in the components' logs when it does not come true.
wait_until() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >>"$dir/log/wait.log" 2>&1; do
        if [ "$SECONDS" -ge "$deadline" ]; then
            tail -n 5 "$dir"/log/*.log >&2
            fail "waited in vain for: $what; the logs are in $dir/log"
        fi
        sleep 0.2
    done
}

kubectl() { in_namespace "$bin/kubectl" --kubeconfig "$dir/config/admin.kubeconfig" "$@"; }
ctr() { "$node_root/usr/bin/ctr" --address "$dir/containerd.sock" --namespace k8s.io "$@"; }
