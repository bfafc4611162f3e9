package main

import (
	"strconv"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var phases = []core.PodPhase{core.PodPending, core.PodSucceeded, core.PodFailed, core.PodRunning, core.PodUnknown}

var reasons = []string{"Evicted", "NodeAffinity", "NodeLost", "Shutdown", "UnexpectedAdmissionError"}

func (e *exposition) pod(pod *core.Pod) {
	about := []label{{"namespace", pod.Namespace}, {"pod", pod.Name}, {"uid", string(pod.UID)}}
	with := func(more ...label) []label { return append(append([]label{}, about...), more...) }
	owner := ownerOf(pod.OwnerReferences)
	e.add("kube_pod_info", 1, with(label{"host_ip", pod.Status.HostIP}, label{"pod_ip", pod.Status.PodIP}, label{"node", pod.Spec.NodeName},
		label{"created_by_kind", owner.Kind}, label{"created_by_name", owner.Name}, label{"priority_class", pod.Spec.PriorityClassName},
		label{"host_network", strconv.FormatBool(pod.Spec.HostNetwork)})...)
	e.add("kube_pod_owner", 1, with(ownerLabels(owner)...)...)
	for _, phase := range phases {
		e.add("kube_pod_status_phase", number(pod.Status.Phase == phase), with(label{"phase", string(phase)})...)
	}
	for _, reason := range reasons {
		e.add("kube_pod_status_reason", number(pod.Status.Reason == reason), with(label{"reason", reason})...)
	}
	for i := range pod.Spec.Containers {
		container := &pod.Spec.Containers[i]
		labels := with(label{"container", container.Name}, label{"node", pod.Spec.NodeName})
		e.addResources("kube_pod_container_resource_requests", container.Resources.Requests, labels)
		e.addResources("kube_pod_container_resource_limits", container.Resources.Limits, labels)
	}
	for i := range pod.Status.ContainerStatuses {
		status := &pod.Status.ContainerStatuses[i]
		e.container(status, with(label{"container", status.Name}))
	}
}

func (e *exposition) container(status *core.ContainerStatus, about []label) {
	e.add("kube_pod_container_status_ready", number(status.Ready), about...)
	e.add("kube_pod_container_status_restarts_total", float64(status.RestartCount), about...)
	if waiting := status.State.Waiting; waiting != nil {
		e.add("kube_pod_container_status_waiting_reason", 1, append(append([]label{}, about...), label{"reason", waiting.Reason})...)
	}
	if ended := status.LastTerminationState.Terminated; ended != nil {
		e.add("kube_pod_container_status_last_terminated_reason", 1, append(append([]label{}, about...), label{"reason", ended.Reason})...)
		e.add("kube_pod_container_status_last_terminated_timestamp", float64(ended.FinishedAt.Unix()), about...)
	}
}

// ownerOf is the first owner, or one without a name.
func ownerOf(owners []meta.OwnerReference) meta.OwnerReference {
	if len(owners) > 0 {
		return owners[0]
	}
	return meta.OwnerReference{}
}

func ownerLabels(owner meta.OwnerReference) []label {
	controller := owner.Controller != nil && *owner.Controller
	return []label{{"owner_kind", owner.Kind}, {"owner_name", owner.Name}, {"owner_is_controller", strconv.FormatBool(controller)}}
}
