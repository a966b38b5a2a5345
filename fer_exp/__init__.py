"""fer_exp: config-driven experiments in facial-expression recognition."""

import os

from fer_exp.process import keras_state, kernels, quiet, telemetry, user

__version__ = "0.2.0"

# Here, because nothing of this package can import TensorFlow or MLflow before.
kernels.choose(os.environ)
quiet.install(os.environ)
telemetry.turn_off(os.environ)
user.name_if_unknown(os.environ)
keras_state.install(os.environ)
