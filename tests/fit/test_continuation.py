"""A training that is cut off after any epoch and continued ends bit for bit as one that was not."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest
from contracts import compose
from rich.console import Console
from small_trainings import SMALL_CNN, SPLITS
from tensorflow.python.framework.config import disable_op_determinism

from fer_exp.errors import StorageError
from fer_exp.fit import assembly, snapshot, training
from fer_exp.fit.assembly import Fit
from fer_exp.options import config

EVERYTHING_RANDOM = (
    *SMALL_CNN, "model.batch_norm=true", "model.block_dropout=0.2", "model.head_dropout=0.3", "augmentation=strong",
    "loss.class_weights=auto", "batch_size=12", "precision=float32", "seed=3", "deterministic=true", "epochs=5",
    "lr=1e-2",
)  # fmt: skip
KINDS = {
    "averaged weights and a cosine": ("optimizer=adamw", "optimizer.ema_momentum=0.7", "schedule=cosine"),
    "momentum and plateaus": (
        "optimizer=sgd", "schedule=plateau", "schedule.patience=1", "schedule.min_delta=1e9", "schedule.factor=0.5",
        "monitor=val/loss", "checkpoint.keep=best",
    ),
    "an early stop": ("early_stopping.patience=3", "early_stopping.min_delta=1e9", "monitor=val/loss"),
}  # fmt: skip
STAGED = (
    "model=mobilenet_v1", "model.alpha=0.1", "model.input_size=32", "model.weights=null", "finetune=staged",
    "augmentation=light", "batch_size=12", "precision=float32", "seed=3", "deterministic=true", "epochs=5", "lr=1e-3",
    "finetune.stages=[{name: head, unfreeze: 0.0, lr_scale: 1.0, epoch_share: 0.6, feature_views: 2}, "
    "{name: all, unfreeze: 1.0, lr_scale: 0.1, epoch_share: 0.4}]",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _leave_no_global_state() -> Iterator[None]:
    yield
    keras.mixed_precision.set_dtype_policy("float32")
    disable_op_determinism()


class CutOff(BaseException):
    """Stands for a kill right after an epoch was reported."""


def attempt(
    folder: Path, *overrides: str, die_after: int | None = None, key: str = "key"
) -> tuple[training.Trained | None, list[int]]:
    """Trains as `experiment` does; returns what was trained, if it came to an end, and the reported epochs."""
    experiment = config.check(compose(*overrides))
    strategy = assembly.prepare(experiment)
    parts = assembly.assemble(experiment, SPLITS, strategy)
    reported: list[int] = []

    def log_epoch(metrics: dict[str, float], epoch: int) -> None:
        reported.append(epoch)
        if epoch == die_after:
            raise CutOff

    try:
        return training.train(
            Fit(experiment, SPLITS, strategy, parts, Console(quiet=True), folder), key, log_epoch
        ), reported
    except CutOff:
        return None, reported


def assert_equal(one: training.Trained, other: training.Trained) -> None:
    for a, b in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    measured = [column for column in one.history.columns if column != "images_per_second"]
    assert one.history[measured].equals(other.history[measured])
    assert (one.stage_starts, one.best_epoch, one.best_value) == (
        other.stage_starts, other.best_epoch, other.best_value,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_it_ends_as_if_it_had_not_been_cut_off(kind: str, tmp_path: Path) -> None:
    overrides = (*EVERYTHING_RANDOM, *KINDS[kind])
    whole, epochs = attempt(tmp_path / "whole", *overrides)
    assert whole is not None
    for die_after in (1, 3):
        nothing, _ = attempt(tmp_path / "cut", *overrides, die_after=die_after)
        assert nothing is None
    continued, reported = attempt(tmp_path / "cut", *overrides)
    assert continued is not None
    assert reported == epochs
    assert_equal(continued, whole)


@pytest.mark.usefixtures("_tiny_backbone")
@pytest.mark.parametrize("die_after", [2, 3, 4])  # in a stage on cached features, between two stages, in the second
def test_stages_and_cached_features_go_on_where_they_were(die_after: int, tmp_path: Path) -> None:
    whole, _ = attempt(tmp_path / "whole", *STAGED)
    attempt(tmp_path / "cut", *STAGED, die_after=die_after)
    continued, _ = attempt(tmp_path / "cut", *STAGED)
    assert whole is not None
    assert continued is not None
    assert whole.stage_starts == [4]
    assert_equal(continued, whole)


def test_a_training_that_had_ended_is_not_trained_again(tmp_path: Path) -> None:
    overrides = (*EVERYTHING_RANDOM, "epochs=2", "early_stopping=null")
    whole, _ = attempt(tmp_path, *overrides)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / snapshot.FOLDER).iterdir()}
    again, reported = attempt(tmp_path, *overrides)
    assert whole is not None
    assert again is not None
    assert_equal(again, whole)
    assert reported == [1, 2]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / snapshot.FOLDER).iterdir()} == files


def test_a_damaged_snapshot_costs_one_epoch_and_changes_nothing(tmp_path: Path) -> None:
    overrides = (*EVERYTHING_RANDOM, "epochs=4", "early_stopping=null")
    whole, _ = attempt(tmp_path / "whole", *overrides)
    attempt(tmp_path / "cut", *overrides, die_after=3)
    last = tmp_path / "cut" / snapshot.FOLDER / "after-epoch-000003.npz"
    last.write_bytes(last.read_bytes()[:1000])
    continued, reported = attempt(tmp_path / "cut", *overrides)
    assert whole is not None
    assert continued is not None
    assert reported == [1, 2, 3, 4]
    assert_equal(continued, whole)


def test_snapshots_of_something_else_are_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    overrides = (*EVERYTHING_RANDOM, "epochs=2", "early_stopping=null")
    attempt(tmp_path, *overrides, die_after=1, key="other data")
    found, reported = attempt(tmp_path, *overrides)
    assert found is not None
    assert reported == [1, 2]
    assert "it belongs to another configuration or other data" in caplog.text


def test_a_snapshot_of_other_code_is_refused(tmp_path: Path) -> None:
    attempt(tmp_path, *EVERYTHING_RANDOM, die_after=1)
    with pytest.raises(StorageError, match=r"after epoch 1 does not fit the model.*resume=never"):
        attempt(tmp_path, *EVERYTHING_RANDOM, "model.head_units=9")
