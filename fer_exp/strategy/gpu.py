"""Training on one GPU."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fer_exp.errors import ConfigError
from fer_exp.fit import devices
from fer_exp.signature import NonNegativeInt
from fer_exp.strategy import configure

if TYPE_CHECKING:
    import tensorflow as tf


def glance(environment: Mapping[str, str], *, index: int, **others: Any) -> None:
    """Refuses a GPU that is certainly not there; see the contract."""
    most = devices.most_gpus(environment)
    if most is not None and index >= most:
        raise _none_such(index, most)


def build(*, index: NonNegativeInt, memory_growth: bool) -> "tf.distribute.Strategy":
    """Makes one GPU visible.

    Args:
        index: Which GPU, from 0.
        memory_growth: Take GPU memory as it is needed, so that several jobs can share the device.

    Raises:
        ConfigError: If there is no such GPU.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if index >= len(gpus):
        raise _none_such(index, len(gpus))
    configure(tf.config.set_visible_devices, gpus[index], "GPU")
    if memory_growth:
        configure(tf.config.experimental.set_memory_growth, gpus[index], True)
    return tf.distribute.get_strategy()


def _none_such(index: int, count: int) -> ConfigError:
    return ConfigError(
        [
            f"`strategy.index` must name one of the {count} GPUs TensorFlow sees. "
            f"Received: strategy.index={index}. Use strategy=cpu, "
            "or install the driver and `pip install fer-exp[gpu]`."
        ]
    )
