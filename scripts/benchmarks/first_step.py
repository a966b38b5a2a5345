"""Runs the command line up to the end of the first training step, then stops; its wall time is the measurement."""

import fer_exp  # noqa: F401  before TensorFlow, whose kernels it chooses

# isort: split
import os
import sys

import keras

from fer_exp import __main__ as command_line

_fit = keras.Model.fit


class _StopAtOnce(keras.callbacks.Callback):
    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        """Ends the process without clearing up, which would be measured too."""
        os._exit(0)


def _fit_one_step(self: keras.Model, *arguments: object, **options: object) -> object:
    return _fit(self, *arguments, **{**options, "callbacks": [_StopAtOnce()]})


keras.Model.fit = _fit_one_step
sys.argv[0] = "fer_exp"
sys.exit(command_line.main())
