"""fer_exp: config-driven experiments in facial-expression recognition."""

import os

from fer_exp.process import kernels, quiet

__version__ = "0.1.0"

# Here, because nothing of this package can import TensorFlow before.
kernels.choose(os.environ)
quiet.install(os.environ)
