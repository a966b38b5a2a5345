"""One contender of a speed comparison, in a process of its own: it trains a stretch whenever it is told to.

    PYTHONPATH=scripts python -m benchmarks.contender --contender keras --net cnn --size 48 --batch 64

Called by `scripts/benchmark.py`, which starts all contenders of a comparison and lets them run in turn. Answers
`ready` once it is warm, then for each line on its standard input one line of JSON: images trained, seconds taken.
"""

import argparse
import contextlib
import importlib
import json
import os
import sys
from collections.abc import Callable

from benchmarks import avx2

Stretch = Callable[[], tuple[int, float]]
"""Trains some steps and returns the number of images it saw and the seconds it took."""

MODULES = {
    "fer_exp": "with_fer_exp",
    "fer_exp_bfloat16": "with_fer_exp",
    "fer_exp_eigen": "with_fer_exp",
    "fer_exp_light": "with_fer_exp",
    "fer_exp_strong": "with_fer_exp",
    "keras": "with_keras",
    "article_generator": "with_keras",
    "article_image_data_generator": "with_keras",
    "tf_keras": "with_tf_keras",
    "torch": "with_torch",
    "torch_channels_last": "with_torch",
    "bare_fit": "with_fer_exp",
    "framework_fit": "with_fer_exp",
    "head_each_step": "with_fer_exp",
    "head_cached": "with_fer_exp",
}


def main() -> None:
    """Builds the contender, warms it up, and obeys."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contender", required=True, choices=list(MODULES))
    parser.add_argument("--net", required=True, choices=["cnn", "mobilenet_v1", "mobilenet_v2", "fer_resnet"])
    parser.add_argument("--alpha", type=float, default=1.0)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--threads", type=int, default=0, help="0 leaves the library's own choice")
    parser.add_argument("--images", type=int, default=1024, help="images a stretch")
    parser.add_argument("--as-avx2", action="store_true", help="use AVX2 and nothing beyond, and prove it")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    answers = os.dup(1)  # libraries print to standard output too
    os.dup2(2, 1)
    with contextlib.redirect_stdout(sys.stderr):
        stretch = _made(arguments)
        stretch()
        stretch()
        os.write(answers, b"ready\n")
        for _ in sys.stdin:
            images, seconds = stretch()
            os.write(answers, (json.dumps({"images": images, "seconds": seconds}) + "\n").encode())


def _made(arguments: argparse.Namespace) -> Stretch:
    name = MODULES[arguments.contender]
    if arguments.contender == "fer_exp_eigen":
        os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"
    if arguments.as_avx2:
        avx2.impose(os.environ, plain_tensorflow=name in ("with_keras", "with_tf_keras"))
    module = importlib.import_module(f"benchmarks.{name}")
    if arguments.as_avx2:
        avx2.check("torch" if name == "with_torch" else "tensorflow")
    return module.make(arguments)


if __name__ == "__main__":
    main()
