"""No augmentation: inputs and labels pass unchanged.

Called by `assembly` through `config.build`; the baseline to measure the other options against.
"""

import tensorflow as tf

from fer_exp.data.inputs import Specs
from fer_exp.fit.batch import Augment, Batch


def build(inputs: Specs) -> Augment:
    """Returns the identity as a batch function, see the contract in `fer_exp.augmentation`.

    Args:
        inputs: What a row consists of.
    """

    def augment(batch: Batch, labels: tf.Tensor, seed: tf.Tensor, progress: tf.Tensor) -> tuple[Batch, tf.Tensor]:
        return batch, labels

    return augment
