"""Images are the same if their pixels are."""

import numpy as np

from fer_exp.data import duplicates

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 4, 4, 1), np.uint8)


def test_equal_images_have_equal_digests_and_others_do_not() -> None:
    found = duplicates.digests({"image": np.concatenate([IMAGES, IMAGES[2:3]])})
    assert found[6] == found[2]
    assert len(set(found.tolist())) == 6


def test_images_of_test_that_are_in_train_are_found() -> None:
    test = np.concatenate([IMAGES[5:], 255 - IMAGES[:2]])
    found, others = (duplicates.digests({"image": images}) for images in (test, IMAGES))
    assert duplicates.known(found, others).tolist() == [True, False, False]
