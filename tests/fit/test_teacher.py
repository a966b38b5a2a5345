"""Only a finished run whose model fits the data teaches; whatever is wrong is told by name."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from sklearn.metrics import f1_score

from fer_exp.dataset import Split, Splits
from fer_exp.distillation import Distillation
from fer_exp.errors import ConfigError
from fer_exp.fit import teacher
from fer_exp.tracking import Record

NAMES = ("angry", "happy", "sad")
GOOD, OTHER = "a" * 32, "b" * 32
RNG = np.random.default_rng(0)
SPLIT = Split.of_images(RNG.integers(0, 256, (12, 8, 8, 1), dtype=np.uint8), np.arange(12) % 3)
SPLITS = Splits(SPLIT, SPLIT, SPLIT, NAMES, "sha", "made here")
PLAIN = (5, None)


def record(**changes: Any) -> Record:
    found = Record(GOOD, "a run", "FINISHED", "0", 0, {"folds": "5", "fold": "None"}, {"data_sha256": "sha"}, {})
    return dataclasses.replace(found, **changes)


def a_model(size: int = 8, seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return keras.Sequential([keras.Input((size, size, 1)), keras.layers.Flatten(), keras.layers.Dense(3)])


class Store:
    """A tracker that holds runs as files."""

    uri = "sqlite:///somewhere.db"

    def __init__(self, folder: Path) -> None:
        self._folder, self._records = folder, {}

    def add(self, found: Record, model: keras.Model | None, names: tuple[str, ...] = NAMES) -> "Store":
        room = self._folder / found.run_id
        (room / "model").mkdir(parents=True)
        (room / "tables").mkdir()
        if model is not None:
            model.save(room / "model" / "model.keras")
        columns = ["row", "label", "prediction", *(f"p_{name}" for name in names)]
        (room / "tables" / "predictions.csv").write_text(",".join(columns) + "\n")
        self._records[found.run_id] = found
        return self

    def record(self, run_id: str) -> Record | None:
        return self._records.get(run_id)

    def download(self, run_id: str, path: str, folder: Path) -> Path | None:
        source = self._folder / run_id / path
        return Path(shutil.copy(source, folder)) if source.is_file() else None


def load(store: Store, *runs: str, splits: Splits = SPLITS, fold: tuple[int, int | None] = PLAIN) -> teacher.Teacher:
    return teacher.load(Distillation(runs, 2.0, 0.5), store, splits, fold)  # type: ignore[arg-type]


def refusal(store: Store, *runs: str, splits: Splits = SPLITS) -> str:
    with pytest.raises(ConfigError) as caught:
        load(store, *runs, splits=splits)
    return str(caught.value)


def test_the_models_of_runs_answer_frozen_and_as_they_were(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    models = [a_model(seed=1), a_model(seed=2)]
    store = Store(tmp_path).add(record(), models[0]).add(record(run_id=OTHER), models[1])
    found = load(store, GOOD, OTHER)
    assert (found.runs, found.temperature, found.weight) == ((GOOD, OTHER), 2.0, 0.5)
    images = SPLIT.images.astype(np.float32)
    for model, loaded in zip(models, found.models, strict=True):
        np.testing.assert_allclose(loaded(images), model(images), rtol=1e-6)
        assert loaded.trainable_variables == []
    assert caplog.messages == []


def test_what_the_teacher_reaches_on_validation_is_measured(tmp_path: Path) -> None:
    found = load(Store(tmp_path).add(record(), a_model()), GOOD)
    measures = teacher.measures(found, SPLIT, NAMES)
    logits = np.asarray(a_model()(SPLIT.images.astype(np.float32))).astype(np.float64)
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    answers = logits.argmax(axis=1)
    losses = -np.maximum(log_probabilities[np.arange(12), SPLIT.labels], np.log(1e-7))
    assert measures == {
        "teacher/val_accuracy": pytest.approx(np.mean(answers == SPLIT.labels)),
        "teacher/val_macro_f1": pytest.approx(f1_score(SPLIT.labels, answers, average="macro")),
        "teacher/val_loss": pytest.approx(losses.mean(), rel=1e-3),
    }


def test_a_run_that_is_not_there_not_finished_or_a_sweep_is_refused_and_all_are_told(tmp_path: Path) -> None:
    store = Store(tmp_path).add(record(status="RUNNING"), None)
    store.add(record(run_id=OTHER, tags={"sweep": "lr"}), None)
    rule = "`distillation.run` must be a finished run of one training in sqlite:///somewhere.db. Received: "
    assert refusal(store, GOOD, OTHER, "c" * 32).splitlines() == [
        f"{rule}{GOOD} (a run), which is RUNNING.",
        f"{rule}{OTHER} (a run), which is a sweep: name one or more of its runs.",
        f"{rule}{'c' * 32}, which is not there.",
    ]


def test_a_run_without_a_model_is_refused(tmp_path: Path) -> None:
    assert refusal(Store(tmp_path).add(record(), None), GOOD) == (
        f"`distillation.run` must have recorded model/model.keras, and has not. Received: {GOOD} (a run)."
    )


@pytest.mark.parametrize("names", [("angry", "sad", "happy"), ("angry", "happy"), ("angry", "happy", "neutral")])
def test_other_classes_or_another_order_of_them_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert refusal(Store(tmp_path).add(record(), a_model(), names), GOOD) == (
        "`distillation.run` must tell the classes of this data set apart, in their order: angry, happy, sad. "
        f"Its classes: {', '.join(names)}. Received: {GOOD} (a run)."
    )


def test_a_model_of_other_images_is_refused(tmp_path: Path) -> None:
    assert refusal(Store(tmp_path).add(record(), a_model(size=9)), GOOD) == (
        f"`distillation.run` must take image 8x8x1 as the data set has it; it takes 9x9x1. Received: {GOOD} (a run)."
    )


def test_a_model_that_brings_code_or_is_damaged_is_refused(tmp_path: Path) -> None:
    code = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Lambda(lambda x: x[:, :3])])
    store = Store(tmp_path).add(record(), code).add(record(run_id=OTHER), a_model())
    (tmp_path / OTHER / "model" / "model.keras").write_bytes(b"PK not a zip")
    lines = refusal(store, GOOD, OTHER).splitlines()
    rule = "`distillation.run` must have a model that Keras loads without running code; Keras says: "
    assert [line.startswith(rule) for line in lines] == [True, True]
    assert "Lambda" in lines[0]


@pytest.mark.parametrize(
    ("changes", "fold", "said"),
    [
        ({"tags": {"data_sha256": "another"}}, PLAIN, "was trained on other data than this run is"),
        ({"params": {"folds": "5", "fold": "0"}}, PLAIN, "was trained on another part of the data"),
        ({"params": {"folds": "5", "fold": "0"}}, (5, 1), "was trained on another part of the data"),
        ({"params": {"folds": "4", "fold": "1"}}, (5, 1), "was trained on another part of the data"),
        ({"params": {"folds": "5", "fold": "1"}}, (5, 1), ""),
        ({"params": {"folds": "4", "fold": "None"}}, PLAIN, ""),
    ],
)
def test_a_teacher_that_may_have_seen_the_validation_images_is_warned_about(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
    fold: tuple[int, int | None],
    said: str,
) -> None:
    load(Store(tmp_path).add(record(**changes), a_model()), GOOD, fold=fold)
    assert len(caplog.messages) == bool(said)
    assert said in caplog.text
