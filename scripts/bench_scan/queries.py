"""Measures what queries cost a Prometheus that has the data of bench-scan, each whole and cut into shards by namespace.

python3 queries.py --prometheus PROGRAM --data FOLDER [--only WORD]... prints a Markdown table: seconds of wall, seconds of CPU in
Prometheus, bytes answered. It starts the Prometheus itself, on a port of its own, and stops it again.
"""

import argparse
import concurrent.futures
import gzip
import json
import os
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from prometheus import Prometheus

CPU = "container_cpu_usage_seconds_total"
MEMORY = "container_memory_working_set_bytes"
BY = "max by (namespace, pod, container) "

# Name, kind of request, PromQL; SELECT stands for the matchers of a shard. A range query has its step in seconds.
CANDIDATES = [
    ("a rate 5m, 7d:5m", "query", f"quantile_over_time(0.95, rate({CPU}SELECT[5m])[7d:5m])"),
    ("b max by inside, 7d:5m", "query", f"quantile_over_time(0.95, {BY}(rate({CPU}SELECT[5m]))[7d:5m])"),
    ("c rate 2m, 7d:2m", "query", f"quantile_over_time(0.95, rate({CPU}SELECT[2m])[7d:2m])"),
    ("c max by inside, 7d:2m", "query", f"quantile_over_time(0.95, {BY}(rate({CPU}SELECT[2m]))[7d:2m])"),
    ("c rate 75s, 7d:75s", "query", f"quantile_over_time(0.95, rate({CPU}SELECT[75s])[7d:75s])"),
    ("c max by inside, 7d:75s (KRR)", "query",
     f"quantile_over_time(0.95, max by (namespace, container, pod, job) (rate({CPU}SELECT[75s]))[7d:75s])"),
    ("c rate 15m, 7d:15m", "query", f"quantile_over_time(0.95, rate({CPU}SELECT[15m])[7d:15m])"),
    ("c irate 5m, 7d:5m", "query", f"quantile_over_time(0.95, irate({CPU}SELECT[5m])[7d:5m])"),
    ("d max_over_time 7d", "query", f"max_over_time({MEMORY}SELECT[7d])"),
    ("e max by inside, 7d:75s (KRR)", "query", f"max_over_time(max by (namespace, container, pod, job) ({MEMORY}SELECT)[7d:75s])"),
    ("e the same by series", "query", f"max_over_time({MEMORY}SELECT[7d:75s])"),
    ("f count_over_time 7d:1h", "query", f"count_over_time({MEMORY}SELECT[7d:1h])"),
    ("f count_over_time 7d", "query", f"count_over_time({MEMORY}SELECT[7d])"),
    ("f KRR's count of CPU, 7d:75s", "query",
     f"count_over_time(max by (namespace, container, pod, job) ({CPU}SELECT)[7d:75s])"),
    ("f the same by series", "query", f"count_over_time({CPU}SELECT[7d:75s])"),
    ("g series kube_pod_owner", "series", "kube_pod_owner"),
    ("g last_over_time kube_pod_owner 7d", "query", "last_over_time(kube_pod_owner[7d])"),
    ("g group by of it", "query",
     "group by (namespace, pod, owner_kind, owner_name) (last_over_time(kube_pod_owner[7d:1h]))"),
    ("h hourly max of rate 5m", "range 3600", f"max_over_time(rate({CPU}SELECT[5m])[1h:5m])"),
    ("h hourly max of rate 5m, by inside", "range 3600", f"max_over_time({BY}(rate({CPU}SELECT[5m]))[1h:5m])"),
    ("h hourly max of rate 15m", "range 3600", f"max_over_time(rate({CPU}SELECT[15m])[1h:15m])"),
    ("h hourly rate 1h", "range 3600", f"rate({CPU}SELECT[1h])"),
    ("h hourly rate 5m (one in twelve)", "range 3600", f"rate({CPU}SELECT[5m])"),
    ("h hourly rate 5m, max by container", "range 3600", f"max by (namespace, container) (max_over_time(rate({CPU}SELECT[5m])[1h:5m]))"),
    ("h range of rate 5m, step 5m", "range 300", f"rate({CPU}SELECT[5m])"),
    ("h range of rate 15m, step 15m", "range 900", f"rate({CPU}SELECT[15m])"),
    ("h hourly max of memory", "range 3600", f"max_over_time({MEMORY}SELECT[1h])"),
    ("h memory, step 5m", "range 300", f"{MEMORY}SELECT"),
    ("i remote read, CPU", "read", CPU),
    ("i remote read, memory", "read", MEMORY),
]


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, payload):
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def literal(data):
    """Data as Snappy has it where nothing repeats."""
    out = varint(len(data))
    for start in range(0, len(data), 60):
        piece = data[start:start + 60]
        out += bytes([(len(piece) - 1) << 2]) + piece
    return out


def read_request(metric, namespaces, start, end):
    def matcher(kind, name, value):
        return field(3, field(1, kind) + field(2, name.encode()) + field(3, value.encode()))

    query = field(1, start * 1000) + field(2, end * 1000) + matcher(0, "__name__", metric) + matcher(1, "container", "")
    if namespaces:
        query += matcher(2, "namespace", "|".join(namespaces))
    return literal(field(1, query) + field(2, 1))


def ask(url, kind, promql, namespaces, now, days):
    select = '{container!="",container!="POD"' + (f',namespace=~"{"|".join(namespaces)}"' if namespaces else "") + "}"
    promql = promql.replace("SELECT", select)
    headers = {"Accept-Encoding": "gzip"}
    start = now - days * 86400
    if kind == "query":
        path, body = "query", urllib.parse.urlencode({"query": promql, "time": now, "timeout": "120s"})
    elif kind == "series":
        path, body = "series", urllib.parse.urlencode({"match[]": promql, "start": start, "end": now})
    elif kind == "read":
        path, body = "read", read_request(promql, namespaces, start, now)
        headers |= {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy", "X-Prometheus-Remote-Read-Version": "0.1.0"}
    else:
        step = kind.split()[1]
        path, body = "query_range", urllib.parse.urlencode({"query": promql, "start": start, "end": now, "step": step, "timeout": "120s"})
    if isinstance(body, str):
        body = body.encode()
    request = urllib.request.Request(f"{url}/api/v1/{path}", body, headers)
    try:
        with urllib.request.urlopen(request) as answer:
            total = 0
            while piece := answer.read(1 << 20):
                total += len(piece)
            return total
    except urllib.error.HTTPError as error:
        raise RuntimeError(gzip.decompress(error.read()).decode()[:300] if error.headers["Content-Encoding"] == "gzip" else error.read().decode()[:300]) from None


def measure(prometheus, shape, kind, promql, shards, at_once):
    names = ["shop", "billing", "logistics", "identity", "insights"]
    spaces = [f"{names[i % 5]}-{i:02}" for i in range(shape["namespaces"])]
    parts = [spaces[i::shards] for i in range(shards)] if shards > 1 else [[]]
    before, started = prometheus.cpu(), time.perf_counter()
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        total = sum(pool.map(lambda part: ask(prometheus.url, kind, promql, part, shape["now"], shape["days"]), parts))
    return time.perf_counter() - started, prometheus.cpu() - before, total


def main():
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--prometheus", required=True)
    flags.add_argument("--data", required=True)
    flags.add_argument("--only", action="append", default=[])
    flags.add_argument("--whole", action="store_true", help="no shards")
    flags.add_argument("--runs", type=int, default=2)
    flags = flags.parse_args()
    shape = json.load(open(os.path.join(flags.data, "shape.json")))
    with tempfile.TemporaryDirectory() as work:
        prometheus = Prometheus(flags.prometheus, os.path.join(flags.data, "prometheus"), work)
        try:
            report(prometheus, shape, flags)
        finally:
            prometheus.stop()


def report(prometheus, shape, flags):
    print("| query | shards, at a time | wall, s | CPU, s | answer, kB (gzip) | peak, MiB |\n| --- | --- | --- | --- | --- | --- |")
    for name, kind, promql in CANDIDATES:
        if flags.only and not any(name.startswith(word) for word in flags.only):
            continue
        sharded = [] if flags.whole or kind == "series" or "SELECT" not in promql else [(2, 2), (4, 2), (4, 4), (8, 2), (8, 4)]
        for shards, at_once in [(1, 1), *sharded]:
            prometheus.forget_peak()
            try:
                runs = [measure(prometheus, shape, kind, promql, shards, at_once) for _ in range(flags.runs)]
            except RuntimeError as error:
                print(f"| {name} | {shards}, {at_once} | {error} | | | |", flush=True)
                continue
            wall, cpu, total = (min(column) for column in zip(*runs))
            print(f"| {name} | {shards}, {at_once} | {wall:.2f} | {cpu:.2f} | {total / 1000:.0f} | {prometheus.peak():.0f} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
