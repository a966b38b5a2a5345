"""Random images for the contenders: what is in them does not matter for speed."""

from pathlib import Path

import numpy as np

CLASSES = 7
ROWS = 4096
ROWS_OF_FER2013 = 35_887


def grey(rows: int = ROWS, size: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Returns uint8 (rows, size, size, 1) and int64 labels (rows,)."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (rows, size, size, 1), np.uint8), rng.integers(0, CLASSES, rows)


def pixel_strings(images: np.ndarray) -> list[str]:
    """Returns the images as the csv of FER2013 holds them."""
    return [" ".join(map(str, image.ravel().tolist())) for image in images]


def write_csv(path: Path, rows: int) -> Path:
    """Writes a csv as FER2013 comes, with as many rows as are asked for, and returns its path."""
    images, labels = grey(rows)
    strings = pixel_strings(images)
    usages = np.where(np.arange(rows) < 28_709, "Training", "PublicTest")
    with path.open("w") as file:
        file.write("emotion,pixels,Usage\n")
        file.writelines(
            f"{label},{pixels},{usage}\n" for label, pixels, usage in zip(labels, strings, usages, strict=True)
        )
    return path
