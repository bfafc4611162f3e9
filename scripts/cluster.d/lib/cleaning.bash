# shellcheck shell=bash disable=SC2154
# Leaves nothing of a test cluster behind, whether it was stopped or killed; sourced by scripts/cluster.

# cgroups TEST...: what `find` finds in the cgroups of pods, of version 1 or 2; nothing where there are none.
cgroups() { find /sys/fs/cgroup/*/kubepods /sys/fs/cgroup/kubepods "$@" 2>/dev/null || true; }

# Processes of the cluster: its programs and containerd's shims by their network namespace, its containers by their cgroups.
processes() {
    if [ -e "/run/netns/$namespace" ]; then ip netns pids "$namespace"; fi
    cgroups -name cgroup.procs -exec cat {} + | sort -un
}

# What ends may leave children, which the next round finds.
kill_processes() {
    local round process found
    for round in 1 2 3 4 5 6; do
        found=$(processes)
        if [ -z "$found" ]; then return; fi
        for process in $found; do kill -9 "$process" 2>/dev/null || true; done
        sleep "0.$round"
    done
    if [ -n "$(processes)" ]; then fail "these processes cannot be killed: $(processes | tr '\n' ' ')"; fi
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
    while IFS= read -r folder; do rmdir "$folder" 2>/dev/null || true; done < <(cgroups -depth -type d)
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
    # The kubelet first, then containerd: what they started cannot come back after that.
    kill_component kubelet
    kill_component containerd
    kill_processes
    remove_mounts
    remove_cgroups
    remove_shim_sockets
    remove_network
    rm -rf "${dir:?}"
}

# What is left of a cluster, in words; nothing when all is gone.
leftovers() {
    local found
    found=$(processes)
    if [ -n "$found" ]; then printf 'processes: %s\n' "$(echo "$found" | tr '\n' ' ')"; fi
    if [ -n "$(mounts)" ]; then printf 'mounts: %s\n' "$(mounts | tr '\n' ' ')"; fi
    found=$(cgroups -maxdepth 0)
    if [ -n "$found" ]; then printf 'cgroups: %s\n' "$(echo "$found" | tr '\n' ' ')"; fi
    if [ -e "/run/netns/$namespace" ]; then printf 'network namespace: %s\n' "$namespace"; fi
    if ip link show "$host_link" >/dev/null 2>&1; then printf 'network link: %s\n' "$host_link"; fi
    if [ -n "$(ip route show "$cluster_net" type unreachable)" ]; then printf 'route: %s\n' "$cluster_net"; fi
    if [ -e "$dir" ]; then printf 'folder: %s\n' "$dir"; fi
}
