package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	core "k8s.io/api/core/v1"
)

// label is one name and value of a series.
type label struct{ name, value string }

// exposition collects series by metric, in Prometheus' text format.
type exposition struct {
	allowed *regexp.Regexp
	names   []string
	series  map[string][]string
}

func newExposition(allowed *regexp.Regexp) *exposition {
	return &exposition{allowed: allowed, series: map[string][]string{}}
}

func (e *exposition) add(name string, value float64, labels ...label) {
	if !e.allowed.MatchString(name) {
		return
	}
	if _, known := e.series[name]; !known {
		e.names = append(e.names, name)
	}
	pairs := make([]string, len(labels))
	for i, l := range labels {
		pairs[i] = l.name + `="` + escape.Replace(l.value) + `"`
	}
	line := fmt.Sprintf("%s{%s} %s\n", name, strings.Join(pairs, ","), strconv.FormatFloat(value, 'g', -1, 64))
	e.series[name] = append(e.series[name], line)
}

var escape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func (e *exposition) String() string {
	var text strings.Builder
	for _, name := range e.names {
		kind := "gauge"
		if strings.HasSuffix(name, "_total") {
			kind = "counter"
		}
		fmt.Fprintf(&text, "# TYPE %s %s\n%s", name, kind, strings.Join(e.series[name], ""))
	}
	return text.String()
}

// addResources adds one series for each resource, in cores and bytes.
func (e *exposition) addResources(name string, list core.ResourceList, labels []label) {
	for resource, quantity := range list {
		unit, ok := unitOf(resource)
		if !ok {
			continue
		}
		plain := strings.NewReplacer("-", "_", ".", "_", "/", "_").Replace(string(resource))
		all := append(append([]label{}, labels...), label{"resource", plain}, label{"unit", unit})
		e.add(name, quantity.AsApproximateFloat64(), all...)
	}
}

func unitOf(resource core.ResourceName) (string, bool) {
	switch {
	case resource == core.ResourceCPU:
		return "core", true
	case resource == core.ResourceMemory, resource == core.ResourceEphemeralStorage, resource == core.ResourceStorage:
		return "byte", true
	case resource == core.ResourcePods:
		return "integer", true
	case strings.HasPrefix(string(resource), core.ResourceHugePagesPrefix):
		return "byte", true
	}
	return "", false
}

func number(truth bool) float64 {
	if truth {
		return 1
	}
	return 0
}
