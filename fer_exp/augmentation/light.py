"""Light augmentation: small rotations, shifts and zooms and a horizontal flip, in a single resampling.

Called by `assembly` through `config.build`. Labels pass unchanged.
"""

import functools

import tensorflow as tf

from fer_exp.augmentation import FillMode
from fer_exp.data.inputs import Specs
from fer_exp.fit import by_kind, image_ops
from fer_exp.fit.batch import Augment, Batch
from fer_exp.signature import Degrees, Fraction, OpenFraction


def build(
    inputs: Specs,
    *,
    rotation_degrees: Degrees,
    shift: OpenFraction,
    zoom: OpenFraction,
    flip_probability: Fraction,
    fill_mode: FillMode,
) -> Augment:
    """Returns the batch function, see the contract in `fer_exp.augmentation`.

    Args:
        inputs: What a row consists of; all frames of a clip are moved alike, sounds pass unchanged.
        rotation_degrees: Largest rotation to either side about the centre, 0-180 degrees, 0 = off.
        shift: Largest shift to every side as a fraction of the image's width and height, 0 <= shift < 1,
            0 = off.
        zoom: Half-width of the zoom factor's range 1 - zoom ... 1 + zoom, 0 <= zoom < 1, 0 = off.
        flip_probability: Share of images mirrored left to right, 0-1, 0 = off.
        fill_mode: What lies outside the image: nearest (edge pixel), reflect or constant (black).
    """
    warp = functools.partial(
        image_ops.random_affine,
        rotation_degrees=rotation_degrees,
        shift=shift,
        zoom=zoom,
        flip_probability=flip_probability,
        fill_mode=fill_mode,
    )

    def augment(batch: Batch, labels: tf.Tensor, seed: tf.Tensor, progress: tf.Tensor) -> tuple[Batch, tf.Tensor]:
        return by_kind.each_picture(batch, inputs, lambda images: warp(images, seed), "channels"), labels

    return augment
