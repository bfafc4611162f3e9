"""Asks what Robusta KRR's simple strategy asks, in the way it does: for each container by itself, in ten threads.

KRR itself is in no package registry, so this stands for it: the same requests to Kubernetes and to Prometheus, through the same
client libraries (kubernetes, prometrix), and the same arithmetic on what comes back. It does not print tables, score or load
KRR's other libraries, so that what it uses is a lower bound of what KRR does. It prints one JSON line for each container.
"""

import argparse
import concurrent.futures
import json
import math

import prometrix
from kubernetes import client, config

SELECTORS = ["app=kube-prometheus-stack-prometheus", "app=prometheus,component=server", "app=prometheus-server"]
STEP, PERCENTILE, BUFFER, LEAST_POINTS = "75s", 0.95, 1.15, 100


def find_prometheus():
    core = client.CoreV1Api()
    for selector in SELECTORS:
        for service in core.list_service_for_all_namespaces(label_selector=selector).items:
            meta, host = service.metadata, core.api_client.configuration.host
            return f"{host}/api/v1/namespaces/{meta.namespace}/services/{meta.name}:{service.spec.ports[0].port}/proxy"
    raise SystemExit("no Prometheus found by the labels of its Service")


def containers():
    """Every container of every kind of workload, and whether an autoscaler scales it."""
    apps, batch = client.AppsV1Api(), client.BatchV1Api()
    scaled = {(one.metadata.namespace, one.spec.scale_target_ref.kind, one.spec.scale_target_ref.name)
              for one in client.AutoscalingV2Api().list_horizontal_pod_autoscaler_for_all_namespaces().items}
    for kind, listed in [("Deployment", apps.list_deployment_for_all_namespaces()), ("StatefulSet", apps.list_stateful_set_for_all_namespaces()),
                         ("DaemonSet", apps.list_daemon_set_for_all_namespaces()), ("Job", batch.list_job_for_all_namespaces()),
                         ("CronJob", batch.list_cron_job_for_all_namespaces())]:
        for item in listed.items:
            meta = item.metadata
            for container in item.spec.template.spec.containers:
                yield meta.namespace, kind, meta.name, container.name, (meta.namespace, kind, meta.name) in scaled


class Peer:
    def __init__(self, url, days, at):
        self.connection = prometrix.get_custom_prometheus_connect(prometrix.PrometheusConfig(url=url, headers={}))
        self.days, self.at = days, {"time": at} if at else {}

    def ask(self, query):
        return self.connection.safe_custom_query(query=query, params=self.at)["result"]

    def pods(self, namespace, kind, name):
        sets = self.ask(f'kube_replicaset_owner{{owner_name="{name}", owner_kind="{kind}", namespace="{namespace}"}}[{self.days}d]')
        owners = "|".join(sorted({found["metric"]["replicaset"] for found in sets}))
        found = self.ask(f'last_over_time(kube_pod_owner{{owner_name=~"{owners}", owner_kind="ReplicaSet", namespace="{namespace}"}}[{self.days}d])')
        pods = "|".join(sorted({one["metric"]["pod"] for one in found}))
        self.ask(f'kube_pod_status_phase{{phase="Running", pod=~"{pods}", namespace="{namespace}"}} == 1')
        return pods

    def largest(self, query):
        """The largest and the sum of the values over pods; a pod that several jobs tell of counts as the kubelet's job tells."""
        rows = {}
        for one in self.ask(query):
            rows.setdefault(one["metric"]["pod"], []).append((one["metric"].get("job") != "kubelet", one["metric"].get("job", ""), float(one["value"][1])))
        values = [min(found)[2] for found in rows.values()]
        return (max(values), sum(values)) if values else (math.nan, 0)

    def scan(self, of):
        namespace, kind, name, container, scaled = of
        pods = self.pods(namespace, kind, name)
        select = f'{{namespace="{namespace}", pod=~"{pods}", container="{container}"}}'
        cpu, memory = f"container_cpu_usage_seconds_total{select}", f"container_memory_working_set_bytes{select}"
        by, steps = "by (container, pod, job)", f"[{self.days}d:{STEP}]"
        cores, _ = self.largest(f"quantile_over_time({PERCENTILE}, max(rate({cpu}[{STEP}])) {by} {steps})")
        size, _ = self.largest(f"max_over_time(max({memory}) {by} {steps})")
        _, points = self.largest(f"count_over_time(max({cpu}) {by} {steps})")
        _, memory_points = self.largest(f"count_over_time(max({memory}) {by} {steps})")
        # The autoscalers of the benchmark look at CPU alone.
        found = {"namespace": namespace, "kind": kind, "name": name, "container": container, "cpu": None, "memory": None}
        if not scaled and points >= LEAST_POINTS and not math.isnan(cores):
            found["cpu"] = max(10, math.ceil(cores * 1000 - 1e-9))
        if memory_points >= LEAST_POINTS and not math.isnan(size):
            found["memory"] = max(100, math.ceil(size * BUFFER / 2**20 - 1e-9)) * 2**20
        return found


def main():
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--days", type=int, default=7)
    flags.add_argument("--at", type=int, help="seconds since 1970; now when absent")
    flags = flags.parse_args()
    config.load_kube_config()
    peer = Peer(find_prometheus(), flags.days, flags.at)
    for query in ["example", "max(prometheus_tsdb_head_series)", "sum(max by (instance) (machine_memory_bytes))",
                  "sum(max by (instance) (machine_cpu_cores))",
                  "sum(max(kube_pod_container_resource_requests{namespace='kube-system', resource='memory'}) by (job, pod, container))",
                  "sum(max(kube_pod_container_resource_requests{namespace='kube-system', resource='cpu'}) by (job, pod, container))"]:
        peer.ask(query)
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        for found in pool.map(peer.scan, containers()):
            print(json.dumps(found))


if __name__ == "__main__":
    main()
