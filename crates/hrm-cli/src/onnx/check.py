"""Runs each segment of an exported model from the expected states, and prints how far its
outputs are from the expected ones: check.py MODEL.onnx EXPECTED.json

From its own states, rounding errors would be compared that many updates have amplified.
"""

import json
import sys

import numpy
import onnxruntime

OUTPUTS = ["logits", "q", "next_z_h", "next_z_l"]

model, expected = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
with open(expected) as file:
    expected = json.load(file)

shapes = {given.name: given.shape[1:] for given in session.get_inputs()}
n_puzzles = len(expected["puzzle_ids"])
inputs = {
    "tokens": numpy.array(expected["tokens"], numpy.int64).reshape(n_puzzles, -1),
    "puzzle_ids": numpy.array(expected["puzzle_ids"], numpy.int64),
}
inputs = {name: values for name, values in inputs.items() if name in shapes}
states = {name: numpy.zeros([n_puzzles, *shapes[name]], numpy.float32) for name in ["z_h", "z_l"]}
worst = 0.0
for segment in expected["segments"]:
    reset = numpy.array(segment["reset"], bool)
    found = session.run(OUTPUTS, {**inputs, **states, "reset": reset})
    wanted = {
        name: numpy.array(segment[name], numpy.float32).reshape(values.shape)
        for name, values in zip(OUTPUTS, found)
    }
    for name, values in zip(OUTPUTS, found):
        worst = max(worst, float(numpy.abs(values - wanted[name]).max()))
    states = {"z_h": wanted["next_z_h"], "z_l": wanted["next_z_l"]}
print(worst)
