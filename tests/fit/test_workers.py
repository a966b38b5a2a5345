"""What `fit` needs on several machines leaves one machine alone; tests/strategy/test_multi_worker.py has real ones."""

import keras
import pytest
import tensorflow as tf

from fer_exp.errors import ClusterError
from fer_exp.fit import workers


def test_a_process_that_has_gone_away_is_told_in_one_line() -> None:
    with pytest.raises(ClusterError) as caught, workers.explained():
        raise tf.errors.UnavailableError(None, None, "Collective ops is aborted by: Socket closed")
    assert str(caught.value) == (
        "Another process of the cluster has ended or cannot be reached: see its output, and start all of them anew."
    )


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(tf.errors.InvalidArgumentError), workers.explained():
        raise tf.errors.InvalidArgumentError(None, None, "shapes")


def test_on_one_machine_nothing_changes() -> None:
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", "mse")
    workers.adapt(model, [])
    assert model.train_function is None
    assert "_maybe_symbolic_build" not in vars(model)
    workers.check_alike(tf.distribute.get_strategy(), "anything")
