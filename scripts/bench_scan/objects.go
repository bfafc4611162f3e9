package main

import "fmt"

// Object is one of the Kubernetes API, as JSON will have it.
type Object = map[string]any

// metadata is what all objects have, with the notes of field managers that make up much of a real one.
func metadata(namespace, name, uid, created string, labels, annotations Object, owners ...Object) Object {
	meta := Object{
		"name": name, "uid": uid, "resourceVersion": fmt.Sprint(100000 + len(name)*977), "creationTimestamp": created, "labels": labels,
		"managedFields": []Object{{
			"manager": "kube-controller-manager", "operation": "Update", "apiVersion": "v1", "time": created, "fieldsType": "FieldsV1",
			"fieldsV1": Object{"f:metadata": Object{"f:generateName": Object{}, "f:labels": managed(labels), "f:ownerReferences": managed(Object{"." + uid: 1})},
				"f:spec": managed(Object{"containers": 1, "dnsPolicy": 1, "enableServiceLinks": 1, "restartPolicy": 1, "schedulerName": 1,
					"securityContext": 1, "serviceAccount": 1, "terminationGracePeriodSeconds": 1, "volumes": 1})},
		}},
	}
	if namespace != "" {
		meta["namespace"] = namespace
	}
	if len(annotations) > 0 {
		meta["annotations"] = annotations
	}
	if len(owners) > 0 {
		meta["ownerReferences"] = owners
	}
	return meta
}

func managed(fields Object) Object {
	all := Object{}
	for name := range fields {
		all["f:"+name] = Object{}
	}
	return all
}

func owner(apiVersion, kind, name, uid string) Object {
	return Object{"apiVersion": apiVersion, "kind": kind, "name": name, "uid": uid, "controller": true, "blockOwnerDeletion": true}
}

func (w *Workload) labels() Object {
	return Object{"app.kubernetes.io/name": w.Name, "app.kubernetes.io/instance": w.Name + "-" + w.Namespace,
		"app.kubernetes.io/managed-by": "Helm", "tier": []string{"backend", "frontend"}[w.Index%2]}
}

func (w *Workload) selector() Object {
	return Object{"app.kubernetes.io/name": w.Name, "app.kubernetes.io/instance": w.Name + "-" + w.Namespace}
}

func (w *Workload) podLabels(hash string) Object {
	labels := w.labels()
	labels["pod-template-hash"] = hash
	return labels
}

func with(from Object, key string, value any) Object {
	if from == nil {
		from = Object{}
	}
	from[key] = value
	return from
}

func (c Container) resources() Object {
	var requests, limits Object
	if c.CPURequest > 0 {
		requests = with(requests, "cpu", fmt.Sprintf("%dm", c.CPURequest))
	}
	if c.CPULimit > 0 {
		limits = with(limits, "cpu", fmt.Sprintf("%dm", c.CPULimit))
	}
	if c.MemoryRequest > 0 {
		requests = with(requests, "memory", fmt.Sprintf("%dMi", c.MemoryRequest>>20))
	}
	if c.MemoryLimit > 0 {
		limits = with(limits, "memory", fmt.Sprintf("%dMi", c.MemoryLimit>>20))
	}
	all := Object{}
	if requests != nil {
		all["requests"] = requests
	}
	if limits != nil {
		all["limits"] = limits
	}
	return all
}

func (w *Workload) spec(pod *Pod) Object {
	var containers []Object
	for _, c := range w.Containers {
		probe := func(path string) Object {
			return Object{"httpGet": Object{"path": path, "port": "http", "scheme": "HTTP"}, "timeoutSeconds": 1, "periodSeconds": 10,
				"successThreshold": 1, "failureThreshold": 3}
		}
		containers = append(containers, Object{
			"name": c.Name, "image": c.Image, "imagePullPolicy": "IfNotPresent", "resources": c.resources(),
			"ports": []Object{{"name": "http", "containerPort": 8080, "protocol": "TCP"}, {"name": "metrics", "containerPort": 9102, "protocol": "TCP"}},
			"env": []Object{{"name": "DATABASE_HOST", "value": "postgres." + w.Namespace + ".svc.cluster.local"}, {"name": "LOG_LEVEL", "value": "info"},
				{"name": "POD_NAME", "valueFrom": Object{"fieldRef": Object{"apiVersion": "v1", "fieldPath": "metadata.name"}}},
				{"name": "DATABASE_PASSWORD", "valueFrom": Object{"secretKeyRef": Object{"name": w.Name + "-database", "key": "password"}}}},
			"livenessProbe": probe("/healthz"), "readinessProbe": probe("/readyz"),
			"securityContext":        Object{"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": Object{"drop": []string{"ALL"}}},
			"terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
			"volumeMounts": []Object{{"name": "config", "mountPath": "/etc/" + w.Name},
				{"name": "kube-api-access", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": true}},
		})
	}
	spec := Object{
		"containers": containers, "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
		"serviceAccountName": w.Name, "serviceAccount": w.Name, "schedulerName": "default-scheduler",
		"securityContext": Object{"runAsNonRoot": true, "runAsUser": 10001, "fsGroup": 10001},
		"volumes":         []Object{{"name": "config", "configMap": Object{"name": w.Name, "defaultMode": 420}}},
	}
	if pod != nil {
		spec["nodeName"], spec["priority"], spec["preemptionPolicy"], spec["enableServiceLinks"] = pod.Node, 0, "PreemptLowerPriority", true
		spec["tolerations"] = []Object{
			{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300},
			{"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}}
		spec["volumes"] = append(spec["volumes"].([]Object), Object{"name": "kube-api-access", "projected": Object{"defaultMode": 420, "sources": []Object{
			{"serviceAccountToken": Object{"expirationSeconds": 3607, "path": "token"}},
			{"configMap": Object{"name": "kube-root-ca.crt", "items": []Object{{"key": "ca.crt", "path": "ca.crt"}}}}}}})
	}
	return spec
}

func (w *Workload) template(hash string) Object {
	labels := w.labels()
	if hash != "" {
		labels = w.podLabels(hash)
	}
	return Object{"metadata": Object{"labels": labels, "annotations": Object{"checksum/config": w.UID}}, "spec": w.spec(nil)}
}

func conditions(at string, types ...string) []Object {
	var all []Object
	for _, name := range types {
		all = append(all, Object{"type": name, "status": "True", "lastTransitionTime": at, "lastUpdateTime": at, "reason": "MinimumReplicasAvailable", "message": ""})
	}
	return all
}

func (w *Workload) deployment(s Shape) Object {
	created := instant(s.Now*1000 - 90*86400*1000)
	annotations := Object{"deployment.kubernetes.io/revision": "2", "meta.helm.sh/release-name": w.Name, "meta.helm.sh/release-namespace": w.Namespace}
	meta := metadata(w.Namespace, w.Name, w.UID, created, w.labels(), annotations)
	meta["generation"] = 2
	return Object{"metadata": meta,
		"spec": Object{"replicas": s.Replicas, "selector": Object{"matchLabels": w.selector()}, "template": w.template(""), "revisionHistoryLimit": 10,
			"progressDeadlineSeconds": 600, "strategy": Object{"type": "RollingUpdate", "rollingUpdate": Object{"maxSurge": "25%", "maxUnavailable": "25%"}}},
		"status": Object{"observedGeneration": 2, "replicas": s.Replicas, "updatedReplicas": s.Replicas, "readyReplicas": s.Replicas,
			"availableReplicas": s.Replicas, "conditions": conditions(created, "Available", "Progressing")}}
}

func (w *Workload) replicaSet(s Shape, generation int) Object {
	hash, replicas := w.Hashes[generation], generation*s.Replicas
	annotations := Object{"deployment.kubernetes.io/revision": fmt.Sprint(generation + 1), "deployment.kubernetes.io/desired-replicas": fmt.Sprint(s.Replicas)}
	meta := metadata(w.Namespace, w.Name+"-"+hash, w.SetUIDs[generation], instant(w.Pods[generation*s.Replicas].Start), w.podLabels(hash), annotations,
		owner("apps/v1", "Deployment", w.Name, w.UID))
	return Object{"metadata": meta,
		"spec":   Object{"replicas": replicas, "selector": Object{"matchLabels": with(w.selector(), "pod-template-hash", hash)}, "template": w.template(hash)},
		"status": Object{"observedGeneration": 2, "replicas": replicas, "fullyLabeledReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas}}
}

func (w *Workload) pod(p int) Object {
	pod := &w.Pods[p]
	set, started := w.Name+"-"+pod.Hash, instant(pod.Start)
	meta := metadata(w.Namespace, pod.Name, pod.UID, started, w.podLabels(pod.Hash), Object{"checksum/config": w.UID}, owner("apps/v1", "ReplicaSet", set, w.SetUIDs[1]))
	meta["generateName"] = set + "-"
	var statuses []Object
	for i, c := range w.Containers {
		statuses = append(statuses, Object{"name": c.Name, "image": c.Image, "imageID": c.Image + "@sha256:" + pod.ContainerIDs[i],
			"containerID": "containerd://" + pod.ContainerIDs[i], "ready": true, "started": true, "restartCount": 0,
			"state": Object{"running": Object{"startedAt": started}}, "lastState": Object{}, "resources": c.resources()})
	}
	return Object{"metadata": meta, "spec": w.spec(pod), "status": Object{"phase": "Running", "hostIP": "10.0.0.1", "podIP": pod.IP,
		"podIPs": []Object{{"ip": pod.IP}}, "startTime": started, "qosClass": "Burstable", "containerStatuses": statuses,
		"conditions": conditions(started, "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")}}
}

func (w *Workload) autoscaler(s Shape) Object {
	meta := metadata(w.Namespace, w.Name, w.SetUIDs[0], instant(s.Now*1000-90*86400*1000), w.labels(), nil)
	return Object{"metadata": meta, "spec": Object{"minReplicas": s.Replicas, "maxReplicas": 3 * s.Replicas,
		"scaleTargetRef": Object{"apiVersion": "apps/v1", "kind": "Deployment", "name": w.Name},
		"metrics":        []Object{{"type": "Resource", "resource": Object{"name": "cpu", "target": Object{"type": "Utilization", "averageUtilization": 70}}}}},
		"status": Object{"currentReplicas": s.Replicas, "desiredReplicas": s.Replicas, "conditions": []Object{},
			"currentMetrics": []Object{{"type": "Resource", "resource": Object{"name": "cpu", "current": Object{"averageUtilization": 41, "averageValue": "41m"}}}}}}
}

// service is that of Prometheus where labels say so, and else one of a workload.
func service(namespace, name, uid, created string, labels, selector Object, port Object) Object {
	return Object{"metadata": metadata(namespace, name, uid, created, labels, nil),
		"spec": Object{"type": "ClusterIP", "clusterIP": "10.96.0.10", "clusterIPs": []string{"10.96.0.10"}, "selector": selector,
			"sessionAffinity": "None", "ipFamilies": []string{"IPv4"}, "ipFamilyPolicy": "SingleStack", "internalTrafficPolicy": "Cluster", "ports": []Object{port}},
		"status": Object{"loadBalancer": Object{}}}
}

const prometheusNamespace, prometheusService, prometheusPort = "monitoring", "prometheus-kube-prometheus-prometheus", 9090

func (c *Cluster) services() []Object {
	created := instant(c.Shape.Now*1000 - 90*86400*1000)
	all := []Object{service(prometheusNamespace, prometheusService, "3b0c8f0e-6f63-4c1e-a6a3-6f0d6f8a1b2c", created,
		Object{"app": "kube-prometheus-stack-prometheus", "release": "prometheus", "self-monitor": "true", "app.kubernetes.io/managed-by": "Helm"},
		Object{"app.kubernetes.io/name": "prometheus", "operator.prometheus.io/name": "prometheus-kube-prometheus-prometheus"},
		Object{"name": "http-web", "port": prometheusPort, "targetPort": 9090, "protocol": "TCP"})}
	for i := range c.Workloads {
		w := &c.Workloads[i]
		all = append(all, service(w.Namespace, w.Name, w.SetUIDs[1], created, w.labels(), w.selector(),
			Object{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}))
	}
	return all
}

func (c *Cluster) namespaces() []Object {
	var all []Object
	names := []string{"default", "kube-node-lease", "kube-public", "kube-system", prometheusNamespace}
	for i := range c.Shape.Namespaces {
		names = append(names, c.Shape.namespace(i))
	}
	for _, name := range names {
		meta := metadata("", name, fmt.Sprintf("00000000-0000-4000-a000-%012d", len(all)), instant(c.Shape.Now*1000-365*86400*1000),
			Object{"kubernetes.io/metadata.name": name}, nil)
		all = append(all, Object{"metadata": meta, "spec": Object{"finalizers": []string{"kubernetes"}}, "status": Object{"phase": "Active"}})
	}
	return all
}

func (c *Cluster) nodeObjects() []Object {
	var all []Object
	for i, name := range c.Nodes {
		amounts := Object{"cpu": "64", "memory": "268435456Ki", "pods": "110"}
		meta := metadata("", name, fmt.Sprintf("00000000-0000-4000-b000-%012d", i), instant(c.Shape.Now*1000-90*86400*1000), Object{"kubernetes.io/hostname": name}, nil)
		all = append(all, Object{"metadata": meta, "spec": Object{}, "status": Object{"capacity": amounts, "allocatable": amounts}})
	}
	return all
}
