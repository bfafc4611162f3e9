# shellcheck shell=bash disable=SC2154
# Leaves nothing of a test cluster behind, whether it was stopped or killed; sourced by scripts/cluster.

# Processes of the cluster's containers and of their shims, found by the cluster's own cgroups and socket.
container_processes() {
    local file
    while IFS= read -r file; do cat "$file"; done < <(find /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/kubepods -name cgroup.procs 2>/dev/null) 2>/dev/null | sort -un
}

shim_processes() {
    local process
    for process in /proc/[0-9]*; do
        if tr '\0' ' ' 2>/dev/null <"$process/cmdline" | grep -q -- "^[^ ]*/containerd-shim-runc-v2 .*-address $dir/containerd.sock "; then
            basename "$process"
        fi
    done
}

kill_containers() {
    local attempt process processes
    for attempt in 1 2 3 4 5; do
        processes=$(shim_processes; container_processes)
        if [ -z "$processes" ]; then return; fi
        for process in $processes; do kill -9 "$process" 2>/dev/null || true; done
        sleep "0.$attempt"
    done
    if [ -n "$(shim_processes; container_processes)" ]; then fail "some containers cannot be killed"; fi
}

# Mounts below the folder, the innermost first.
mounts() { awk -v dir="$dir/" 'index($5, dir) == 1 {print $5}' /proc/self/mountinfo | sort -r; }

remove_mounts() {
    local mount
    for mount in $(mounts); do umount "$mount" 2>/dev/null || umount -l "$mount"; done
    if [ -n "$(mounts)" ]; then fail "these stay mounted: $(mounts)"; fi
}

remove_cgroups() {
    local folder
    while IFS= read -r folder; do rmdir "$folder" 2>/dev/null || true; done \
        < <(find /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/kubepods -depth -type d 2>/dev/null)
}

# Shims listen in a folder that cannot be chosen, and leave their sockets there.
remove_shim_sockets() {
    local socket
    for socket in /run/containerd/s/*; do
        if [ -S "$socket" ] && ! grep -qF "$socket" /proc/net/unix; then rm -f "$socket"; fi
    done
    rmdir /run/containerd/s /run/containerd 2>/dev/null || true
}

clean() {
    local component
    # The kubelet first, then containerd: what they started cannot come back after that.
    for component in kubelet containerd kube-proxy kube-scheduler kube-controller-manager kube-apiserver etcd; do kill_component "$component"; done
    kill_containers
    remove_mounts
    remove_cgroups
    remove_shim_sockets
    remove_network
    rm -rf "${dir:?}"
}

# What is left of a cluster, in words; nothing when all is gone.
leftovers() {
    local found
    found=$(shim_processes; container_processes)
    if [ -n "$found" ]; then printf 'processes: %s\n' "$(echo "$found" | tr '\n' ' ')"; fi
    if [ -n "$(mounts)" ]; then printf 'mounts: %s\n' "$(mounts | tr '\n' ' ')"; fi
    found=$(find /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/kubepods -maxdepth 0 2>/dev/null || true)
    if [ -n "$found" ]; then printf 'cgroups: %s\n' "$(echo "$found" | tr '\n' ' ')"; fi
    if [ -e "/run/netns/$namespace" ]; then printf 'network namespace: %s\n' "$namespace"; fi
    if ip link show "$host_link" >/dev/null 2>&1; then printf 'network link: %s\n' "$host_link"; fi
    if [ -n "$(ip route show "$cluster_net" type unreachable)" ]; then printf 'route: %s\n' "$cluster_net"; fi
    if [ -e "$dir" ]; then printf 'folder: %s\n' "$dir"; fi
}
