"""The CPU with as many threads as asked for, fixed at the first use of TensorFlow: tested in a process of its own."""

import subprocess
import sys

import pytest

from fer_exp.errors import ConfigError
from fer_exp.strategy import configure

PROGRAM = """
import tensorflow as tf
from fer_exp.options import config
from fer_exp.errors import ConfigError
node = {"_target_": "fer_exp.strategy.cpu.build"}
strategy = config.build(node, threads=1)
print(strategy.num_replicas_in_sync, tf.config.threading.get_intra_op_parallelism_threads())
tf.constant(1.0) + 1.0
config.build(node, threads=1)  # the same again, as another run in this process asks for it
print(len(tf.config.get_visible_devices("GPU")))
try:
    config.build(node, threads=2)
except ConfigError as error:
    print(error)
"""


def test_threads_are_set_and_can_be_asked_for_again_but_not_changed() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    devices_and_threads, gpus, refusal = done.stdout.strip().splitlines()
    assert devices_and_threads == "1 1"
    assert gpus == "0"
    assert refusal.startswith("`strategy` is fixed once a process has used TensorFlow (")
    assert refusal.endswith("): give each strategy its own command.")


def test_a_setting_that_comes_too_late_is_the_users_to_know() -> None:
    def too_late(value: int) -> None:
        raise RuntimeError(f"cannot be modified after initialization: {value}")

    with pytest.raises(ConfigError, match="after initialization: 3"):
        configure(too_late, 3)
