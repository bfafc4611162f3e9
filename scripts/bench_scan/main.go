// Command bench-scan makes a cluster of many workloads for scripts/bench-scan: `data` writes the blocks of a Prometheus that
// has watched it for days, `serve` answers for its Kubernetes API. Both follow from the same seed.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "bench-scan: %v\n", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) == 0 {
		return errors.New("say 'data' or 'serve'")
	}
	flags := flag.NewFlagSet(arguments[0], flag.ExitOnError)
	switch arguments[0] {
	case "data":
		out := flags.String("out", "", "folder to write into")
		shape := shapeFlags(flags)
		_ = flags.Parse(arguments[1:])
		if *out == "" {
			return errors.New("data needs --out FOLDER")
		}
		return data(*shape, *out)
	case "serve":
		folder := flags.String("data", "", "folder that 'data' wrote")
		listen := flags.String("listen", "127.0.0.1:0", "address to listen at")
		prometheus := flags.String("prometheus", "", "where Prometheus answers, as in http://127.0.0.1:9090")
		kubeconfig := flags.String("kubeconfig", "", "kubeconfig to write once it listens")
		_ = flags.Parse(arguments[1:])
		shape, err := loadShape(*folder)
		if err != nil {
			return err
		}
		return serve(shape, *listen, *prometheus, *kubeconfig)
	default:
		return fmt.Errorf("'%s' is neither 'data' nor 'serve'", arguments[0])
	}
}

func shapeFlags(flags *flag.FlagSet) *Shape {
	shape := new(Shape)
	flags.Uint64Var(&shape.Seed, "seed", 7, "seed of all that is random")
	flags.IntVar(&shape.Workloads, "workloads", 500, "number of Deployments")
	flags.IntVar(&shape.Namespaces, "namespaces", 25, "number of namespaces")
	flags.IntVar(&shape.Nodes, "nodes", 20, "number of nodes")
	flags.IntVar(&shape.Replicas, "replicas", 3, "running pods of each; as many were replaced")
	flags.Int64Var(&shape.Now, "now", time.Now().Unix(), "when the lookback ends, in seconds since 1970")
	flags.IntVar(&shape.Days, "days", 7, "days of lookback")
	flags.IntVar(&shape.Ahead, "ahead", 12, "hours that series go on after now")
	flags.Int64Var(&shape.Step, "step", 60, "seconds between two scrapes of a kubelet")
	flags.Int64Var(&shape.StateStep, "state-step", 240, "seconds between two scrapes of kube-state-metrics")
	flags.BoolVar(&shape.Overlap, "overlap", false, "replaced pods ran all the time beside the others, not before them")
	flags.BoolVar(&shape.PodCgroups, "pod-cgroups", true, "series of pods as a whole, without a container")
	return shape
}
