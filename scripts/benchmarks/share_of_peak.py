"""Measures the matrix-multiply peak, the rate of each net, and from TensorFlow's profiler where its time goes.

python -m benchmarks.share_of_peak <repetitions> float32 [mixed_bfloat16]
"""

import fer_exp  # noqa: F401  before TensorFlow, whose kernels it chooses

# isort: split
import argparse
import json
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks import with_fer_exp

NETS = [
    ("cnn", 48, 1.0, "float32"),
    ("fer_resnet", 48, 1.0, "float32"),
    ("fer_resnet", 48, 1.0, "mixed_bfloat16"),
    ("mobilenet_v2", 96, 1.0, "float32"),
    ("mobilenet_v2", 96, 0.35, "float32"),
]
BATCH = 128
KINDS = {  # the first pattern that an operation's name matches
    "depthwise": r"DepthwiseConv",
    "convolution": r"Conv2D|MklConv",
    "matrix multiply": r"MatMul",
    "batch norm": r"BatchNorm",
    "optimizer": r"ResourceApply|Assign|ReadVariable",
    "relu and pooling": r"Relu|Pool",
}


def matmul_peak(dtype: tf.DType) -> float:
    """Returns the best of many rates of a large matrix multiply, in GFLOP/s."""
    side = 2048
    matrix = tf.cast(tf.random.normal([side, side]), dtype)
    multiply = tf.function(lambda: tf.matmul(matrix, matrix))
    multiply()
    best = np.inf
    for _ in range(20):
        began = time.perf_counter()
        multiply().numpy()
        best = min(best, time.perf_counter() - began)
    return 2 * side**3 / best / 1e9


def time_by_kind(folder: Path) -> dict[str, float]:
    """Returns each kind's share of the time that operations took, from a profile."""
    spent: Counter[str] = Counter()
    for path in folder.rglob("*.xplane.pb"):
        space = xplane_pb2.XSpace()
        space.ParseFromString(path.read_bytes())
        for plane in space.planes:
            if not plane.name.startswith("/host:CPU"):
                continue
            for line in plane.lines:
                for event in line.events:
                    name = plane.event_metadata[event.metadata_id].name
                    # Operations are recorded as `name:Type`; the eager context and the executors around them are not.
                    operation = re.fullmatch(r"[\w/.]+:(\w+)", name)
                    if operation:
                        kind = next((k for k, p in KINDS.items() if re.search(p, operation[1])), "all else")
                        spent[kind] += event.duration_ps
    total = sum(spent.values())
    return {kind: spent[kind] / total for kind in [*KINDS, "all else"]}


def measure(
    net: str, size: int, alpha: float, precision: str, repetitions: int, peaks: dict[str, float]
) -> dict[str, str]:
    """Returns a row of the table."""
    keras.backend.clear_session()
    kind = "fer_exp_bfloat16" if precision == "mixed_bfloat16" else "fer_exp"
    arguments = argparse.Namespace(
        contender=kind, net=net, size=size, alpha=alpha, batch=BATCH, threads=0, images=BATCH * 4
    )
    experiment, splits, parts = with_fer_exp.assemble(arguments)
    stretch = with_fer_exp.train_with(arguments, experiment, splits, parts)
    stretch()
    rates = []
    for _ in range(repetitions):
        images, seconds = stretch()
        rates.append(images / seconds)
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        stretch()
        tf.profiler.experimental.stop()
        shares = time_by_kind(Path(folder))
    rate = float(np.median(rates))
    # A step is a forward pass and two more of its size backward; a multiply-add is two operations.
    gflops = 6 * parts.multiply_adds * rate / 1e9
    name = net if net in ("cnn", "fer_resnet") else f"{net} {alpha:g}, {size} px"
    return {
        "net": name,
        "precision": precision,
        "images/s": f"{rate:.0f}",
        "GFLOP/s": f"{gflops:.0f}",
        "of the peak": f"{gflops / peaks[precision]:.0%}",
        **{kind: f"{share:.0%}" for kind, share in shares.items()},
    }


def main() -> None:
    """Prints the rows as JSON, the peak first."""
    repetitions, precisions = int(sys.argv[1]), sys.argv[2:]
    dtypes = {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16}
    peaks = {precision: matmul_peak(dtypes[precision]) for precision in precisions}
    rows = [
        {"net": "2048 x 2048 matrix multiply", "precision": precision, "GFLOP/s": f"{peak:.0f}", "of the peak": "100%"}
        for precision, peak in peaks.items()
    ]
    rows += [measure(*net, repetitions, peaks) for net in NETS if net[-1] in precisions]
    print(json.dumps([{key: row.get(key, "") for key in rows[-1]} for row in rows]))


if __name__ == "__main__":
    main()
