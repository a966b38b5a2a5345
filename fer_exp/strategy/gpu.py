"""Training on one GPU."""

import tensorflow as tf

from fer_exp.errors import ConfigError
from fer_exp.signature import NonNegativeInt
from fer_exp.strategy import configure


def build(*, index: NonNegativeInt, memory_growth: bool) -> tf.distribute.Strategy:
    """Makes one GPU visible.

    Args:
        index: Which GPU, from 0.
        memory_growth: Take GPU memory as it is needed, so that several jobs can share the device.

    Raises:
        ConfigError: If there is no such GPU.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if index >= len(gpus):
        raise ConfigError(
            [
                f"`strategy.index` must name one of the {len(gpus)} GPUs TensorFlow sees. "
                f"Received: strategy.index={index}. Use strategy=cpu, "
                "or install the driver and `pip install fer-exp[gpu]`."
            ]
        )
    configure(tf.config.set_visible_devices, gpus[index], "GPU")
    if memory_growth:
        configure(tf.config.experimental.set_memory_growth, gpus[index], True)
    return tf.distribute.get_strategy()
