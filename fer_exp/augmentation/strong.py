"""Strong augmentation: geometry, light, colour, occlusion of a part of the face, and mixing of images.

Called by `assembly` through `config.build`. Mixing makes the labels soft, so that the loss has to take
probabilities.
"""

import functools
from typing import Literal

import tensorflow as tf

from fer_exp.augmentation import FillMode
from fer_exp.data.inputs import Specs
from fer_exp.errors import ConfigError
from fer_exp.fit import by_kind, image_ops, mixing
from fer_exp.fit.batch import Augment, Batch
from fer_exp.signature import Degrees, Fraction, NonNegativeFloat, OpenFraction


def build(
    inputs: Specs,
    *,
    rotation_degrees: Degrees,
    shift: OpenFraction,
    zoom: OpenFraction,
    flip_probability: Fraction,
    fill_mode: FillMode,
    brightness: Fraction,
    contrast: Fraction,
    saturation: Fraction,
    occlusion_probability: Fraction,
    occlusion_min_area: Fraction,
    occlusion_max_area: Fraction,
    occlusion_fill: Literal["mean", "noise", "black"],
    mixup_alpha: NonNegativeFloat,
    cutmix_alpha: NonNegativeFloat,
    mix_until: Fraction,
) -> Augment:
    """Returns the batch function, see the contract in `fer_exp.augmentation`.

    Args:
        inputs: What a row consists of; all frames of a clip are changed alike, sounds are only mixed.
        rotation_degrees: Largest rotation to either side about the centre, 0-180 degrees, 0 = off.
        shift: Largest shift to every side as a fraction of the image's width and height, 0 <= shift < 1,
            0 = off. Before a model that crops the centre, this is a random crop.
        zoom: Half-width of the zoom factor's range 1 - zoom ... 1 + zoom, 0 <= zoom < 1, 0 = off.
        flip_probability: Share of images mirrored left to right, 0-1, 0 = off.
        fill_mode: What lies outside the image: nearest (edge pixel), reflect or constant (black).
        brightness: Largest value added or subtracted as a fraction of 255, 0-1, 0 = off.
        contrast: Half-width of the range of the contrast factor about the image's mean, 0-1, 0 = off.
        saturation: Half-width of the range of the colour factor about the grey version, 0-1, 0 = off; images with
            one channel stay as they are.
        occlusion_probability: Share of images of which a random rectangle is covered, 0-1, 0 = off.
        occlusion_min_area: Smallest covered share of the image's area, 0-1, at most occlusion_max_area.
        occlusion_max_area: Largest covered share of the image's area, 0-1, 0 = off.
        occlusion_fill: What covers the rectangle: mean (the image's own), noise or black.
        mixup_alpha: Each image and label is mixed with another one's by a share from Beta(alpha, alpha),
            alpha >= 0, 0 = off.
        cutmix_alpha: A rectangle of each image, its area a share from Beta(alpha, alpha), is taken from another
            one, and the labels are mixed by area; alpha >= 0, 0 = off. With mixup on too, each batch draws
            one of the two.
        mix_until: Share of the training after which images are no longer mixed, 0-1; 1 mixes to the end.

    Raises:
        ConfigError: If occlusion_min_area exceeds occlusion_max_area.
    """
    if occlusion_min_area > occlusion_max_area:
        raise ConfigError(
            [
                "`occlusion_min_area` of augmentation=strong must be at most `occlusion_max_area`. Received: "
                f"occlusion_min_area={occlusion_min_area}, occlusion_max_area={occlusion_max_area}."
            ]
        )

    warp = functools.partial(
        image_ops.random_affine,
        rotation_degrees=rotation_degrees,
        shift=shift,
        zoom=zoom,
        flip_probability=flip_probability,
        fill_mode=fill_mode,
    )
    occlude = functools.partial(
        image_ops.random_occlusion,
        probability=occlusion_probability,
        min_area=occlusion_min_area,
        max_area=occlusion_max_area,
        fill=occlusion_fill,
    )

    def colour(images: tf.Tensor, of_light: tf.Tensor, of_colour: tf.Tensor) -> tf.Tensor:
        lit = image_ops.random_brightness_contrast(images, of_light, brightness=brightness, contrast=contrast)
        return image_ops.random_saturation(lit, of_colour, saturation=saturation)

    def augment(batch: Batch, labels: tf.Tensor, seed: tf.Tensor, progress: tf.Tensor) -> tuple[Batch, tf.Tensor]:
        # One seed an operation: switching one off leaves the draws of the others alone.
        seeds = tf.unstack(tf.random.split(seed, num=5))
        batch = by_kind.each_picture(batch, inputs, lambda images: warp(images, seeds[0]), "channels")
        batch = by_kind.each_picture(batch, inputs, lambda images: colour(images, seeds[1], seeds[2]), "rows")
        batch = by_kind.each_picture(batch, inputs, lambda images: occlude(images, seeds[3]), "channels")
        if not (mixup_alpha or cutmix_alpha):
            return batch, labels
        return tf.cond(
            progress < mix_until,
            lambda: mixing.mix(batch, labels, seeds[4], inputs, mixup_alpha=mixup_alpha, cutmix_alpha=cutmix_alpha),
            lambda: (batch, labels),
        )

    return augment
