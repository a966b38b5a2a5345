"""A data set cut down for a look at whether everything runs, or whether a model can learn at all.

Called by `experiment` for the debug presets. It must not know a particular data set.
"""

import dataclasses

import numpy as np

from fer_exp import config
from fer_exp.dataset import Split, Splits


def limit(splits: Splits, experiment: config.Experiment) -> Splits:
    """Cuts the splits down for the debug presets, keeping every class as far as the number allows.

    Args:
        splits: The whole data set.
        experiment: Whose `limit_batches` and `overfit_batches` count.
    """
    batches = experiment.limit_batches or experiment.overfit_batches
    if batches is None:
        return splits
    few = [
        _first_of_each_class(split, batches * experiment.batch_size)
        for split in (splits.train, splits.val, splits.test)
    ]
    train, val, test = few if experiment.limit_batches else [few[0]] * 3
    return dataclasses.replace(splits, train=train, val=val, test=test)


def _first_of_each_class(split: Split, count: int) -> Split:
    """Takes the first images of every class in turn, `count` in all."""
    rank = np.empty(len(split), np.int64)
    for label in np.unique(split.labels):
        rows = np.flatnonzero(split.labels == label)
        rank[rows] = np.arange(len(rows))
    return split.take(np.sort(np.argsort(rank, kind="stable")[:count]))
