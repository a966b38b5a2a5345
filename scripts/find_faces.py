"""Measures how many faces the detector of `fer_exp.predict` finds, and writes the table of docs/predict.md.

    python scripts/find_faces.py --data data/fer2013.csv.gz
    python scripts/find_faces.py --data data/fer2013.csv.gz --images 20 --document try.md     a trial

Each picture is a face of the test split, enlarged and turned, on an even ground of its own mean. FER2013 was cropped by
a detector of the same kind, so upright faces are as easy as faces get: what the turned ones lose is what it measures.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from document import markdown, replace_section
from PIL import Image
from rich.progress import track
from studies import fer2013

from fer_exp.data.faces import search
from fer_exp.data.faces.search import Box
from fer_exp.dataset import Splits
from fer_exp.options import commandline, config

DOCUMENT = Path(__file__).parents[1] / "docs" / "predict.md"
SECTION = "faces"
SIZE, CANVAS, ANGLES = 160, (480, 360), (0, 10, 20, 30)
_SAME = 0.4  # intersection over union from which a box is that of the face: boxes of such detectors differ in margin


def placed(face: np.ndarray, angle: float, draw: np.random.Generator) -> tuple[Image.Image, Box]:
    """Returns a picture with a face somewhere in it, and where.

    Args:
        face: uint8 (height, width).
        angle: By which it is turned, in degrees.
        draw: Chooses the place.
    """
    ground = int(face.mean())
    crop = Image.fromarray(face).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    crop = crop.rotate(angle, Image.Resampling.BICUBIC, fillcolor=ground)
    x, y = (int(draw.integers(0, side - SIZE)) for side in CANVAS)
    picture = Image.new("L", CANVAS, ground)
    picture.paste(crop, (x, y))
    return picture, Box(x, y, SIZE, SIZE)


def overlap(one: Box, other: Box) -> float:
    """Returns the intersection of two boxes over their union."""
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    shared = max(0, width) * max(0, height)
    return shared / (one.width * one.height + other.width * other.height - shared)


def measure(faces: Sequence[np.ndarray], angle: float) -> dict[str, str]:
    """Returns a row of the table: what is found of faces turned by an angle, to either side in turn."""
    draw = np.random.default_rng(0)
    found, false, widths = 0, 0, []
    for number, face in enumerate(faces):
        picture, place = placed(face, angle if number % 2 else -angle, draw)
        boxes = search.boxes(picture)
        hits = [box for box in boxes if overlap(box, place) >= _SAME]
        found += bool(hits)
        false += len(boxes) - len(hits)
        widths += [box.width / SIZE for box in hits]
    return {
        "turned by": f"{angle}°",
        "faces found": f"{100 * found / len(faces):.0f} %",
        "false finds in 100 pictures": f"{100 * false / len(faces):.1f}",
        "width of the box, of the crop's": f"{np.median(widths):.2f}" if widths else "-",
    }


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="data/fer2013.csv.gz", help="csv of FER2013, with PublicTest rows")
    parser.add_argument("--images", type=int, default=400, help="faces, >= 1, spread over the test split")
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    options = parser.parse_args()
    if options.images < 1:
        parser.error(f"--images must be at least 1. Received: {options.images}.")
    words = fer2013(options.data)
    splits: Splits = config.build(commandline.composed(words)["dataset"])
    rows = np.unique(np.linspace(0, len(splits.test) - 1, options.images).round().astype(int))
    faces = list(splits.test.images[rows][:, :, :, 0])  # rows may lie on disk
    table = markdown(pd.DataFrame([measure(faces, angle) for angle in track(ANGLES, "angles", transient=True)]))
    print(table)
    command = f"`python scripts/find_faces.py`: {len(faces)} faces of {CANVAS[0]}x{CANVAS[1]} pictures"
    replace_section(options.document, SECTION, f"{table}\n\n{command}")


if __name__ == "__main__":
    main()
