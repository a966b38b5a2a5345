"""A small trained network and its file of every kind."""

from pathlib import Path

import keras
import numpy as np
import pytest
from contracts import node
from converted import KINDS, NAMES

from fer_exp import config
from fer_exp.lite.conversion import Traced


@pytest.fixture(scope="session")
def model() -> keras.Model:
    """A small CNN whose batch normalisation has seen data, so that its folding shows."""
    keras.utils.set_random_seed(0)
    built: keras.Model = config.build(node("model", "cnn", widths=[8, 8], head_units=64), (16, 16, 1), 3)
    for _ in range(5):
        built(np.random.default_rng(0).uniform(0, 255, (16, 16, 16, 1)).astype(np.float32), training=True)
    return built


@pytest.fixture(scope="session")
def images() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (20, 16, 16, 1), dtype=np.uint8)


@pytest.fixture(scope="session")
def files(model: keras.Model, images: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tflite")
    with Traced(model) as traced:
        for kind in KINDS:
            (folder / kind).write_bytes(traced.convert(kind, NAMES, images))
    return {kind: folder / kind for kind in KINDS}
