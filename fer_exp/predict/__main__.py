"""Predicts the classes of faces in images, folders, CSV files and videos.

    python -m fer_exp.predict <run> photo.jpg                      the Keras model of a run, by the run's id
    python -m fer_exp.predict models:/fer@champion photos/         a registered model; `fer` alone means its champion
    python -m fer_exp.predict int8.tflite crops/ --faces none      an exported file, on pictures that are faces already
    python -m fer_exp.predict <run> fer2013.csv --file int8 --csv predictions.csv
    python -m fer_exp.predict <run> film.mp4 --every 5 --annotated seen/ tracking.uri=http://127.0.0.1:5000
A model of clips predicts the stretches of a video, each named by its last frame.

Exits with 0; with 1 if some inputs could not be read, the others being done; with 2 if nothing could be. `key=value`
are overrides as of `python -m fer_exp`.
"""

import argparse
import warnings
from pathlib import Path

from fer_exp.reporting import command, terminal


@command.framed
def main() -> int:
    """Runs the command line; exits with 0, 1 (some inputs could not be read), 2 or 4 (a user's error)."""
    warnings.filterwarnings("ignore", module="PIL")  # of damaged images, which are told anyway if they matter
    options = command.parsed(_parser())
    from fer_exp.predict import predicting

    return 1 if predicting.run(options, terminal.opened(140)) else 0


def _parser() -> argparse.ArgumentParser:
    parser = command.parser("fer_exp.predict", __doc__)
    add = parser.add_argument
    add("model", help="a run's id, models:/name@alias, models:/name/3, a registered name, or a .tflite file")
    add(
        "inputs",
        nargs="+",
        metavar="input | key=value",
        help="images, folders, CSV of FER2013, videos; tracking.uri=...",
    )
    add(
        "--file", metavar="NAME",
        help="which file of a run: keras, float32, int8 ...; default: float32 where it was proven equal, else keras",
    )  # fmt: skip
    add("--faces", choices=("haar", "none"), default="haar", help="find faces (default), or take pictures as faces")
    add(
        "--every", type=int, metavar="N",
        help="take each N-th frame of a video (default 1); of a model of clips: begin one there (default: half a clip)",
    )  # fmt: skip
    add("--top", type=int, default=3, metavar="K", help="name the K most probable classes (default 3)")
    add("--csv", type=Path, metavar="FILE", help="write all probabilities as CSV")
    add("--json", type=Path, metavar="FILE", help="write everything as JSON")
    add("--annotated", type=Path, metavar="FOLDER", help="write pictures and videos with boxes and classes")
    return parser


if __name__ == "__main__":
    main()
