package main

import (
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
)

// wanted is a number of replicas that is one where none is given.
func wanted(replicas *int32) float64 {
	if replicas == nil {
		return 1
	}
	return float64(*replicas)
}

func (e *exposition) deployment(d *apps.Deployment) {
	about := []label{{"namespace", d.Namespace}, {"deployment", d.Name}}
	e.add("kube_deployment_spec_replicas", wanted(d.Spec.Replicas), about...)
	e.add("kube_deployment_status_replicas", float64(d.Status.Replicas), about...)
	e.add("kube_deployment_status_replicas_ready", float64(d.Status.ReadyReplicas), about...)
	e.add("kube_deployment_status_replicas_available", float64(d.Status.AvailableReplicas), about...)
	e.add("kube_deployment_status_replicas_unavailable", float64(d.Status.UnavailableReplicas), about...)
}

func (e *exposition) statefulSet(s *apps.StatefulSet) {
	about := []label{{"namespace", s.Namespace}, {"statefulset", s.Name}}
	e.add("kube_statefulset_replicas", wanted(s.Spec.Replicas), about...)
	e.add("kube_statefulset_status_replicas", float64(s.Status.Replicas), about...)
	e.add("kube_statefulset_status_replicas_ready", float64(s.Status.ReadyReplicas), about...)
}

func (e *exposition) daemonSet(d *apps.DaemonSet) {
	about := []label{{"namespace", d.Namespace}, {"daemonset", d.Name}}
	e.add("kube_daemonset_status_number_ready", float64(d.Status.NumberReady), about...)
	e.add("kube_daemonset_status_desired_number_scheduled", float64(d.Status.DesiredNumberScheduled), about...)
}

func (e *exposition) replicaSet(r *apps.ReplicaSet) {
	about := []label{{"namespace", r.Namespace}, {"replicaset", r.Name}}
	e.add("kube_replicaset_owner", 1, append(about, ownerLabels(ownerOf(r.OwnerReferences))...)...)
}

func (e *exposition) node(n *core.Node) {
	about := []label{{"node", n.Name}}
	info := n.Status.NodeInfo
	e.add("kube_node_info", 1, label{"node", n.Name}, label{"kernel_version", info.KernelVersion}, label{"os_image", info.OSImage},
		label{"container_runtime_version", info.ContainerRuntimeVersion}, label{"kubelet_version", info.KubeletVersion},
		label{"internal_ip", addressOf(n)})
	e.addResources("kube_node_status_allocatable", n.Status.Allocatable, about)
	e.addResources("kube_node_status_capacity", n.Status.Capacity, about)
}

func addressOf(n *core.Node) string {
	for _, address := range n.Status.Addresses {
		if address.Type == core.NodeInternalIP {
			return address.Address
		}
	}
	return ""
}

func (e *exposition) autoscaler(h *autoscaling.HorizontalPodAutoscaler) {
	about := []label{{"namespace", h.Namespace}, {"horizontalpodautoscaler", h.Name}}
	with := func(more ...label) []label { return append(append([]label{}, about...), more...) }
	target := h.Spec.ScaleTargetRef
	e.add("kube_horizontalpodautoscaler_info", 1, with(label{"scaletargetref_api_version", target.APIVersion},
		label{"scaletargetref_kind", target.Kind}, label{"scaletargetref_name", target.Name})...)
	e.add("kube_horizontalpodautoscaler_spec_min_replicas", wanted(h.Spec.MinReplicas), about...)
	e.add("kube_horizontalpodautoscaler_spec_max_replicas", float64(h.Spec.MaxReplicas), about...)
	e.add("kube_horizontalpodautoscaler_status_current_replicas", float64(h.Status.CurrentReplicas), about...)
	e.add("kube_horizontalpodautoscaler_status_desired_replicas", float64(h.Status.DesiredReplicas), about...)
	for _, metric := range h.Spec.Metrics {
		if metric.Resource != nil && metric.Resource.Target.AverageUtilization != nil {
			e.add("kube_horizontalpodautoscaler_spec_target_metric", float64(*metric.Resource.Target.AverageUtilization),
				with(label{"metric_name", string(metric.Resource.Name)}, label{"metric_target_type", "utilization"})...)
		}
	}
	for _, metric := range h.Status.CurrentMetrics {
		if metric.Resource != nil && metric.Resource.Current.AverageUtilization != nil {
			e.add("kube_horizontalpodautoscaler_status_target_metric", float64(*metric.Resource.Current.AverageUtilization),
				with(label{"metric_name", string(metric.Resource.Name)}, label{"metric_target_type", "utilization"})...)
		}
	}
}
