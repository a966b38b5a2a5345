"""A data set cut down for a look at whether everything runs, or whether a model can learn at all.

Called by `loading` for the debug presets. It must not know a particular data set.
"""

import dataclasses

import numpy as np

from fer_exp.dataset import Split, Splits
from fer_exp.options import config


def limit(splits: Splits, experiment: config.Experiment) -> Splits:
    """Cuts the splits down for the debug presets, keeping every class and source as far as the number allows.

    Args:
        splits: The whole data set.
        experiment: Whose `limit_batches` and `overfit_batches` count.
    """
    batches = experiment.limit_batches or experiment.overfit_batches
    if batches is None:
        return splits
    few = [_first_of_each(split, batches * experiment.batch_size) for split in (splits.train, splits.val, splits.test)]
    train, val, test = few if experiment.limit_batches else [few[0]] * 3
    return dataclasses.replace(splits, train=train, val=val, test=test)


def _first_of_each(split: Split, count: int) -> Split:
    """Takes the first images of every class in turn, from each source in turn if there are several, `count` in all."""
    turn = np.empty(len(split), np.int64)
    sources = np.zeros(len(split), np.int64) if split.sources is None else split.sources
    for source in np.unique(sources):
        rows = np.flatnonzero(sources == source)
        turn[rows[_by_class(split.labels[rows])]] = np.arange(len(rows))
    return split.take(np.sort(np.lexsort((sources, turn))[:count]))


def _by_class(labels: np.ndarray) -> np.ndarray:
    """Returns the order that has the first image of every class before the second of any, int64 (n,)."""
    rank = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        rank[rows] = np.arange(len(rows))
    return np.argsort(rank, kind="stable")
