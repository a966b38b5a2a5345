"""Mixing of the inputs and labels of a batch with one another: mixup and cutmix.

Called by the options of `fer_exp.augmentation` inside `tf.data`. Inputs are float32, as the contract of augmentations
says; labels float32 (batch, num_classes); shapes, ranges and the sum of every row of labels are kept. The partner of a
row is the row before it: the batch is shuffled anyway. All inputs of a row are mixed with those of the same partner, by
one share. Everything is stateless, as in `fer_exp.fit.image_ops`.
"""

import tensorflow as tf

from fer_exp.data.inputs import Specs
from fer_exp.fit.batch import Batch
from fer_exp.fit.image_ops import clip


def mix(
    batch: Batch, labels: tf.Tensor, seed: tf.Tensor, specs: Specs, *, mixup_alpha: float, cutmix_alpha: float
) -> tuple[Batch, tf.Tensor]:
    """Applies mixup or cutmix, whichever is on; if both are, each batch draws one of them.

    Args:
        batch: Each input by its name, float32 (batch, ...).
        labels: float32 (batch, num_classes).
        seed: int32 (2,).
        specs: What the inputs are.
        mixup_alpha: See `mixup`; 0 = off.
        cutmix_alpha: See `cutmix`; 0 = off.
    """
    if not (mixup_alpha and cutmix_alpha):
        return cutmix(*mixup(batch, labels, seed, specs, alpha=mixup_alpha), seed, specs, alpha=cutmix_alpha)
    choice_seed, mix_seed = tf.unstack(tf.random.split(seed, num=2))
    return tf.cond(
        tf.random.stateless_uniform([], choice_seed) < 0.5,
        lambda: mixup(batch, labels, mix_seed, specs, alpha=mixup_alpha),
        lambda: cutmix(batch, labels, mix_seed, specs, alpha=cutmix_alpha),
    )


def mixup(batch: Batch, labels: tf.Tensor, seed: tf.Tensor, specs: Specs, *, alpha: float) -> tuple[Batch, tf.Tensor]:
    """Replaces every row by share * row + (1 - share) * the row before it.

    The first row's partner is the last one; a batch of one row is its own partner and stays as it is.

    Args:
        batch: As of `mix`.
        labels: As of `mix`.
        seed: int32 (2,).
        specs: As of `mix`.
        alpha: Each row draws its own share from Beta(alpha, alpha).

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018, https://arxiv.org/abs/1710.09412.
    """
    if not alpha:
        return batch, labels
    own, other = tf.unstack(tf.random.stateless_gamma([2, tf.shape(labels)[0]], seed, alpha))
    # Both gammas can underflow to 0 where alpha is tiny; the share is then 0, as likely for such a Beta as 1.
    share = tf.math.divide_no_nan(own, own + other)[:, tf.newaxis]  # (batch, 1)

    def mixed(values: tf.Tensor) -> tf.Tensor:
        of_each = tf.reshape(share, [-1] + [1] * (values.shape.rank - 1))
        previous = tf.roll(values, 1, axis=0)
        return previous + of_each * (values - previous)

    previous_labels = tf.roll(labels, 1, axis=0)
    return (
        {name: clip(mixed(x), *specs[name].about.limits) for name, x in batch.items()},
        share * labels + (1.0 - share) * previous_labels,
    )


def cutmix(batch: Batch, labels: tf.Tensor, seed: tf.Tensor, specs: Specs, *, alpha: float) -> tuple[Batch, tf.Tensor]:
    """Replaces a part of every row by the same part of the row before it; labels follow its size.

    The part is a rectangle of an image, the same rectangle of all frames of a clip, and a stretch of a sound. Where a
    row has several inputs, the parts have one size and place, and the labels follow the first input.

    Args:
        batch: As of `mix`.
        labels: As of `mix`.
        seed: int32 (2,).
        specs: As of `mix`.
        alpha: The size of each part, before it is cut off at the border, is a share from Beta(alpha, alpha) of the
            image's area or the sound's length.

    Source: Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers", 2019,
        https://arxiv.org/abs/1905.04899.
    """
    if not alpha:
        return batch, labels
    count = tf.shape(labels)[0]
    area_seed, place_seed = tf.unstack(tf.random.split(seed, num=2))
    one, other = tf.unstack(tf.random.stateless_gamma([2, count, 1, 1, 1], area_seed, alpha))
    size = tf.math.divide_no_nan(one, one + other)  # (batch, 1, 1, 1), as a share of the whole
    centre = tf.random.stateless_uniform([2, count, 1, 1, 1], place_seed)
    parts = {name: _part(values, size, centre, specs[name].kind) for name, values in batch.items()}
    share = next(of_whole for _, of_whole in parts.values())
    return (
        {name: tf.where(parts[name][0], tf.roll(values, 1, axis=0), values) for name, values in batch.items()},
        (1.0 - share) * labels + share * tf.roll(labels, 1, axis=0),
    )


def _part(values: tf.Tensor, size: tf.Tensor, centre: tf.Tensor, kind: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns what is replaced, bool that broadcasts with the values, and its share of the whole, (batch, 1)."""
    if kind == "sound":
        samples = values.shape[1]
        moment = tf.range(samples, dtype=tf.float32) + 0.5  # (samples,)
        within = tf.abs(moment - centre[1, :, :, 0, 0] * samples) < 0.5 * size[:, :, 0, 0] * samples  # (batch, samples)
        return within, tf.reduce_mean(tf.cast(within, tf.float32), axis=1, keepdims=True)
    height, width = values.shape[-3:-1]
    side = tf.sqrt(size)  # of the rectangle, as a share of the image's sides
    y = tf.range(height, dtype=tf.float32)[:, tf.newaxis, tf.newaxis] + 0.5  # (height, 1, 1): centres of pixels
    x = tf.range(width, dtype=tf.float32)[:, tf.newaxis] + 0.5  # (width, 1)
    within = (tf.abs(y - centre[0] * height) < 0.5 * side * height) & (
        tf.abs(x - centre[1] * width) < 0.5 * side * width
    )  # (batch, height, width, 1)
    share = tf.reduce_mean(tf.cast(within, tf.float32), axis=[1, 2])  # (batch, 1)
    return (within[:, tf.newaxis] if kind == "clip" else within), share
