"""Training on the CPU."""

import tensorflow as tf

from fer_exp.signature import Threads
from fer_exp.strategy import configure


def build(*, threads: Threads | None) -> tf.distribute.Strategy:
    """Hides GPUs and sets the threads.

    Args:
        threads: Threads inside an operation, 1-4096; null uses every core.
    """
    configure(tf.config.set_visible_devices, [], "GPU")
    if threads is not None:
        configure(tf.config.threading.set_intra_op_parallelism_threads, threads)
    return tf.distribute.get_strategy()
