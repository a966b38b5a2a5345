"""A metric of every epoch is one entry: it is measured, shown, kept and can choose the epoch."""

import io
from pathlib import Path

import keras
import pytest
from contracts import compose
from rich.console import Console
from small_trainings import PLAIN, SMALL_CNN, SPLITS

from fer_exp.fit import assembly, epoch_metrics, training
from fer_exp.fit.assembly import Fit
from fer_exp.fit.epoch_metrics import EpochMetric
from fer_exp.options import config


def test_the_names_are_those_that_can_be_monitored() -> None:
    assert epoch_metrics.recorded() == ("train/loss", "train/accuracy", "val/loss", "val/accuracy", "val/macro_f1")
    for name in epoch_metrics.recorded():
        config.check(compose(f"monitor={name}"))


@pytest.mark.parametrize("in_training", [False, True])
def test_a_new_entry_is_measured_and_shown(in_training: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def top_3(name: str, classes: int) -> keras.metrics.Metric:
        return keras.metrics.TopKCategoricalAccuracy(k=3, name=name)

    new = EpochMetric("top_3", "top 3", in_training=in_training, build=top_3)
    monkeypatch.setattr(epoch_metrics, "EPOCH_METRICS", (*epoch_metrics.EPOCH_METRICS, new))
    experiment = config.check(compose(*PLAIN, *SMALL_CNN, "epochs=1"))
    strategy = assembly.prepare(experiment)
    parts = assembly.assemble(experiment, SPLITS, strategy)
    text, logged = io.StringIO(), list[dict[str, float]]()
    screen = Console(file=text, width=200)
    found = training.train(
        Fit(experiment, SPLITS, strategy, parts, screen, tmp_path), "key", lambda metrics, epoch: logged.append(metrics)
    )
    assert found.history["val/top_3"].tolist() == [1.0]  # there are three classes
    assert ("train/top_3" in logged[0]) == in_training
    assert "macro-F1" in text.getvalue()
    assert text.getvalue().count("top 3 1.0000") == 1 + in_training
