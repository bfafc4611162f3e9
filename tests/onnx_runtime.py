#!/usr/bin/env python3
"""Runs an exported LSTM in ONNX Runtime, as a check on the backend MOrA has built in.

Usage: onnx_runtime.py MODEL.onnx PROBE.json

PROBE.json has `window`, `ahead` and their shapes. Prints one JSON object: the version of ONNX Runtime, the shared
library it comes with (null where there is none), and the output as a flat list.
"""

import json
import pathlib
import sys

import numpy
import onnxruntime


def shipped_library():
    """The shared library inside the Python package."""
    folder = pathlib.Path(onnxruntime.__file__).parent / "capi"
    found = sorted(folder.glob("libonnxruntime.so*"))
    return str(found[0]) if found else None


def main(model, probe):
    with open(probe, encoding="utf-8") as file:
        probe = json.load(file)
    inputs = {
        name: numpy.array(probe[name], dtype=numpy.float32).reshape(probe[f"{name}_shape"])
        for name in ("window", "ahead")
    }
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, inputs)
    answer = {
        "version": onnxruntime.__version__,
        "library": shipped_library(),
        "output": output.flatten().tolist(),
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print("usage: onnx_runtime.py MODEL.onnx PROBE.json", file=sys.stderr)
        sys.exit(2)
    main(*sys.argv[1:])
