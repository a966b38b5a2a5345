"""Every file is written, evaluated again, and reported with what was measured on it."""

import keras
import numpy as np
import pytest
from contracts import node

from fer_exp import config
from fer_exp.dataset import Split, Splits
from fer_exp.errors import ConfigError
from fer_exp.export import Exportable, Exported
from fer_exp.litert import Interpreter
from fer_exp.model_file import read_labels

NAMES = ("angry", "happy", "sad")
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def probabilities_and_labels() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.dirichlet(np.ones(3), 12), rng.integers(0, 3, 12)


@pytest.fixture(scope="module")
def exported(
    probabilities_and_labels: tuple[np.ndarray, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> list[Exported]:
    keras.utils.set_random_seed(0)
    probabilities, labels = probabilities_and_labels
    model = config.build(node("model", "cnn", widths=[4, 4], head_units=32), (16, 16, 1), 3)
    export = config.build(node("export", "tflite", kinds=["float32", "dynamic", "float32"], latency_calls=5))
    folder = tmp_path_factory.mktemp("run") / "tflite"
    split = Split(IMAGES, labels)
    splits = Splits(split, split, split, NAMES, "", "made here")
    found: list[Exported] = export(Exportable(model, splits, probabilities, 0, lambda *_: None), folder)
    return found


def test_each_kind_is_written_once_under_its_name_with_the_labels_inside(exported: list[Exported]) -> None:
    assert [(entry.kind, entry.path.name) for entry in exported] == [
        ("float32", "float32.tflite"),
        ("dynamic", "dynamic.tflite"),
    ]
    assert all(read_labels(entry.path) == NAMES for entry in exported)


def test_accuracy_and_agreement_are_those_of_the_file_itself(
    exported: list[Exported], probabilities_and_labels: tuple[np.ndarray, np.ndarray]
) -> None:
    probabilities, labels = probabilities_and_labels
    for entry in exported:
        answers = Interpreter(entry.path).predict(IMAGES).argmax(axis=1)
        assert entry.accuracy == np.mean(answers == labels)
        assert entry.agreement == np.mean(answers == probabilities.argmax(axis=1))


def test_size_and_latency_have_the_units_of_their_names(exported: list[Exported]) -> None:
    for entry in exported:
        assert entry.size_mb == entry.path.stat().st_size / 1e6
        assert 0 < entry.latency_ms_p50 <= entry.latency_ms_p95


def test_a_kind_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(
        ConfigError, match=r"`export.kinds.0` must be 'float32', 'float16', 'dynamic' or 'int8'. Received: .*'int4'"
    ):
        config.build(node("export", "tflite", kinds=["int4"]))
