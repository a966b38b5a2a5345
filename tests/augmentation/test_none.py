"""augmentation=none."""

import numpy as np
from augmentation_contract import run
from contracts import node

from fer_exp.data.inputs import image
from fer_exp.options import config

ROW = image((16, 16, 1))


def test_it_changes_nothing() -> None:
    images, labels = np.random.default_rng(0).random((3, 4, 4, 1), np.float32), np.eye(3, dtype=np.float32)
    new_images, new_labels = run(config.build(node("augmentation", "none"), ROW), images, labels, (0, 0))
    np.testing.assert_array_equal(new_images, images)
    np.testing.assert_array_equal(new_labels, labels)
