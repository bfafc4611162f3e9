#!/usr/bin/env python3
"""Python's Prophet beside MOrA's, on the same series; called by scripts/bench-prophet.

Usage: bench_prophet.py compare OURS FILE DAYS
       bench_prophet.py python FILE SLOT_SECONDS DAYS ALGORITHM

`compare` runs the example `prophet_alone` (OURS) and Python's Prophet, each in a process of its own, on the values as
they are (one a minute) and on their hourly maxima, and prints a table. Python's runs with both of its optimisers: LBFGS,
its default, stops short of the optimum on many values; Newton reaches it. `python` prints what `prophet_alone` prints.
FILE has the lines `second,value` under a heading, one minute apart, and more than DAYS whole days.
"""

import csv
import json
import resource
import statistics
import subprocess
import sys
import time

DAY = 86_400
LEVELS = (0.5, 0.9, 0.95, 0.99)


def read(path):
    """The first second, and the values by minute; None is a gap."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    return int(rows[0][0]), [float(value) if value else None for _, value in rows]


def slots(values, width):
    """The largest of each `width` values; None where fewer than half are known."""
    cells = (values[at : at + width] for at in range(0, len(values), width))
    known = ([value for value in cell if value is not None] for cell in cells)
    return [max(cell) if 2 * len(cell) >= width else None for cell in known]


def run_python(path, slot, days, algorithm):
    """Fits and forecasts every window with Python's Prophet and one of its optimisers."""
    import logging

    import pandas
    from prophet import Prophet

    logging.getLogger("cmdstanpy").disabled = True
    first, values = read(path)
    series = slots(values, slot // 60)
    a_day = DAY // slot
    runs = []
    for day in range(len(series) // a_day - days):
        begin = day * a_day
        count = (days + 1) * a_day
        seconds = [first + (begin + index) * slot for index in range(count)]
        frame = pandas.DataFrame({"ds": pandas.to_datetime(seconds, unit="s")})
        seen = frame[: days * a_day].assign(y=series[begin : begin + days * a_day]).dropna()
        # The same seasons in the same orders, and no intervals, on both sides.
        weekly = 3 if days >= 14 else False
        model = Prophet(
            yearly_seasonality=False, weekly_seasonality=weekly, daily_seasonality=6, uncertainty_samples=0
        )
        began = time.perf_counter()
        model.fit(seen, algorithm=algorithm)
        fitted = time.perf_counter()
        after = model.predict(frame[days * a_day :])["yhat"].tolist()
        forecast = time.perf_counter()
        before = model.predict(frame[: days * a_day])["yhat"].tolist()
        runs.append(
            {
                "fit_seconds": fitted - began,
                "forecast_seconds": forecast - fitted,
                "seen": before,
                "next": after,
            }
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps({"runs": runs, "peak_kib": max(peak, children)}))


def pinball(level, forecast, observed):
    short = observed - forecast
    return max(level * short, (level - 1) * short)


def losses(answer, series, days, a_day):
    """Mean pinball loss of the days after: of the median, and over LEVELS with quantiles of the errors seen."""
    median, spread, count = 0.0, 0.0, 0
    for day, run in enumerate(answer["runs"]):
        begin, end = day * a_day, (day + days) * a_day
        pairs = zip(series[begin:end], run["seen"])
        errors = sorted(value - said for value, said in pairs if value is not None)
        quantiles = [errors[min(int(level * len(errors)), len(errors) - 1)] for level in LEVELS]
        for value, said in zip(series[end : end + a_day], run["next"]):
            if value is None:
                continue
            median += pinball(0.5, said, value)
            spread += sum(pinball(q, said + e, value) for q, e in zip(LEVELS, quantiles)) / len(LEVELS)
            count += 1
    return median / count, spread / count


def answer_of(command):
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)


def compare(ours, path, days):
    _, values = read(path)
    print(f"{len(values) // 1440 - days} windows of {days} days, forecasting the day after")
    for slot, name in ((60, "one value a minute"), (3600, "hourly maxima")):
        series, a_day = slots(values, slot // 60), DAY // slot
        arguments = [path, str(slot), str(days)]
        answers = {
            f"Python, {algorithm}": answer_of([sys.executable, __file__, "python", *arguments, algorithm])
            for algorithm in ("LBFGS", "Newton")
        }
        answers["MOrA"] = answer_of([ours, *arguments])
        figures = {}
        print(f"\n{name}\n{'':16}{'fit s':>10}{'forecast s':>12}{'peak MiB':>10}{'pinball 0.5':>14}{'all levels':>14}")
        for who, answer in answers.items():
            fit = statistics.median(run["fit_seconds"] for run in answer["runs"])
            forecast = statistics.median(run["forecast_seconds"] for run in answer["runs"])
            median, spread = losses(answer, series, days, a_day)
            figures[who] = (fit + forecast, answer["peak_kib"], median, spread)
            print(f"{who:16}{fit:10.4f}{forecast:12.4f}{answer['peak_kib'] / 1024:10.0f}{median:14.6f}{spread:14.6f}")
        mora = figures.pop("MOrA")
        for who, python in figures.items():
            faster, memory = python[0] / mora[0], mora[1] / python[1]
            worse = [100 * (mora[index] / python[index] - 1) for index in (2, 3)]
            print(f"MOrA beside {who}: {faster:.1f} times as fast in {memory:.2f} of the memory; its pinball loss differs")
            print(f"by {worse[0]:+.2f} % at the median and {worse[1]:+.2f} % over {', '.join(map(str, LEVELS))}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["python", path, slot, days, algorithm]:
            run_python(path, int(slot), int(days), algorithm)
        case ["compare", ours, path, days]:
            compare(ours, path, int(days))
        case _:
            print(__doc__, file=sys.stderr)
            sys.exit(2)
