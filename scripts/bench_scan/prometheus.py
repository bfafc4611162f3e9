"""A Prometheus of our own over blocks that are left as they are, and what it has used."""

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

TICKS = os.sysconf("SC_CLK_TCK")
QUERIES = re.compile(r'prometheus_http_requests_total\{code="\d+",handler="/api/v1/(?:query|query_range|read|series|labels?[^"]*)"\} (\S+)')


class Prometheus:
    def __init__(self, program, folder, work):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        settings = os.path.join(work, "prometheus.yml")
        with open(settings, "w") as file:
            file.write("scrape_configs: []\n")
        # Blocks stay as they are: with one range alone there is nothing to compact to.
        self.process = subprocess.Popen(
            [program, f"--config.file={settings}", f"--storage.tsdb.path={folder}", f"--web.listen-address=127.0.0.1:{port}",
             "--storage.tsdb.retention.time=10y", "--storage.tsdb.min-block-duration=2h", "--storage.tsdb.max-block-duration=2h",
             "--log.level=warn"], stderr=open(os.path.join(work, "prometheus.log"), "w"), stdout=subprocess.DEVNULL)
        deadline = time.time() + 120
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/-/ready").read()
                return
            except (urllib.error.URLError, ConnectionError):
                if self.process.poll() is not None or time.time() > deadline:
                    raise SystemExit(open(os.path.join(work, "prometheus.log")).read())
                time.sleep(0.1)

    def cpu(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def peak(self):
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        return 0.0

    def forget_peak(self):
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()

    def queries(self):
        text = urllib.request.urlopen(f"{self.url}/metrics").read().decode()
        return round(sum(float(count) for count in QUERIES.findall(text)))
