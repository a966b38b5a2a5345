"""Keras' `fit` on several machines: the two places where Keras 3 does not manage MultiWorkerMirroredStrategy.

Called by `experiment` and `training`. Keras wants the mean of a whole batch and of the first axis of scalar logs, which
the strategy gives for single tensors and without an axis only. Everything else of `fit` works. It must not know models.
"""

import contextlib
import signal
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fer_exp.errors import ClusterError


def check_alike(strategy: tf.distribute.Strategy, identity: str) -> None:
    """Refuses a cluster whose processes do not do the same: each would train on a share of something else.

    Args:
        strategy: That of the training; without other processes there is nothing to check.
        identity: What has to be the same in all of them, at most 256 letters of ASCII.

    Raises:
        ClusterError: In all processes, if it is not.
    """
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return
    own = tf.constant([list(identity.ljust(256).encode())])  # (1, 256): collectives carry numbers only
    with explained():
        found = strategy.gather(own, axis=0)
    if len(np.unique(found, axis=0)) > 1:
        raise ClusterError("All processes of a cluster must be given the same command and the same data.")


def adapt(model: keras.Model, batches: Iterable[tuple[tf.Tensor, ...]]) -> None:
    """Makes a compiled model trainable by `fit` if it was made for several machines; others are left as they are.

    Args:
        model: Compiled, built under its strategy.
        batches: Training batches; the metrics are built for the shapes of the first one.
    """
    strategy = model.distribute_strategy
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return
    # With the strategy, TensorFlow takes SIGTERM for itself in a thread, and only notes it: Python takes it back.
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
    with strategy.scope():
        model._symbolic_build(data_batch=next(iter(batches)))
    model._maybe_symbolic_build = lambda **ignored: None  # done, and Keras' own fails
    model.train_function = _function(strategy, model.train_step)
    model.test_function = _function(strategy, model.test_step)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Turns TensorFlow's error about a process that has gone away into one line.

    Raises:
        ClusterError: If that is what happened.
    """
    try:
        yield
    except tf.errors.UnavailableError as error:
        raise ClusterError(
            "Another process of the cluster has ended or cannot be reached: see its output, and start all of them anew."
        ) from error


def _function(strategy: tf.distribute.Strategy, step: Callable[..., dict[str, tf.Tensor]]) -> Callable[..., Any]:
    """Returns what Keras calls for each step, with logs that are the same on all machines."""

    def run(iterator: Any) -> dict[str, tf.Tensor]:
        logs = strategy.run(step, args=(next(iterator),))
        # The loss of one machine alone would let only that one stop at a NaN, and the others wait for it.
        return {name: strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    return tf.function(run, reduce_retracing=True)
