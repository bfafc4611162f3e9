"""Runs scans in turn against the data of bench-scan and prints the medians of what they used. scripts/bench-scan calls it."""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from prometheus import Prometheus

# Of processes that are waited for, the peak starts at that of this one when it starts them: some 15 MB.
COLUMNS = ["wall, s", "CPU, s", "peak memory, MB", "queries", "CPU of Prometheus, s", "requests to Kubernetes"]


def start_api(program, data, prometheus, work):
    kubeconfig = os.path.join(work, "kubeconfig")
    api = subprocess.Popen([program, "serve", "--data", data, "--prometheus", prometheus.url, "--kubeconfig", kubeconfig],
                           stdout=subprocess.PIPE, text=True)
    address = api.stdout.readline().strip()
    if not address:
        raise SystemExit("bench-scan: the Kubernetes API of the benchmark does not start")
    return api, address, kubeconfig


def requests(address):
    """Requests to the Kubernetes API but those that it handed on to Prometheus."""
    counts = json.load(urllib.request.urlopen(f"{address}/bench/counts"))
    return sum(count for what, count in counts.items() if not what.startswith("proxy "))


def run(command, environment, output, prometheus, address):
    """What one run used, in the order of COLUMNS, and the code it ended with."""
    queries, before, asked = prometheus.queries(), prometheus.cpu(), requests(address)
    with open(output, "wb") as out, open(f"{output}.log", "wb") as log:
        started = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    row = [wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000, prometheus.queries() - queries,
           prometheus.cpu() - before, requests(address) - asked]
    return row, process.returncode


def main():
    flags = argparse.ArgumentParser()
    flags.add_argument("--program", required=True)
    flags.add_argument("--prometheus", required=True)
    flags.add_argument("--data", required=True)
    flags.add_argument("--out", required=True)
    flags.add_argument("--runs", type=int, default=5)
    flags.add_argument("commands", nargs="+", metavar="NAME=COMMAND")
    flags = flags.parse_args()
    commands = dict(command.split("=", 1) for command in flags.commands)
    with tempfile.TemporaryDirectory() as work:
        prometheus, api = Prometheus(flags.prometheus, os.path.join(flags.data, "prometheus"), work), None
        try:
            api, address, kubeconfig = start_api(flags.program, flags.data, prometheus, work)
            kept = {key: value for key, value in os.environ.items() if not key.startswith("MORA_")}
            report(flags, commands, {**kept, "KUBECONFIG": kubeconfig}, prometheus, address)
        finally:
            if api:
                api.terminate()
                api.wait()
            prometheus.stop()


def report(flags, commands, environment, prometheus, address):
    print("| scan | " + " | ".join(COLUMNS) + " | exit |\n|" + " --- |" * (len(COLUMNS) + 2), flush=True)
    rows = {name: [] for name in commands}
    codes = {name: set() for name in commands}
    for turn in range(flags.runs):
        for name, command in commands.items():
            row, code = run(shlex.split(command), environment, os.path.join(flags.out, f"{name}.out"), prometheus, address)
            rows[name].append(row)
            codes[name].add(code)
            print(f"bench-scan: {name}, run {turn + 1}: " + ", ".join(f"{value:.2f}" for value in row) + f", exit {code}", file=sys.stderr)
    for name, found in rows.items():
        medians = [statistics.median(column) for column in zip(*found)]
        texts = [f"{value:.2f}" if i in (0, 1, 4) else f"{value:.0f}" for i, value in enumerate(medians)]
        print(f"| {name} | " + " | ".join(texts) + f" | {', '.join(map(str, sorted(codes[name])))} |")
    print(f"\nMedians of {flags.runs} runs, the scans in turn. Load of the machine at the end: {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
