"""The data of a run: read, divided, and known to serve for all that follows. TensorFlow is not needed for that.

Called by `__main__` before TensorFlow is imported, so that a mistake in the data is told before that, and by
`experiment` where nobody has read them.
"""

import functools

from fer_exp.data import demands, folds, leaks, limits
from fer_exp.dataset import Splits
from fer_exp.options import config, recorded_config

_LEAST = 70  # images of a split that a trial of a few is taken from: all classes should be among them


def load(experiment: config.Experiment) -> Splits:
    """Reads the data set, divides it as the experiment asks, and looks for what would break later.

    Args:
        experiment: The checked configuration.

    Raises:
        DataError: If the data cannot be read, or do not serve.
        StorageError: If they can neither be kept in the cache nor be held in memory.
    """
    node = experiment.dataset
    batches = experiment.limit_batches or experiment.overfit_batches
    if batches and experiment.fold is None:  # which divides all images anew
        node = config.fewer(node, max(batches * experiment.batch_size, _LEAST))
    splits = demands.checked(folds.divide(config.build(node), experiment.folds, experiment.fold))
    which = {"dataset": experiment.dataset, "folds": experiment.folds, "fold": experiment.fold}
    arguments = functools.partial(recorded_config.as_typed, which)
    return limits.limit(leaks.checked(splits, experiment.strict, arguments), experiment)
