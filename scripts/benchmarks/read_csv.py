"""Reads a csv of FER2013 in one way and prints seconds and peak memory."""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np


def main() -> None:
    """Reads and prints."""
    kind, path, cache = sys.argv[1:]
    if kind == "pandas":
        import pandas as pd

        began = time.perf_counter()
        table = pd.read_csv(path)
        images = np.stack([np.array(row.split(" "), np.uint8).reshape(48, 48, 1) for row in table["pixels"]])
        labels = table["emotion"].to_numpy()
    else:
        from fer_exp.data import pixel_csv

        began = time.perf_counter()
        found, _ = pixel_csv.load(Path(path), "error", cache)
        images, labels = found.images, found.labels
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "rows": len(labels), "sum": int(images.sum())}))


if __name__ == "__main__":
    main()
