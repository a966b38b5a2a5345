"""Which images an epoch trains on: all of them once, or the classes more evenly.

Called by `pipeline`. An epoch has the same number of rows in any case, and follows from a seed alone. It must not know
images.

`balanced` draws every class equally often, `square_root` in proportion to the square root of its images. A class is
gone through as a whole, in another order each time, before one of its images comes again: in an epoch the images of a
class are drawn equally often, up to one time.

Source: Kang et al., "Decoupling representation and classifier for long-tailed recognition", 2020,
https://arxiv.org/abs/1910.09217 (instance-balanced, class-balanced and square-root sampling).
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
import tensorflow as tf

Sampling = Literal["natural", "balanced", "square_root"]
_POWER = {"balanced": 0.0, "square_root": 0.5}


def drawn(labels: np.ndarray, rows: int, how: Sampling) -> Callable[[tf.Tensor], tf.Tensor]:
    """Returns a function that draws the rows of an epoch, in order.

    Args:
        labels: int (n,), class of each row.
        rows: Of an epoch, 1 <= rows; at most n where every row is taken as it is.
        how: `natural`, `balanced` or `square_root`.

    Returns:
        Function of a seed, int32 (2,), that gives row numbers int32 (rows,).
    """
    if how == "natural":
        every = tf.range(len(labels))
        return lambda seed: tf.random.experimental.stateless_shuffle(every, seed=seed)[:rows]
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    wanted = quotas([len(of_class) for of_class in members], rows, _POWER[how])

    def draw(seed: tf.Tensor) -> tf.Tensor:
        chosen = [
            _repeated(of_class, count, tf.random.experimental.stateless_fold_in(seed, number))
            for number, (of_class, count) in enumerate(zip(members, wanted, strict=True), 1)
        ]
        return tf.random.experimental.stateless_shuffle(tf.concat(chosen, axis=0), seed=seed)

    return draw


def quotas(counts: list[int], rows: int, power: float) -> list[int]:
    """Divides the rows of an epoch among classes, in proportion to a power of their sizes.

    Args:
        counts: Rows of each class, each >= 1.
        rows: What there is to divide.
        power: 0 for equal shares, 1 for those that the classes have.

    Returns:
        Whole numbers with the sum `rows`; what rounding leaves over goes to the largest remainders.
    """
    shares = np.asarray(counts, float) ** power
    exact = rows * shares / shares.sum()
    whole = np.floor(exact).astype(int)
    for index in np.argsort(whole - exact, kind="stable")[: rows - int(whole.sum())]:
        whole[index] += 1
    return [int(count) for count in whole]


def _repeated(rows: np.ndarray, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Returns `count` rows: the given ones in one random order after the other."""
    passes = -(-count // len(rows))
    orders = tf.argsort(tf.random.stateless_uniform([passes, len(rows)], seed), axis=1, stable=True)
    return tf.reshape(tf.gather(tf.constant(rows, tf.int32), orders), [-1])[:count]
