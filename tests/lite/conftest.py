"""A small trained network and its file of every kind."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from contracts import node
from converted import KINDS, NAMES, rows_of, small_model

from fer_exp.data.inputs import Specs, image
from fer_exp.lite.conversion import Traced
from fer_exp.options import config


@pytest.fixture(scope="session")
def model() -> keras.Model:
    """A small CNN whose batch normalisation has seen data, so that its folding shows."""
    keras.utils.set_random_seed(0)
    built: keras.Model = config.build(node("model", "cnn", widths=[8, 8], head_units=64), image((16, 16, 1)), 3)
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
            (folder / kind).write_bytes(traced.convert(kind, NAMES, {"image": images}))
    return {kind: folder / kind for kind in KINDS}


@pytest.fixture(scope="session")
def file_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Specs, str], Path]:
    """Returns the file of `converted.small_model`, float32 or int8, made when it is first asked for."""
    made: dict[tuple[str, ...], dict[str, Path]] = {}

    def get(specs: Specs, kind: str) -> Path:
        if tuple(specs) not in made:
            folder = tmp_path_factory.mktemp("other")
            made[tuple(specs)] = {name: folder / f"{name}.tflite" for name in ("float32", "int8")}
            with Traced(small_model(specs)) as traced:
                for name, path in made[tuple(specs)].items():
                    path.write_bytes(traced.convert(name, NAMES, rows_of(specs)))  # type: ignore[arg-type]
        return made[tuple(specs)][kind]

    return get
