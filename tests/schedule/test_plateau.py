"""A plain rate, so that Keras' callback may change it."""

import keras
import pytest
from contracts import node

from fer_exp.options import config


def test_the_rate_is_a_plain_number_and_the_callback_carries_the_options() -> None:
    options = {"monitor": "val/macro_f1", "factor": 0.3, "patience": 4, "min_delta": 0.01, "min_lr": 1e-6}
    schedule = config.build(node("schedule", "plateau", peak=0.5, **options), 100, 10)
    assert type(schedule.learning_rate) is float
    assert schedule.learning_rate == 0.5
    (callback,) = schedule.callbacks
    assert isinstance(callback, keras.callbacks.ReduceLROnPlateau)
    assert (callback.monitor, callback.mode) == ("val_macro_f1", "max")
    assert (callback.factor, callback.patience, callback.min_delta, callback.min_lr) == (0.3, 4, 0.01, 1e-6)


@pytest.mark.parametrize(
    ("monitor", "log", "mode"),
    [("val/loss", "val_loss", "min"), ("train/loss", "loss", "min"), ("train/accuracy", "accuracy", "max")],
)
def test_the_monitored_metric_is_watched_by_keras_name_and_in_its_direction(monitor: str, log: str, mode: str) -> None:
    (callback,) = config.build(node("schedule", "plateau", monitor=monitor), 100, 10).callbacks
    assert (callback.monitor, callback.mode) == (log, mode)
