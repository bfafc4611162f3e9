package main

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
)

// Series is one series with what it takes to go on: values come from next, in order.
type Series struct {
	labels     labels.Labels
	start, end int64 // milliseconds; a stale marker stands at the first instant after end
	step       int64
	next       func(at int64) float64
	at         int64
	ended      bool
}

// newSeries scrapes from start on, with the offset that the scraped instance has within a step.
func newSeries(l labels.Labels, start, end, step int64, next func(int64) float64) *Series {
	hash := fnv.New64a()
	hash.Write([]byte(l.Get("instance")))
	offset := int64(hash.Sum64() % uint64(step/1000) * 1000)
	first := start/step*step + offset
	if first < start {
		first += step
	}
	return &Series{labels: l, start: start, end: end, step: step, next: next, at: first}
}

func constant(value float64) func(int64) float64 { return func(int64) float64 { return value } }

// cpuSeconds counts what a daily curve with noise uses; some containers start again once, and count from nothing.
func cpuSeconds(random *rand.Rand, c Container, start, step int64) func(int64) float64 {
	total, drift := float64(random.IntN(500)), 0.0
	share := 0.8 + 0.4*random.Float64()
	restart := int64(-1)
	if random.IntN(20) == 0 {
		restart = start + random.Int64N(3*86400)*1000
	}
	return func(at int64) float64 {
		hour := math.Mod(float64(at)/3600e3, 24)
		curve := 1 + c.Swing*math.Cos((hour-c.Peak)/24*2*math.Pi)
		drift = 0.95*drift + 0.1*random.NormFloat64()
		cores := c.Cores * share * curve * math.Max(0.05, 1+drift+0.1*random.NormFloat64())
		if restart >= 0 && at >= restart {
			restart, total = -1, 0
		}
		total += cores * float64(step) / 1000
		return math.Round(total*1e6) / 1e6
	}
}

// workingSet wanders round its level, in pages of 4096 bytes.
func workingSet(random *rand.Rand, c Container) func(int64) float64 {
	level := c.Bytes * (0.7 + 0.3*random.Float64())
	away := 0.0
	return func(int64) float64 {
		// Half of all minutes nothing is allocated.
		if random.IntN(2) == 0 {
			away = 0.995*away + 0.005*level*random.NormFloat64()
		}
		return 4096 * math.Max(16, math.Floor((level+away)/4096))
	}
}

// sum is a series whose values are those of its parts together.
func sum(of ...func(int64) float64) func(int64) float64 {
	return func(at int64) float64 {
		total := 0.0
		for _, part := range of {
			total += part(at)
		}
		return total
	}
}

func (c *Cluster) series() []*Series {
	var all []*Series
	for i := range c.Workloads {
		for p := range c.Workloads[i].Pods {
			all = append(all, c.ofKubelet(&c.Workloads[i], p)...)
			all = append(all, c.ofState(&c.Workloads[i], p)...)
		}
		all = append(all, c.ofReplicaSets(&c.Workloads[i])...)
	}
	return append(all, c.ofMachines()...)
}

func cgroup(pod Pod, id string) string {
	path := "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + strings.ReplaceAll(pod.UID, "-", "_") + ".slice"
	if id != "" {
		path += "/cri-containerd-" + id + ".scope"
	}
	return path
}

// ofKubelet has what cAdvisor tells of a pod.
func (c *Cluster) ofKubelet(w *Workload, p int) []*Series {
	pod, step := w.Pods[p], c.Shape.Step*1000
	base := []string{"endpoint", "https-metrics", "instance", pod.Node + ":10250", "job", "kubelet",
		"metrics_path", "/metrics/cadvisor", "namespace", w.Namespace, "node", pod.Node, "pod", pod.Name, "service", "kubelet"}
	add := func(all []*Series, name string, next func(int64) float64, more ...string) []*Series {
		of := append(append([]string{labels.MetricName, name}, base...), more...)
		return append(all, newSeries(labels.FromStrings(of...), pod.Start, pod.End, step, next))
	}
	const cpu, memory = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"
	var all []*Series
	var cpus, memories []func(int64) float64
	for i, container := range w.Containers {
		// Once for the container and once more, with the same values, for its pod.
		seeds := func() (*rand.Rand, *rand.Rand) {
			place := uint64(w.Index*1000 + p*10 + i)
			return rand.New(rand.NewPCG(c.Shape.Seed+1, place)), rand.New(rand.NewPCG(c.Shape.Seed+2, place))
		}
		own := []string{"container", container.Name, "id", cgroup(pod, pod.ContainerIDs[i]), "image", container.Image, "name", pod.ContainerIDs[i]}
		one, two := seeds()
		all = add(all, cpu, cpuSeconds(one, container, pod.Start, step), append(own, "cpu", "total")...)
		all = add(all, memory, workingSet(two, container), own...)
		one, two = seeds()
		cpus = append(cpus, cpuSeconds(one, container, pod.Start, step))
		memories = append(memories, workingSet(two, container))
	}
	if c.Shape.PodCgroups {
		all = add(all, cpu, sum(cpus...), "id", cgroup(pod, ""), "cpu", "total")
		all = add(all, memory, sum(memories...), "id", cgroup(pod, ""))
	}
	return all
}

func (c *Cluster) state(start, end int64, value float64, name string, of ...string) *Series {
	const instance = "10.244.1.9:8080"
	of = append([]string{labels.MetricName, name, "endpoint", "http", "instance", instance, "job", "kube-state-metrics",
		"service", "prometheus-kube-state-metrics"}, of...)
	return newSeries(labels.FromStrings(of...), start, end, c.Shape.StateStep*1000, constant(value))
}

// ofState has what kube-state-metrics tells of a pod.
func (c *Cluster) ofState(w *Workload, p int) []*Series {
	pod := w.Pods[p]
	add := func(all []*Series, value float64, name string, of ...string) []*Series {
		of = append(of, "namespace", w.Namespace, "pod", pod.Name, "uid", pod.UID)
		return append(all, c.state(pod.Start, pod.End, value, name, of...))
	}
	set := w.Name + "-" + pod.Hash
	all := add(nil, 1, "kube_pod_owner", "owner_is_controller", "true", "owner_kind", "ReplicaSet", "owner_name", set)
	all = add(all, 1, "kube_pod_info", "created_by_kind", "ReplicaSet", "created_by_name", set, "host_ip", "10.0.0.1",
		"host_network", "false", "node", pod.Node, "pod_ip", pod.IP, "priority_class", "")
	all = add(all, 1, "kube_pod_status_phase", "phase", "Running")
	for _, container := range w.Containers {
		for _, amount := range []struct {
			metric, resource, unit string
			value                  float64
		}{
			{"requests", "cpu", "core", float64(container.CPURequest) / 1000},
			{"requests", "memory", "byte", float64(container.MemoryRequest)},
			{"limits", "cpu", "core", float64(container.CPULimit) / 1000},
			{"limits", "memory", "byte", float64(container.MemoryLimit)},
		} {
			if amount.value > 0 {
				all = add(all, amount.value, "kube_pod_container_resource_"+amount.metric,
					"container", container.Name, "node", pod.Node, "resource", amount.resource, "unit", amount.unit)
			}
		}
	}
	return all
}

// ofReplicaSets has the owners of ReplicaSets; the replaced one stays, as Kubernetes keeps ten.
func (c *Cluster) ofReplicaSets(w *Workload) []*Series {
	var all []*Series
	for generation, hash := range w.Hashes {
		start, end := w.Pods[generation*c.Shape.Replicas].Start, w.Pods[len(w.Pods)-1].End
		all = append(all, c.state(start, end, 1, "kube_replicaset_owner", "namespace", w.Namespace, "owner_is_controller", "true",
			"owner_kind", "Deployment", "owner_name", w.Name, "replicaset", w.Name+"-"+hash))
	}
	return all
}

func (c *Cluster) ofMachines() []*Series {
	from, to := (c.Shape.Now-int64(c.Shape.Days)*86400-3600)*1000, (c.Shape.Now+int64(c.Shape.Ahead)*3600)*1000
	var all []*Series
	for _, node := range c.Nodes {
		for name, value := range map[string]float64{"machine_cpu_cores": 64, "machine_memory_bytes": 256 << 30, "up": 1} {
			of := []string{labels.MetricName, name, "instance", node + ":10250", "job", "kubelet", "metrics_path", "/metrics/cadvisor", "node", node}
			all = append(all, newSeries(labels.FromStrings(of...), from, to, c.Shape.StateStep*1000, constant(value)))
		}
	}
	own := labels.FromStrings(labels.MetricName, "prometheus_tsdb_head_series", "instance", "localhost:9090", "job", "prometheus")
	all = append(all, newSeries(own, from, to, c.Shape.Step*1000, constant(float64(40*c.Shape.Workloads))))
	return append(all, c.state(from, to, 1, "up"))
}
