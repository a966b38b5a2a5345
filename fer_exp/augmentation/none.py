"""No augmentation: images and labels pass unchanged.

Called by `experiment` through `config.build`; the baseline to measure the other options against.
"""

from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from fer_exp.augmentation import Augment


def build() -> "Augment":
    """Returns the identity as a batch function, see the contract in `fer_exp.augmentation`."""

    def augment(
        images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, progress: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        return images, labels

    return augment
