package main

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Item is an object, written down once: listing costs what copying costs, as from the cache of a real server.
type Item struct {
	namespace, name, phase string
	labels                 map[string]string
	whole, meta            []byte
}

// Resource is what one path lists.
type Resource struct {
	group, name, kind string
	items             []Item
}

// API answers as a Kubernetes API server does, for reading.
type API struct {
	resources map[string]*Resource // by "GROUP/VERSION/PLURAL", the group empty for the core's
	proxy     http.Handler
	mutex     sync.Mutex
	counts    map[string]int
}

func serve(shape Shape, listen, prometheus, kubeconfig string) error {
	target, err := url.Parse(prometheus)
	if err != nil || target.Host == "" {
		return fmt.Errorf("--prometheus '%s' is no address, as in http://127.0.0.1:9090", prometheus)
	}
	api := &API{resources: map[string]*Resource{}, proxy: httputil.NewSingleHostReverseProxy(target), counts: map[string]int{}}
	if err := api.fill(shape.cluster()); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	address := "http://" + listener.Addr().String()
	if err := writeKubeconfig(kubeconfig, address); err != nil {
		return err
	}
	fmt.Println(address)
	return http.Serve(listener, api)
}

func writeKubeconfig(path, address string) error {
	if path == "" {
		return nil
	}
	text := "apiVersion: v1\nkind: Config\ncurrent-context: bench\n" +
		"clusters: [{name: bench, cluster: {server: \"" + address + "\"}}]\n" +
		"users: [{name: bench, user: {}}]\ncontexts: [{name: bench, context: {cluster: bench, user: bench}}]\n"
	// It appears whole, for a script that waits for it.
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func (a *API) fill(c *Cluster) error {
	var deployments, sets, pods, autoscalers []Object
	for i := range c.Workloads {
		w := &c.Workloads[i]
		deployments = append(deployments, w.deployment(c.Shape))
		sets = append(sets, w.replicaSet(c.Shape, 0), w.replicaSet(c.Shape, 1))
		for p := range w.Pods {
			if w.Pods[p].Running {
				pods = append(pods, w.pod(p))
			}
		}
		if w.Autoscaled {
			autoscalers = append(autoscalers, w.autoscaler(c.Shape))
		}
	}
	for _, of := range []struct {
		path, kind string
		objects    []Object
	}{
		{"/v1/namespaces", "Namespace", c.namespaces()}, {"/v1/nodes", "Node", c.nodeObjects()},
		{"/v1/pods", "Pod", pods}, {"/v1/services", "Service", c.services()}, {"/v1/endpoints", "Endpoints", nil},
		{"/v1/replicationcontrollers", "ReplicationController", nil}, {"/v1/limitranges", "LimitRange", nil},
		{"networking.k8s.io/v1/ingresses", "Ingress", nil},
		{"apps/v1/deployments", "Deployment", deployments}, {"apps/v1/replicasets", "ReplicaSet", sets},
		{"apps/v1/statefulsets", "StatefulSet", nil}, {"apps/v1/daemonsets", "DaemonSet", nil},
		{"batch/v1/jobs", "Job", nil}, {"batch/v1/cronjobs", "CronJob", nil},
		{"autoscaling/v1/horizontalpodautoscalers", "HorizontalPodAutoscaler", nil},
		{"autoscaling/v2/horizontalpodautoscalers", "HorizontalPodAutoscaler", autoscalers},
	} {
		if err := a.add(of.path, of.kind, of.objects); err != nil {
			return err
		}
	}
	return nil
}

func (a *API) add(path, kind string, objects []Object) error {
	cut := strings.LastIndex(path, "/")
	resource := &Resource{group: strings.TrimPrefix(path[:cut], "/"), name: path[cut+1:], kind: kind}
	for _, object := range objects {
		whole, err := json.Marshal(object)
		if err != nil {
			return err
		}
		meta, err := json.Marshal(Object{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
		if err != nil {
			return err
		}
		of := object["metadata"].(Object)
		item := Item{name: of["name"].(string), labels: map[string]string{}, whole: whole, meta: meta}
		item.namespace, _ = of["namespace"].(string)
		for key, value := range of["labels"].(Object) {
			item.labels[key] = fmt.Sprint(value)
		}
		if status, found := object["status"].(Object); found {
			item.phase, _ = status["phase"].(string)
		}
		resource.items = append(resource.items, item)
	}
	// As etcd has them.
	slices.SortFunc(resource.items, func(a, b Item) int {
		return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.name, b.name))
	})
	a.resources[path] = resource
	return nil
}

var (
	// With the namespace, the resource and the name where they are there.
	resourcePath = regexp.MustCompile(`^/(?:api|apis/([^/]+))/(v[^/]+)(?:/namespaces/([^/]+))?/([^/]+)(?:/([^/]+))?$`)
	proxyPath    = regexp.MustCompile(`^/api/v1/namespaces/([^/]+)/services/(?:https?:)?([^/:]+)(?::([^/:]*))?:?/proxy(/.*)?$`)
)

func (a *API) count(what string) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.counts[what]++
}

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/bench/counts":
		a.mutex.Lock()
		defer a.mutex.Unlock()
		answer(w, r, http.StatusOK, a.counts)
	case r.URL.Path == "/version":
		answer(w, r, http.StatusOK, Object{"major": "1", "minor": "33", "gitVersion": "v1.33.4", "gitCommit": "0", "gitTreeState": "clean",
			"buildDate": "2025-08-13T14:19:56Z", "goVersion": "go1.24.5", "compiler": "gc", "platform": "linux/amd64"})
	case r.URL.Path == "/readyz" || r.URL.Path == "/livez" || r.URL.Path == "/healthz":
		fmt.Fprint(w, "ok")
	case r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "reviews"):
		a.review(w, r)
	case proxyPath.MatchString(r.URL.Path):
		a.toService(w, r)
	default:
		a.list(w, r)
	}
}

// review lets everything be done by everybody.
func (a *API) review(w http.ResponseWriter, r *http.Request) {
	a.count("review")
	review := Object{}
	if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
		refuse(w, r, http.StatusBadRequest, "BadRequest", err.Error())
		return
	}
	review["status"] = Object{"allowed": true}
	answer(w, r, http.StatusCreated, review)
}

func (a *API) toService(w http.ResponseWriter, r *http.Request) {
	found := proxyPath.FindStringSubmatch(r.URL.Path)
	port := found[3]
	if found[1] != prometheusNamespace || found[2] != prometheusService || (port != "" && port != "http-web" && port != strconv.Itoa(prometheusPort)) {
		refuse(w, r, http.StatusServiceUnavailable, "ServiceUnavailable", "no endpoints available for service "+found[2])
		return
	}
	a.count("proxy " + strings.TrimPrefix(found[4], "/api/v1/"))
	r.URL.Path, r.URL.RawPath = found[4], ""
	a.proxy.ServeHTTP(w, r)
}

func (a *API) list(w http.ResponseWriter, r *http.Request) {
	found := resourcePath.FindStringSubmatch(r.URL.Path)
	var resource *Resource
	if found != nil {
		resource = a.resources[found[1]+"/"+found[2]+"/"+found[4]]
		if resource == nil && found[3] != "" && found[4] == "" {
			resource = a.resources[found[1]+"/"+found[2]+"/namespaces"]
		}
	}
	if resource == nil {
		a.count("404 " + r.URL.Path)
		refuse(w, r, http.StatusNotFound, "NotFound", "the server could not find the requested resource")
		return
	}
	a.count(strings.ToLower(r.Method) + " " + resource.name)
	if name := found[5]; name != "" {
		resource.get(w, r, found[3], name)
		return
	}
	resource.list(w, r, found[3])
}

func wantsMeta(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "as=PartialObjectMetadata")
}

func (i *Item) body(meta bool) []byte {
	if meta {
		return i.meta
	}
	return i.whole
}

func (s *Resource) get(w http.ResponseWriter, r *http.Request, namespace, name string) {
	for i := range s.items {
		if item := &s.items[i]; item.name == name && (namespace == "" || item.namespace == namespace) {
			object := Object{}
			if err := json.Unmarshal(item.body(wantsMeta(r)), &object); err != nil {
				refuse(w, r, http.StatusInternalServerError, "InternalError", err.Error())
				return
			}
			if object["kind"] == nil {
				object["kind"], object["apiVersion"] = s.kind, s.group
			}
			answer(w, r, http.StatusOK, object)
			return
		}
	}
	refuse(w, r, http.StatusNotFound, "NotFound", fmt.Sprintf("%s \"%s\" not found", s.name, name))
}

// list answers a page: the place to go on at stands in the token as it is.
func (s *Resource) list(w http.ResponseWriter, r *http.Request, namespace string) {
	query := r.URL.Query()
	limit, _ := strconv.Atoi(query.Get("limit"))
	first, _ := strconv.Atoi(query.Get("continue"))
	labels, fields, err := selectors(query.Get("labelSelector"), query.Get("fieldSelector"))
	if err != nil {
		refuse(w, r, http.StatusBadRequest, "BadRequest", err.Error())
		return
	}
	meta := wantsMeta(r)
	kind, group := s.kind+"List", s.group
	if meta {
		kind, group = "PartialObjectMetadataList", "meta.k8s.io/v1"
	}
	body := make([]byte, 0, 1<<16)
	next, taken := "", 0
	for i := first; i < len(s.items); i++ {
		item := &s.items[i]
		if (namespace != "" && item.namespace != namespace) || !labels.match(item.label) || !fields.match(item.field) {
			continue
		}
		if limit > 0 && taken == limit {
			next = strconv.Itoa(i)
			break
		}
		if taken > 0 {
			body = append(body, ',')
		}
		body = append(body, item.body(meta)...)
		taken++
	}
	head := fmt.Sprintf(`{"kind":"%s","apiVersion":"%s","metadata":{"resourceVersion":"123456","continue":"%s"},"items":[`, kind, group, next)
	send(w, r, http.StatusOK, []byte(head), body, []byte("]}\n"))
}

func (i *Item) label(key string) (string, bool) {
	value, found := i.labels[key]
	return value, found
}

func (i *Item) field(key string) (string, bool) {
	switch key {
	case "metadata.name":
		return i.name, true
	case "metadata.namespace":
		return i.namespace, true
	case "status.phase":
		return i.phase, true
	default:
		return "", false
	}
}

func answer(w http.ResponseWriter, r *http.Request, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	send(w, r, status, append(text, '\n'))
}

func refuse(w http.ResponseWriter, r *http.Request, status int, reason, message string) {
	answer(w, r, status, Object{"kind": "Status", "apiVersion": "v1", "metadata": Object{}, "status": "Failure", "reason": reason, "message": message, "code": status})
}

// send packs what is long, at the level that Kubernetes packs at.
func send(w http.ResponseWriter, r *http.Request, status int, pieces ...[]byte) {
	length := 0
	for _, piece := range pieces {
		length += len(piece)
	}
	w.Header().Set("Content-Type", "application/json")
	if length < 128<<10 || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		w.WriteHeader(status)
		for _, piece := range pieces {
			_, _ = w.Write(piece)
		}
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	packer, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
	for _, piece := range pieces {
		_, _ = packer.Write(piece)
	}
	_ = packer.Close()
}
