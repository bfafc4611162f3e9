# What scripts that work on a cluster share: sourced, not run. Sets `kubectl` to the command with the chosen context.
# shellcheck shell=bash

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$(basename "$0")
kubectl=(kubectl)

say() { printf '%s: %s\n' "$program" "$*" >&2; }
fail() { say "$@"; exit 1; }

# Fails with what to install where the program $1 is missing; $2 says where it comes from.
require() {
    command -v "$1" >/dev/null || fail "$1 is missing; $2"
}

# Takes --context NAME; without one the current context of the kubeconfig is used.
use_context() {
    require kubectl "install it: https://kubernetes.io/docs/tasks/tools"
    if [ -n "${1:-}" ]; then kubectl=(kubectl --context "$1"); fi
    "${kubectl[@]}" get --raw /readyz >/dev/null 2>&1 \
        || fail "the cluster of context '${1:-$(kubectl config current-context 2>/dev/null || echo none)}' does not answer; start it (scripts/minikube-up) or name another with --context"
}

# Applies the kustomization in folder $1 of deploy/ and prints what changed.
apply() {
    say "applying deploy/$1"
    "${kubectl[@]}" apply --server-side --force-conflicts --field-manager=mora-install -k "$repository/deploy/$1" \
        | sed 's/^/    /; s/ serverside-applied$//' >&2
}

# What holds up the pods of namespace $1 whose names begin with one of $2..., a line each.
reasons() {
    local namespace=$1 names
    shift
    names=$(IFS='|'; printf '%s' "$*")
    "${kubectl[@]}" --namespace "$namespace" get pods --output 'jsonpath={range .items[*]}{.metadata.name}: {.status.phase} {.status.conditions[?(@.type=="PodScheduled")].message}{range .status.containerStatuses[*]}{.state.waiting.reason} {.state.waiting.message}{end}{"\n"}{end}' \
        | grep -E "^($names)-" | sed 's/^/    /'
}

# Waits until the Deployments $3... of namespace $1 are ready, for at most $2 seconds, and says how far it is.
wait_for_deployments() {
    local namespace=$1 until=$((SECONDS + $2)) began=$SECONDS line last='' name ready missing
    shift 2
    while :; do
        missing=()
        for name in "$@"; do
            ready=$("${kubectl[@]}" --namespace "$namespace" get deployment "$name" --output 'jsonpath={.status.observedGeneration}/{.metadata.generation} {.spec.replicas}/{.status.updatedReplicas}/{.status.readyReplicas}' 2>/dev/null || true)
            [[ $ready =~ ^([0-9]+)/([0-9]+)\ ([0-9]+)/([0-9]*)/([0-9]*)$ ]] || { missing+=("$name"); continue; }
            if [ "${BASH_REMATCH[1]}" != "${BASH_REMATCH[2]}" ] || [ "${BASH_REMATCH[4]:-0}" -lt "${BASH_REMATCH[3]}" ] \
                || [ "${BASH_REMATCH[5]:-0}" -lt "${BASH_REMATCH[3]}" ]; then missing+=("$name"); fi
        done
        line="$(($# - ${#missing[@]})) of $# Deployments of $namespace are ready${missing[*]:+; waiting for ${missing[*]}}"
        if [ "$line" != "$last" ]; then say "$line ($((SECONDS - began)) s)"; last=$line; fi
        [ ${#missing[@]} -gt 0 ] || return 0
        if [ "$SECONDS" -ge "$until" ]; then
            reasons "$namespace" "${missing[@]}" >&2 || true
            fail "${missing[*]} in $namespace did not get ready; above is what their pods say, 'kubectl -n $namespace describe pods' says more"
        fi
        sleep 2
    done
}

# The names of the Deployments of namespace $1 that are to have pods.
wanted_deployments() {
    "${kubectl[@]}" --namespace "$1" get deployments --output 'jsonpath={range .items[?(@.spec.replicas>0)]}{.metadata.name}{"\n"}{end}'
}
