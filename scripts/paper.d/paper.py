"""Checks the numbers of the paper and builds it. `scripts/paper --help` says how; --check needs the standard library alone."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import prose
import tables

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / "docs/paper"
SOURCE = Path(os.environ.get("MORA_PAPER_SOURCE", OWN))
# Comparisons beside results.json, by the folder of results/ that has their runs; the runs on a cluster stay where they were made, since their
# configuration names its addresses.
BESIDE = {name: SOURCE / f"{name}.json" for name in ("cluster", "predicted")}
SCHEMA = "mora.dev/evaluation/v1"
WORDS = dict(zip("one two three four five six seven eight nine ten eleven twelve".split(), range(1, 13)), sixteen=16)


def say(text):
    print(f"paper: {text}", file=sys.stderr)


def read_json(path):
    """The document at `path`, in which no key stands twice and no number is infinite or none."""

    def once(pairs):
        keys = [key for key, _ in pairs]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise ValueError(f"{path}: {', '.join(sorted(twice))} twice")
        return dict(pairs)

    def refuse(word):
        raise ValueError(f"{path}: {word} is no number")

    return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once, parse_constant=refuse)


def squeezed(text):
    return re.sub(r"\s+", " ", text)


def stated(text):
    """The numbers that a passage states, written in digits or in words."""
    digits = {float(number.replace(",", "")) for number in re.findall(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?", text)}
    return digits | {float(WORDS[word]) for word in re.findall(r"[a-z]+", text.lower()) if word in WORDS}


def fact_faults(key, fact, references):
    """What is wrong with one fact: its source does not say it (any more)."""
    values = fact.get("values") or {"value": fact.get("value")}
    if "reference" in fact:
        return [] if fact["reference"] in references else [f"{key}: no reference {fact['reference']}"]
    source, quote = ROOT / fact.get("source", ""), squeezed(fact.get("quote", ""))
    if not source.is_file() or not quote:
        return [f"{key}: state an existing source and what it says, or a reference"]
    if quote not in squeezed(re.sub(r"(?m)^\s*//[/!]?", " ", source.read_text(encoding="utf-8"))):
        return [f"{key}: {fact['source']} does not say “{quote}” (any more)"]
    is_stated = lambda value: value in quote if isinstance(value, str) else value is not None and float(value) in stated(quote)
    wrong = {part: value for part, value in values.items() if not is_stated(value)}
    return [f"{key}: {part} is {value}, which the quoted passage does not state" for part, value in wrong.items()]


def used_facts(texts):
    """Keys of facts that the text asks for; a key may be put together, of which the fixed beginning counts."""
    return set(re.findall(r'(?:fact|fact-value)\(\s*"([\w.\-]+)', texts))


def reference_keys(text):
    return set(re.findall(r"(?m)^([\w\-]+):", text))


def check_texts():
    """What is wrong with the sources of the paper, and its facts."""
    sections = sorted((SOURCE / "sections").glob("*.typ")) + [SOURCE / "paper.typ"]
    helpers = [SOURCE / "compare.typ", SOURCE / "tables.typ"]
    allowed = prose.allowed((SOURCE / "allowed-numbers.txt").read_text(encoding="utf-8"))
    faults = []
    for path in sections + helpers:
        found = prose.numbers(path.read_text(encoding="utf-8"), allowed, numbers_in_code=path in helpers)
        faults += [f"{path.name}:{line}: {what}: a number by hand; insert it from the results or facts" for line, what in found]
    texts = "\n".join(path.read_text(encoding="utf-8") for path in sections + helpers)
    references = reference_keys((SOURCE / "references.yml").read_text(encoding="utf-8"))
    facts = read_json(SOURCE / "facts.json")["facts"]
    for key, fact in facts.items():
        faults += fact_faults(key, fact, references)
    used = used_facts(texts)
    faults += [f"facts.json: {key} is used nowhere" for key in sorted(facts) if not any(key == u or u.endswith(".") and key.startswith(u) for u in used)]
    cited = set(re.findall(r"@([\w\-]+)", texts))
    faults += [f"references.yml: {key} is cited nowhere" for key in sorted(references - cited)]
    return faults


def check_results(path):
    """What is wrong with the results as a document; what is missing in them the build finds."""
    if not path.is_file():
        return [f"{path} is missing; make it with `mora evaluate report`, see scripts/paper --help"]
    schema = read_json(path).get("schema")
    return [] if schema == SCHEMA else [f"{path}: schema is {schema}, not {SCHEMA}"]


def check_fresh(mora):
    """What of the committed results and figures is not what the tables of runs give."""
    if not (SOURCE / "results/results.parquet").is_file():
        return ["docs/paper/results has no table of runs; see scripts/paper --help"]
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "results"
        shutil.copytree(SOURCE / "results", made)
        faults = reported(mora, made, "results.json")
        for name, committed in BESIDE.items():
            if (made / name).is_dir():
                faults += reported(mora, made / name, committed.name)
        drawn = {path.name: path for path in (made / "figures").glob("*.svg")}
        for figure in sorted((SOURCE / "figures").glob("*.svg")):
            if figure.name in drawn and drawn[figure.name].read_bytes() != figure.read_bytes():
                faults.append(f"figures/{figure.name} is stale; copy it from the report")
        return faults


def reported(mora, runs, committed):
    """What is wrong with the committed comparison beside the one that is made from the folder `runs` anew."""
    report = [mora, "evaluate", "report", "--results", str(runs)]
    ended = subprocess.run(report, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        return [f"`mora evaluate report` failed: {ended.stderr.strip()}"]
    if read_json(runs / "comparison.json") != read_json(SOURCE / committed):
        return [f"{committed} is stale: the table of runs gives other numbers; copy comparison.json there"]
    return []


def documents():
    """The documents with tables of results: path, text as it is and as it has to be; ends the program where a table is gone."""
    try:
        comparisons = [read_json(OWN / f"{name}.json") for name in ("results", *BESIDE)]
        wanted = tables.tables(*comparisons)
        texts = {ROOT / name: (ROOT / name).read_text(encoding="utf-8") for name in wanted}
        return [(ROOT / name, texts[ROOT / name], tables.renewed(texts[ROOT / name], rows)) for name, rows in wanted.items()]
    except KeyError as missing:
        sys.exit(f"paper: a document has no table, or the results no key, {missing}; mend scripts/paper.d/tables.py or the document")
    except OSError as error:
        sys.exit(f"paper: {error}; the documents' tables are made of it")


def check_documents():
    """Which documents have other tables than the committed results give."""
    stale = [path for path, text, wanted in documents() if text != wanted]
    return [f"{path.relative_to(ROOT)}: its tables are stale; run scripts/paper --tables" for path in stale]


def build(results, to, pages):
    """Builds the paper of `results` into the folder `to`; ends the program where the compiler fails or warns."""
    import typst

    work = Path(tempfile.mkdtemp())
    try:
        shutil.copytree(SOURCE, work, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.parquet"))
        shutil.copyfile(results, work / "results.json")
        figures = ",".join(sorted(path.stem for path in (work / "figures").glob("*.svg")))
        inputs = {"figures": figures, "draft": "no" if results == SOURCE / "results.json" else "yes"}
        inputs["cluster"] = "yes" if all(path.is_file() for path in BESIDE.values()) else "no"
        inputs["validation"] = "yes" if (work / "results/validation.json").is_file() else "no"
        options = {"root": str(work), "ignore_system_fonts": True, "sys_inputs": inputs}
        to.mkdir(parents=True, exist_ok=True)
        compiler = lambda **more: typst.compile_with_warnings(str(work / "paper.typ"), **options, **more)
        _, warnings = compiler(output=str(to / "paper.pdf"), timestamp=0)
        for warning in warnings:
            say(f"warning: {warning.message}")
        if warnings:
            sys.exit("paper: the compiler warned")
        if pages:
            compiler(output=str(to / "page-{p}.png"), format="png", ppi=110.0)
    except typst.TypstError as error:
        say(error.diagnostic.strip())
        sys.exit(1)
    finally:
        shutil.rmtree(work)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--check", action="store_true")
    options.add_argument("--tables", action="store_true")
    options.add_argument("--mora")
    options.add_argument("--results", type=Path)
    options.add_argument("--to", type=Path, default=ROOT / "target/paper")
    options.add_argument("--pages", action="store_true")
    options = options.parse_args()
    if options.tables:
        for path, _, wanted in documents():
            path.write_text(wanted, encoding="utf-8")
        return
    results = options.results or SOURCE / "results.json"
    faults = check_texts() + check_results(results)
    for committed in filter(Path.is_file, BESIDE.values()):
        faults += check_results(committed)
    if SOURCE.resolve() == OWN:
        faults += check_documents()
    if options.mora:
        faults += check_fresh(options.mora)
    for fault in faults:
        say(fault)
    if faults:
        sys.exit(f"paper: {len(faults)} things to mend")
    if options.check:
        say("every number has a source")
        return
    build(results, options.to, options.pages)
    say(f"the paper: {options.to.resolve() / 'paper.pdf'}")


if __name__ == "__main__":
    main()
