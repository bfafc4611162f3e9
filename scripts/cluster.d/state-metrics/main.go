// Command state-metrics tells the state of a cluster's objects as kube-state-metrics does: the metrics, labels, flags and
// paths that MOrA's monitoring uses, and no others. It stands in for that program where it cannot be had.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

func main() {
	port := flag.Int("port", 8080, "port of the metrics")
	telemetry := flag.Int("telemetry-port", 8081, "port of the program's own state")
	resources := flag.String("resources", "daemonsets,deployments,horizontalpodautoscalers,nodes,pods,replicasets,statefulsets", "what to tell about")
	allowlist := flag.String("metric-allowlist", ".*", "regular expressions of the metrics to tell, separated by commas")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *port, *telemetry, strings.Split(*resources, ","), *allowlist); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, port, telemetry int, resources []string, allowlist string) error {
	allowed, err := regexp.Compile("^(?:" + strings.ReplaceAll(allowlist, ",", "|") + ")$")
	if err != nil {
		return fmt.Errorf("--metric-allowlist: %w", err)
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 10*time.Minute)
	tellers, err := tellersOf(factory, resources)
	if err != nil {
		return err
	}
	failed := make(chan error, 2)
	serve := func(port int, handler http.Handler) {
		failed <- (&http.Server{Addr: fmt.Sprintf(":%d", port), Handler: handler, ReadHeaderTimeout: 5 * time.Second}).ListenAndServe()
	}
	go serve(telemetry, state(factory))
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	go serve(port, metrics(tellers, allowed))
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

func answer(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "OK\n") }

// state is unready until every list was read once.
func state(factory informers.SharedInformerFactory) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/livez", answer)
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		done, cancel := context.WithTimeout(r.Context(), 100*time.Millisecond)
		defer cancel()
		for _, synced := range factory.WaitForCacheSync(done.Done()) {
			if !synced {
				http.Error(w, "lists are being read", http.StatusServiceUnavailable)
				return
			}
		}
		answer(w, r)
	})
	return mux
}

func metrics(tellers []teller, allowed *regexp.Regexp) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", answer)
	mux.HandleFunc("/livez", answer)
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		exposition := newExposition(allowed)
		for _, tell := range tellers {
			if err := tell(exposition); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		io.WriteString(w, exposition.String())
	})
	return mux
}

// teller adds the metrics of all objects of one kind.
type teller func(*exposition) error

func tellersOf(factory informers.SharedInformerFactory, resources []string) ([]teller, error) {
	everything := labels.Everything()
	apps := factory.Apps().V1()
	known := map[string]func() teller{
		"pods":         func() teller { return each(factory.Core().V1().Pods().Lister().List, everything, (*exposition).pod) },
		"nodes":        func() teller { return each(factory.Core().V1().Nodes().Lister().List, everything, (*exposition).node) },
		"deployments":  func() teller { return each(apps.Deployments().Lister().List, everything, (*exposition).deployment) },
		"statefulsets": func() teller { return each(apps.StatefulSets().Lister().List, everything, (*exposition).statefulSet) },
		"daemonsets":   func() teller { return each(apps.DaemonSets().Lister().List, everything, (*exposition).daemonSet) },
		"replicasets":  func() teller { return each(apps.ReplicaSets().Lister().List, everything, (*exposition).replicaSet) },
		"horizontalpodautoscalers": func() teller {
			return each(factory.Autoscaling().V2().HorizontalPodAutoscalers().Lister().List, everything, (*exposition).autoscaler)
		},
	}
	var tellers []teller
	for _, resource := range resources {
		made, ok := known[resource]
		if !ok {
			return nil, fmt.Errorf("--resources: %q is not told about", resource)
		}
		tellers = append(tellers, made())
	}
	return tellers, nil
}

func each[T any](list func(labels.Selector) ([]*T, error), all labels.Selector, tell func(*exposition, *T)) teller {
	return func(e *exposition) error {
		objects, err := list(all)
		for _, object := range objects {
			tell(e, object)
		}
		return err
	}
}
