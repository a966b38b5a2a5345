"""Synchronous data parallelism on several machines: the same command on each, TF_CONFIG says which one it is."""

import os
from functools import cache

import tensorflow as tf

from fer_exp.fit import cluster


def build(*, synchronized_batch_norm: bool) -> tf.distribute.Strategy:
    """Mirrors the model over the GPUs of all machines, or over their CPUs where there are none.

    The batch size is global, as with strategy=mirrored, and what is said there of equal results holds here. All
    processes read the same data and compute the same numbers; the first one alone writes files and logs.

    Args:
        synchronized_batch_norm: Normalise by the statistics of the whole batch instead of each replica's share: equal
            to one device, but slower. Taken up where the model is built.

    Raises:
        ConfigError: If TF_CONFIG is not set or not complete.
    """
    cluster.place(os.environ)
    return _strategy()


@cache
def _strategy() -> tf.distribute.Strategy:
    # One for all runs of a process, as in `mirrored`; it waits until all processes are there.
    return tf.distribute.MultiWorkerMirroredStrategy()
