package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// Shape is all that the made-up cluster depends on: the same shape is the same cluster, in series and in objects.
type Shape struct {
	Seed       uint64 `json:"seed"`
	Workloads  int    `json:"workloads"`
	Namespaces int    `json:"namespaces"`
	Nodes      int    `json:"nodes"`
	Replicas   int    `json:"replicas"`
	// Now is when the lookback ends, in seconds since 1970.
	Now int64 `json:"now"`
	// Days is the lookback; Ahead is how many hours the series go on after Now, for scans that come later.
	Days  int `json:"days"`
	Ahead int `json:"ahead"`
	// Step and StateStep are the seconds between two samples of the kubelets and of kube-state-metrics.
	Step      int64 `json:"step"`
	StateStep int64 `json:"state_step"`
	// Overlap lets old pods run beside the running ones all the time, not before a rollout in the middle.
	Overlap bool `json:"overlap"`
	// PodCgroups adds the series without a container that cAdvisor has of every pod.
	PodCgroups bool `json:"pod_cgroups"`
}

const shapeFile = "shape.json"

func (s Shape) save(folder string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, shapeFile), append(text, '\n'), 0o644)
}

func loadShape(folder string) (Shape, error) {
	var shape Shape
	text, err := os.ReadFile(filepath.Join(folder, shapeFile))
	if err != nil {
		return shape, fmt.Errorf("no data here, make it with 'data --out %s': %w", folder, err)
	}
	return shape, json.Unmarshal(text, &shape)
}

// Container is one of a workload; cores and bytes are those of one pod.
type Container struct {
	Name, Image                string
	CPURequest, CPULimit       int64 // millicores, 0 for none
	MemoryRequest, MemoryLimit int64 // bytes, 0 for none
	Cores, Swing, Peak         float64
	Bytes                      float64
}

// Pod runs from Start to End (milliseconds since 1970), and on when it is Running.
type Pod struct {
	Name, UID, IP, Node, Hash string
	Start, End                int64
	Running                   bool
	ContainerIDs              []string
}

// Workload is a Deployment; Hashes are those of its replaced ReplicaSet and of that which runs.
type Workload struct {
	Index                int
	Namespace, Name, UID string
	Hashes, SetUIDs      [2]string
	Autoscaled           bool
	Containers           []Container
	Pods                 []Pod
}

// Cluster is what Prometheus and the Kubernetes API tell of.
type Cluster struct {
	Shape     Shape
	Nodes     []string
	Workloads []Workload
}

var (
	parts = []string{"cart", "checkout", "payment", "search", "catalog", "invoice", "shipping", "profile", "session", "notifier",
		"pricing", "gateway", "ledger", "review", "stock", "ranking", "consent", "refund", "export", "audit"}
	teams = []string{"shop", "billing", "logistics", "identity", "insights"}
	sizes = []int64{25, 50, 100, 200, 250, 500, 1000, 2000}
)

func (s Shape) cluster() *Cluster {
	cluster := &Cluster{Shape: s}
	for i := range s.Nodes {
		cluster.Nodes = append(cluster.Nodes, fmt.Sprintf("ip-10-0-%d-%d.internal", i/8, 10+i%8*23))
	}
	for i := range s.Workloads {
		cluster.Workloads = append(cluster.Workloads, s.workload(i, cluster.Nodes))
	}
	return cluster
}

func (s Shape) namespace(i int) string {
	return fmt.Sprintf("%s-%02d", teams[i%len(teams)], i)
}

func (s Shape) workload(i int, nodes []string) Workload {
	random := rand.New(rand.NewPCG(s.Seed, uint64(i)))
	place := i / s.Namespaces
	name := parts[place%len(parts)]
	if round := place / len(parts); round > 0 {
		name = fmt.Sprintf("%s-%d", name, round+1)
	}
	w := Workload{Index: i, Namespace: s.namespace(i % s.Namespaces), Name: name, UID: uid(random), Autoscaled: i%25 == 7}
	w.Containers = append(w.Containers, container(random, name, "registry.example/"+w.Namespace+"/"+name, 1))
	if i%10 == 3 {
		w.Containers = append(w.Containers, container(random, "log-shipper", "registry.example/base/log-shipper", 0.1))
	}
	for generation := range w.Hashes {
		w.Hashes[generation], w.SetUIDs[generation] = letters(random, 9), uid(random)
	}
	for p := range 2 * s.Replicas {
		w.Pods = append(w.Pods, s.pod(random, &w, p/s.Replicas, nodes))
	}
	return w
}

// pod is one of the generation that was replaced (0) or of that which runs (1).
func (s Shape) pod(random *rand.Rand, w *Workload, generation int, nodes []string) Pod {
	from, now := (s.Now-int64(s.Days)*86400)*1000, s.Now*1000
	middle := from + (now-from)/2 + random.Int64N(3600)*1000
	pod := Pod{
		Name: fmt.Sprintf("%s-%s-%s", w.Name, w.Hashes[generation], letters(random, 5)),
		UID:  uid(random), Hash: w.Hashes[generation], Node: nodes[random.IntN(len(nodes))],
		IP:      fmt.Sprintf("10.244.%d.%d", random.IntN(250), 2+random.IntN(250)),
		Running: generation == 1,
		// All that ran before the lookback began have a history of an hour more.
		Start: from - 3600*1000, End: now + int64(s.Ahead)*3600*1000,
	}
	switch {
	case !s.Overlap && pod.Running:
		pod.Start = middle
	case !s.Overlap:
		pod.End = middle + 60*1000
	case !pod.Running:
		pod.End = now - 1800*1000 + random.Int64N(600)*1000
	}
	for range w.Containers {
		pod.ContainerIDs = append(pod.ContainerIDs, hex(random, 64))
	}
	return pod
}

// container asks for what people ask for: round numbers, mostly too much, sometimes too little.
func container(random *rand.Rand, name, image string, size float64) Container {
	request := sizes[random.IntN(len(sizes))]
	used := float64(request) / 1000 * size * (0.05 + 0.6*random.Float64())
	memory := int64(64<<20) << random.IntN(6)
	c := Container{
		Name: name, Image: fmt.Sprintf("%s:%d.%d.%d", image, 1+random.IntN(4), random.IntN(20), random.IntN(10)),
		CPURequest: request, MemoryRequest: memory, MemoryLimit: memory * 2,
		Cores: used, Swing: 0.2 + 0.6*random.Float64(), Peak: 10 + 8*random.Float64(),
		Bytes: float64(memory) * (0.2 + 0.7*random.Float64()),
	}
	switch random.IntN(10) {
	case 0:
		c.CPURequest, c.MemoryRequest, c.MemoryLimit = 0, 0, 0
	case 1, 2, 3:
		c.CPULimit = request * 2
	}
	return c
}

func pick(random *rand.Rand, from string, length int) string {
	text := make([]byte, length)
	for i := range text {
		text[i] = from[random.IntN(len(from))]
	}
	return string(text)
}

// letters are those that Kubernetes puts into names.
func letters(random *rand.Rand, length int) string {
	return pick(random, "bcdfghjklmnpqrstvwxz2456789", length)
}

func hex(random *rand.Rand, length int) string { return pick(random, "0123456789abcdef", length) }

func uid(random *rand.Rand) string {
	return fmt.Sprintf("%s-%s-4%s-a%s-%s", hex(random, 8), hex(random, 4), hex(random, 3), hex(random, 3), hex(random, 12))
}

func instant(milliseconds int64) string {
	return time.UnixMilli(milliseconds).UTC().Format(time.RFC3339)
}
