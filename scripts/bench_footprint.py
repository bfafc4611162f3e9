#!/usr/bin/env python3
"""Starts one worker, a collector that trains it from simulated series, and a coordinator, and prints what they take.

Usage: bench_footprint.py BINARIES FOLDER

A worker's cold start is the time from the start of its process until a health check of its ForecastService says SERVING, which it does
once its model is loaded; it is asked every 2 ms over a connection that is made anew until one is accepted. Idle figures are taken over
30 s, a minute after the last work. Memory is the resident set (VmRSS) and what of it is the process's alone (RssAnon).
"""

import os
import socket
import statistics
import subprocess
import sys
import time

import grpc

WORKLOAD = "hipster-shop/Deployment/frontend"
STARTS = 20
SETTLE_SECONDS = 60
IDLE_SECONDS = 30
DEADLINE_SECONDS = 600


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def serving(port, service):
    """Whether a health check of `service` says SERVING."""
    name = service.encode()
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            # HealthCheckRequest { service = 1 }, HealthCheckResponse { status = 1 }: SERVING is 1.
            return check(b"\x0a" + bytes([len(name)]) + name, timeout=1) == b"\x08\x01"
        except grpc.RpcError:
            return False


def accepts(port):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def wait_serving(port, service, process):
    """Seconds until it serves."""
    begun = time.monotonic()
    while time.monotonic() - begun < DEADLINE_SECONDS:
        if process.poll() is not None:
            sys.exit(f"the process ended with {process.returncode} before it served {service}")
        if accepts(port) and serving(port, service):
            return time.monotonic() - begun
        time.sleep(0.002)
    sys.exit(f"{service} was not served within {DEADLINE_SECONDS} s")


def start(binaries, program, port, *arguments):
    command = [os.path.join(binaries, program), "--listen", f"127.0.0.1:{port}", *arguments]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


def memory(process, key):
    with open(f"/proc/{process.pid}/status") as lines:
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def cpu_seconds(process):
    with open(f"/proc/{process.pid}/stat") as line:
        fields = line.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def print_idle(processes):
    time.sleep(SETTLE_SECONDS)
    before = {name: cpu_seconds(process) for name, process in processes.items()}
    time.sleep(IDLE_SECONDS)
    for name, process in processes.items():
        millicores = (cpu_seconds(process) - before[name]) / IDLE_SECONDS * 1000
        print(
            f"{name:<12} idle: {memory(process, 'VmRSS'):6.1f} MiB resident"
            f" ({memory(process, 'RssAnon'):5.1f} its own), {millicores:.1f} millicores"
        )


def main(binaries, folder):
    library, config = os.path.join(folder, "models"), os.path.join(folder, "config.yaml")
    worker_port, collector_port, coordinator_port = free_port(), free_port(), free_port()
    workers = f"workers:\n  endpoints:\n    {WORKLOAD}: http://127.0.0.1:{worker_port}\n"
    with open(config, "w") as text:
        text.write(f"source:\n  simulated: {{}}\n{workers}")
    worker_arguments = ("--workload", WORKLOAD, "--library", library)
    begun = time.monotonic()
    worker = start(binaries, "mora-model-worker", worker_port, *worker_arguments)
    collector = start(binaries, "mora-collector", collector_port, "--config", config)
    wait_serving(worker_port, "mora.v1.ForecastService", worker)
    print(f"trained by the collector {time.monotonic() - begun:.1f} s after the start")
    starts = []
    for _ in range(STARTS):
        worker.terminate()
        worker.wait()
        worker = start(binaries, "mora-model-worker", worker_port, *worker_arguments)
        starts.append(wait_serving(worker_port, "mora.v1.ForecastService", worker) * 1000)
    print(
        f"worker, process start to SERVING with a model, {STARTS} starts: median {statistics.median(starts):.0f} ms,"
        f" {min(starts):.0f} to {max(starts):.0f} ms"
    )
    with open(config, "w") as text:
        text.write(f"collector: http://127.0.0.1:{collector_port}\n{workers}")
    coordinator = start(binaries, "mora-coordinator", coordinator_port, "--config", config)
    started = wait_serving(coordinator_port, "mora.v1.RecommendationService", coordinator) * 1000
    print(f"coordinator, process start to SERVING: {started:.0f} ms")
    print_idle({"worker": worker, "collector": collector, "coordinator": coordinator})
    for process in (worker, collector, coordinator):
        process.terminate()
        process.wait()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print("usage: bench_footprint.py BINARIES FOLDER", file=sys.stderr)
        sys.exit(2)
    main(*sys.argv[1:])
