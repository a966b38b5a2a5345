"""Operations on whole batches of images, out of which augmentations are made.

Called by the options of `fer_exp.augmentation` inside `tf.data`; knows no option file and no data set. Images are
float32 (batch, height, width, channels) in [0, 255]; every function keeps their shape, type and range, and works in
a graph where the batch size is unknown. Nothing runs image by image: `tf.map_fn` would cost a large part of a core.

The random functions are stateless: the same int32 (2,) seed and the same batch give the same result. A strength of
0 returns the input itself, so that an operation which is switched off costs nothing.
"""

import math

import tensorflow as tf

MAX_VALUE = 255.0
GREY_WEIGHTS = (0.299, 0.587, 0.114)  # red, green, blue: ITU-R BT.601 luma
OCCLUSION_ASPECT = 2.0  # the longer side of an occlusion over the shorter one, at most


def affine_transforms(
    height: int,
    width: int,
    *,
    rotation_degrees: tf.Tensor,
    zoom: tf.Tensor,
    shift_x: tf.Tensor,
    shift_y: tf.Tensor,
    flip: tf.Tensor,
) -> tf.Tensor:
    """Composes flip, rotation, zoom and shift, in this order and about the centre, into one matrix for each image.

    `ImageProjectiveTransformV3` maps output points to input points, so the composition is inverted: with the
    centre c = ((width - 1) / 2, (height - 1) / 2), output point p reads the image at
    c + Flip * Rotation^-1 * (p - c - shift) / zoom.

    Args:
        height: Height of the images in pixels.
        width: Width of the images in pixels.
        rotation_degrees: float32 (batch,), counter-clockwise as seen on the screen.
        zoom: float32 (batch,), > 1 enlarges what the image shows.
        shift_x: float32 (batch,), pixels to the right.
        shift_y: float32 (batch,), pixels downwards.
        flip: bool (batch,), whether left and right change places.

    Returns:
        float32 (batch, 8): a0, a1, a2, b0, b1, b2, 0, 0, where the input point of output point (x, y) is
        (a0 x + a1 y + a2, b0 x + b1 y + b2).
    """
    angle = rotation_degrees * (math.pi / 180.0)
    cosine, sine = tf.cos(angle) / zoom, tf.sin(angle) / zoom
    mirror = tf.where(flip, -1.0, 1.0)
    centre_x, centre_y = (width - 1) / 2.0, (height - 1) / 2.0
    moved_x, moved_y = centre_x + shift_x, centre_y + shift_y
    a0, a1 = mirror * cosine, -mirror * sine
    b0, b1 = sine, cosine
    a2 = centre_x - a0 * moved_x - a1 * moved_y
    b2 = centre_y - b0 * moved_x - b1 * moved_y
    zeros = tf.zeros_like(a0)
    return tf.stack([a0, a1, a2, b0, b1, b2, zeros, zeros], axis=1)  # (batch, 8)


def warp(images: tf.Tensor, transforms: tf.Tensor, fill_mode: str) -> tf.Tensor:
    """Resamples images bilinearly, each output point at the input point that its transform gives.

    Args:
        images: float32 (batch, height, width, channels).
        transforms: float32 (batch, 8), output-to-input mapping, see `affine_transforms`.
        fill_mode: Points outside the image: nearest (edge pixel), reflect or constant (black).
    """
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=images.shape[1:3],
        interpolation="BILINEAR",
        fill_mode=fill_mode.upper(),
        fill_value=0.0,
    )
    return clip(warped)  # interpolation weights add up to 1 only up to rounding


def random_affine(
    images: tf.Tensor,
    seed: tf.Tensor,
    *,
    rotation_degrees: float,
    shift: float,
    zoom: float,
    flip_probability: float,
    fill_mode: str,
) -> tf.Tensor:
    """Rotates, shifts, zooms and flips every image by its own uniform draws, in one resampling.

    Args:
        images: float32 (batch, height, width, channels).
        seed: int32 (2,).
        rotation_degrees: Largest rotation to either side.
        shift: Largest shift to every side, as a fraction of the image's width or height.
        zoom: The zoom factor is within 1 - zoom and 1 + zoom, the same for both axes.
        flip_probability: Share of images whose left and right change places.
        fill_mode: See `warp`.
    """
    if not (rotation_degrees or shift or zoom or flip_probability):
        return images
    height, width = images.shape[1:3]
    draws = tf.random.stateless_uniform([5, tf.shape(images)[0]], seed)  # (5, batch) in [0, 1)
    rotation, right, down, scale = tf.unstack(2.0 * draws[:4] - 1.0)
    transforms = affine_transforms(
        height,
        width,
        rotation_degrees=rotation_degrees * rotation,
        zoom=1.0 + zoom * scale,
        shift_x=shift * width * right,
        shift_y=shift * height * down,
        flip=draws[4] < flip_probability,
    )
    return warp(images, transforms, fill_mode)


def random_brightness_contrast(images: tf.Tensor, seed: tf.Tensor, *, brightness: float, contrast: float) -> tf.Tensor:
    """Stretches every image about its mean, then lightens or darkens it; values are clipped once, at the end.

    Args:
        images: float32 (batch, height, width, channels).
        seed: int32 (2,).
        brightness: Largest value added or subtracted, as a fraction of 255.
        contrast: The factor about the mean of all pixels and channels is within 1 - contrast and 1 + contrast.
    """
    if not (brightness or contrast):
        return images
    draws = tf.random.stateless_uniform([2, tf.shape(images)[0], 1, 1, 1], seed, -1.0, 1.0)
    factor = 1.0 + contrast * draws[0]  # (batch, 1, 1, 1)
    offset = brightness * MAX_VALUE * draws[1]
    if contrast:
        offset += (1.0 - factor) * tf.reduce_mean(images, axis=[1, 2, 3], keepdims=True)
        images *= factor
    return clip(images + offset)


def random_saturation(images: tf.Tensor, seed: tf.Tensor, *, saturation: float) -> tf.Tensor:
    """Blends every colour image with its grey version; images with one channel stay as they are.

    Args:
        images: float32 (batch, height, width, 1 or 3), three channels being red, green and blue.
        seed: int32 (2,).
        saturation: The result is grey + factor * (image - grey), the factor within 1 - saturation and
            1 + saturation.
    """
    if not saturation or images.shape[-1] == 1:
        return images
    factor = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed, 1.0 - saturation, 1.0 + saturation)
    grey = tf.reduce_sum(images * tf.constant(GREY_WEIGHTS), axis=-1, keepdims=True)  # one channel
    return clip(grey + factor * (images - grey))


def random_occlusion(
    images: tf.Tensor, seed: tf.Tensor, *, probability: float, min_area: float, max_area: float, fill: str
) -> tf.Tensor:
    """Covers a random rectangle of a share of the images.

    The covered area, the logarithm of the aspect and the position inside the image are uniform.

    Args:
        images: float32 (batch, height, width, channels).
        seed: int32 (2,).
        probability: Share of images that are covered.
        min_area: Smallest covered share of the image's area.
        max_area: Largest covered share; never exceeded, while `min_area` is missed by less than one row of
            pixels where no rectangle of whole pixels lies between the two.
        fill: mean (the image's own mean for each channel), noise (uniform for each value) or black.
    """
    if not (probability and max_area):
        return images
    rectangle_seed, noise_seed = tf.unstack(tf.random.split(seed, num=2))
    covered = _rectangles(images, rectangle_seed, probability, min_area, max_area)
    if fill == "noise":
        filling = tf.random.stateless_uniform(tf.shape(images), noise_seed, 0.0, MAX_VALUE)
    elif fill == "mean":
        filling = tf.reduce_mean(images, axis=[1, 2], keepdims=True)  # (batch, 1, 1, channels)
    else:
        filling = tf.zeros([])
    return tf.where(covered, filling, images)


def _rectangles(images: tf.Tensor, seed: tf.Tensor, probability: float, min_area: float, max_area: float) -> tf.Tensor:
    """Draws one rectangle an image and returns bool (batch, height, width, 1), True inside it."""
    height, width = images.shape[1:3]
    pixels = float(height * width)
    draws = tf.random.stateless_uniform([5, tf.shape(images)[0], 1, 1, 1], seed)  # (5, batch, 1, 1, 1)
    area = min_area + (max_area - min_area) * draws[0]
    # An aspect beyond 1 / area would make a side longer than the image's.
    widest = tf.minimum(math.log(OCCLUSION_ASPECT), -tf.math.log(area))
    aspect = tf.exp(widest * (2.0 * draws[1] - 1.0))  # share of the height over share of the width
    rows = tf.clip_by_value(tf.round(height * tf.sqrt(area * aspect)), 1.0, float(height))
    # Whole pixels: columns are chosen after rows are, so that rounding does not leave the bounds.
    columns = tf.maximum(tf.round(area * pixels / rows), tf.math.ceil(min_area * pixels / rows))
    columns = tf.minimum(columns, tf.minimum(tf.floor(max_area * pixels / rows), float(width)))
    columns = tf.where(draws[2] < probability, columns, 0.0)
    top = tf.floor(draws[3] * (height - rows + 1.0))
    left = tf.floor(draws[4] * (width - columns + 1.0))
    y = tf.range(height, dtype=tf.float32)[:, tf.newaxis, tf.newaxis]  # (height, 1, 1)
    x = tf.range(width, dtype=tf.float32)[:, tf.newaxis]  # (width, 1)
    return (y >= top) & (y < top + rows) & ((x >= left) & (x < left + columns))


def clip(values: tf.Tensor, low: float = 0.0, high: float = MAX_VALUE) -> tf.Tensor:
    """Returns the values within two limits, which are those of images if nobody says otherwise."""
    return tf.clip_by_value(values, low, high)
