#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Neural networks that find the same two objects in every picture of 64x64, as ONNX files of a few hundred bytes, and what
# onnxinference has to know of them beside each (.modelinfo):
#
#   make_detector_models.py DIRECTORY
#
# yolo.onnx is for yolov8tensordec, ssd.onnx for ssdtensordec. The first object is a person with the confidence 0.875, from
# (16, 8) to (48, 24); the second a car with 0.75, from (4, 40) to (12, 56). labels.txt has the names of the classes.

import sys
from pathlib import Path

from onnx import TensorProto, checker, helper, save



def declared(name, dims):
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)


def constant(name, dims, values):
    value = helper.make_tensor(f"{name} value", TensorProto.FLOAT, dims, values)
    return helper.make_node("Constant", [], [name], value=value)


# As many of `name`'s columns as the picture has objects: both, for every picture. Nobody can know that beforehand, so the
# tensors have the dimension 0 for it, as ssdtensordec wants it.
def columns(name, dims, values):
    return [constant(f"all {name}", dims, values), helper.make_node("Compress", [f"all {name}", "found"], [name], axis=1)]


FOUND = [
    helper.make_node("ReduceMin", ["image"], ["darkest"], axes=[1, 2, 3], keepdims=0),
    constant("nothing", [1], [-1]),
    helper.make_node("Greater", ["darkest", "nothing"], ["any"]),
    helper.make_node("Concat", ["any", "any"], ["found"], axis=0),
]


# `outputs` are (name, tensor-id, declared dims, dims, values).
def write(path, group, order, image_dims, outputs):
    nodes = list(FOUND) if any("n" in output[2] for output in outputs) else []
    for name, _, declared_dims, dims, values in outputs:
        nodes += columns(name, dims, values) if "n" in declared_dims else [constant(name, dims, values)]
    graph = helper.make_graph(
        nodes,
        "detector",
        [declared("image", image_dims)],
        [declared(name, dims) for name, _, dims, _, _ in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    checker.check_model(model)
    save(model, str(path))

    def section(name, direction, dims, *more):
        numbers = ",".join(str(dim) if isinstance(dim, int) else "-1" for dim in dims)
        return "\n".join([f"[{name}]", f"dir={direction}", "type=float32", f"dims={numbers}", *more, ""])

    sections = [f"[modelinfo]\nversion=1.0\ngroup-id={group}\n", section("image", "input", image_dims, "ranges=0.0,1.0")]
    sections += [section(name, "output", dims, f"id={id}", f"dims-order={order}") for name, id, dims, _, _ in outputs]
    Path(f"{path}.modelinfo").write_text("\n".join(sections))


directory = Path(sys.argv[1])
# A row each of centre x, centre y, width, height, and the confidence in each class; a column for each object.
boxes = [[32, 8], [16, 48], [32, 8], [16, 16], [0.875, 0], [0, 0.75]]
write(
    directory / "yolo.onnx",
    "yolo-v8-out",
    "col-major",
    [1, 3, 64, 64],
    [("out", "yolo-v8-out", [1, 6, 2], [1, 6, 2], sum(boxes, []))],
)
# From top, left to bottom, right, in parts of the picture.
corners = [8 / 64, 16 / 64, 24 / 64, 48 / 64, 40 / 64, 4 / 64, 56 / 64, 12 / 64]
ssd = "ssd-mobilenet-v1-variant-1-out"
write(
    directory / "ssd.onnx",
    ssd,
    "row-major",
    [1, 64, 64, 3],
    [
        ("count", "generic-variant-1-out-count", [1], [1], [2]),
        ("scores", f"{ssd}-scores", [1, "n"], [1, 2], [0.875, 0.75]),
        ("boxes", f"{ssd}-boxes", [1, "n", 4], [1, 2, 4], corners),
        # Its first class is none.
        ("classes", f"{ssd}-classes", [1, "n"], [1, 2], [1, 2]),
    ],
)
(directory / "labels.txt").write_text("person\ncar\n")
