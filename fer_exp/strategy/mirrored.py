"""Synchronous data parallelism: a replica of the model on each device, gradients summed at every step."""

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from fer_exp.errors import ConfigError
from fer_exp.fit.devices import most_gpus
from fer_exp.signature import PositiveInt
from fer_exp.strategy import configure

if TYPE_CHECKING:
    import tensorflow as tf


def glance(environment: Mapping[str, str], *, devices: int | None, **others: Any) -> None:
    """Refuses every GPU where there certainly is none; see the contract."""
    if most_gpus(environment) == 0:
        _check(devices, 0)


def build(*, devices: PositiveInt | None, synchronized_batch_norm: bool) -> "tf.distribute.Strategy":
    """Mirrors the model over GPUs, or over logical CPUs where there is no GPU.

    The batch size is global: each replica gets its even share of every batch, so a result does not depend on the
    number of devices, except through three things: batch normalisation, whose statistics are per replica unless
    synchronized; dropout, whose masks each replica draws for its own share; and the training images that do not divide
    by the replicas, which are left out, others in each epoch.

    Args:
        devices: Number of replicas, >= 1; null takes every GPU. Without a GPU the CPU is divided into that many
            logical devices, which tests the set-up but is not faster.
        synchronized_batch_norm: Normalise by the statistics of the whole batch instead of each replica's share: equal
            to one device, but slower; worth it where a share is small. Taken up where the model is built.

    Raises:
        ConfigError: If there are fewer GPUs than asked for, or none and `devices` is null.
    """
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    _check(devices, len(gpus))
    if gpus:
        return _mirror("GPU", devices or len(gpus))
    (cpu,) = tf.config.list_physical_devices("CPU")
    logical = [tf.config.LogicalDeviceConfiguration() for _ in range(devices or 1)]
    configure(tf.config.set_logical_device_configuration, cpu, logical)
    return _mirror("CPU", len(logical))


def _check(devices: int | None, gpus: int) -> None:
    """Refuses what so many GPUs cannot do; none and a number is a trial on logical CPUs."""
    if not gpus and devices is None:
        raise ConfigError(
            [
                "`strategy.devices` null takes every GPU, but TensorFlow sees none. Use strategy=cpu, or try the "
                "set-up on logical CPUs with strategy.devices=2."
            ]
        )
    if gpus and devices is not None and devices > gpus:
        raise ConfigError(
            [f"`strategy.devices` must be at most the {gpus} GPUs. Received: strategy.devices={devices}."]
        )


@cache
def _mirror(kind: str, devices: int) -> "tf.distribute.Strategy":
    import tensorflow as tf

    # One for all runs of a process: a second one would reuse the keys of the first one's collective operations.
    return tf.distribute.MirroredStrategy([f"{kind}:{index}" for index in range(devices)])
