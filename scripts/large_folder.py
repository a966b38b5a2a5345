"""How much time and memory a folder of very many small images takes, to load and to train on.

    python scripts/large_folder.py /tmp/many                          200,000 images of 48x48, then 300 steps
    python scripts/large_folder.py /tmp/many --images 1000000 --steps 1000

The folder is made if it is not there: drawn faces, each moved, mirrored, lit and blurred by JPEG in its own way. Each
row of the table is a process of its own. The highest memory (`ru_maxrss`) counts pages of the decoded file that the
system gives up when memory is wanted; the last column, at the end of the process, does not. Remove the folder yourself.
"""

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

# A child's highest memory begins with that of its parent, which therefore imports nothing large.
SIZE, BATCH, MOST_FACES = 48, 128, 7_000
PHASES = {
    "decode": "loading, decoding all",
    "memory": "loading, held in memory",
    "disk": "loading, left on disk",
    "train_memory": "training, held in memory",
    "train_disk": "training, left on disk",
}


def main() -> None:
    """Runs the command line."""
    arguments = _parser().parse_args()
    if arguments.phase == "make":
        _make(arguments.folder, arguments.images)
    elif arguments.phase:
        _measure(arguments)
    else:
        _measure_all(arguments.folder)


def _measure_all(folder: Path) -> None:
    """Runs the phases one after the other, each in a process of its own."""
    if not folder.exists():
        print(_run(folder, "make"), flush=True)
    print("| what | images | seconds | images/s | highest memory, MB | own memory at the end, MB |")
    print("|---|---|---|---|---|---|", flush=True)
    for phase in PHASES:
        print(_run(folder, phase), flush=True)


def _run(folder: Path, phase: str) -> str:
    environment = {"FER_EXP_CACHE": str(folder / ".cache"), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, __file__, *sys.argv[1:], "--phase", phase]
    done = subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[-1]


def _make(folder: Path, count: int) -> None:
    """Writes the images, in one folder for each expression."""
    import numpy as np
    from PIL import Image

    from fer_exp.data.emotions import EMOTIONS
    from fer_exp.options import commandline, config

    rng, started = np.random.default_rng(0), time.perf_counter()
    chosen = {
        **{"train_size": min(count, MOST_FACES), "val_size": 7, "test_size": 7, "image_size": SIZE},
        **{"difficulty": 0.3, "seed": 0, "cache_dir": str(folder.parent / "cache")},
    }
    drawn = config.build({**commandline.composed(["dataset=synthetic"])["dataset"], **chosen}).train
    for name in EMOTIONS:
        (folder / name).mkdir(parents=True)
    for number in range(count):
        row = number % len(drawn)
        face = np.roll(drawn.images[row, :, :, 0], rng.integers(-4, 5, 2), (0, 1))[:, :: rng.choice([1, -1])]
        lit = np.clip(face * rng.uniform(0.7, 1.3) + rng.normal(0, 4, face.shape), 0, 255).astype(np.uint8)
        Image.fromarray(lit).save(folder / EMOTIONS[drawn.labels[row]] / f"{number:07}.jpg", quality=85)
    print(f"{count:,} images written in {time.perf_counter() - started:.0f} s")


def _measure(arguments: argparse.Namespace) -> None:
    """Prints the row of one phase."""
    import sklearn.model_selection  # noqa: F401 (it takes seconds, which are not the images')

    from fer_exp.data import image_store
    from fer_exp.options import config

    if arguments.phase.endswith("disk"):
        image_store.IN_MEMORY_BYTES = 0
    values = _configuration(arguments.folder, arguments.model)
    began = time.perf_counter()
    splits = config.build(values["dataset"])
    images = len(splits.train) + len(splits.val) + len(splits.test)
    seconds = time.perf_counter() - began
    if arguments.phase.startswith("train"):
        images = arguments.steps * BATCH
        seconds = _train(values, splits, arguments.steps)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    own = int(status["RssAnon"].split()[0]) / 1000
    cells = [f"{images:,}", f"{seconds:.1f}", f"{images / seconds:,.0f}", f"{memory:,.0f}", f"{own:,.0f}"]
    print(f"| {PHASES[arguments.phase]} | {' | '.join(cells)} |")


def _configuration(folder: Path, model: str) -> dict[str, Any]:
    from fer_exp.options import commandline

    data = ["dataset=image_folder", f"dataset.path={folder}", "dataset.val=0.05", "dataset.test=0.05"]
    return commandline.composed([*data, f"model={model}", f"batch_size={BATCH}", f"dataset.image_size={SIZE}"])


def _train(values: dict[str, Any], splits: Any, steps: int) -> float:
    """Returns the seconds of some steps, without those that compile."""
    import keras

    from fer_exp.fit import assembly, fitting
    from fer_exp.fit.pipeline import training_batches
    from fer_exp.options import config

    experiment = config.check(values)
    parts = assembly.assemble(experiment, splits, assembly.prepare(experiment))
    batches = training_batches(
        splits.train, BATCH, seed=0, num_classes=len(splits.class_names), augment=parts.augment, class_weights=None,
        epochs=1,
    )  # fmt: skip
    model = fitting.fitted(parts.model, parts.objective)
    fitting.compile_for_training(model, config.build(experiment.optimizer, experiment.lr))
    marks: list[float] = []
    watch = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: marks.append(time.perf_counter()))
    model.fit(batches.take(steps + 10), callbacks=[watch], shuffle=False, verbose=0)
    return marks[-1] - marks[9]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the images are, or are made")
    parser.add_argument("--images", type=int, default=200_000, help="how many are made (default 200,000)")
    parser.add_argument("--steps", type=int, default=300, help="of training (default 300)")
    parser.add_argument("--model", default="cnn", help="what is trained (default cnn)")
    parser.add_argument("--phase", choices=("make", *PHASES), help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main()
