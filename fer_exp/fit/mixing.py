"""Mixing of the images and labels of a batch with one another: mixup and cutmix.

Called by the options of `fer_exp.augmentation` inside `tf.data`. Images are float32 (batch, height, width, channels) in
[0, 255], labels float32 (batch, num_classes); shapes, ranges and the sum of every row of labels are kept. The partner
of a row is the row before it: the batch is shuffled anyway. Everything is stateless, as in `fer_exp.fit.image_ops`.
"""

import tensorflow as tf

from fer_exp.fit.image_ops import clip


def mix(
    images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, *, mixup_alpha: float, cutmix_alpha: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Applies mixup or cutmix, whichever is on; if both are, each batch draws one of them.

    Args:
        images: float32 (batch, height, width, channels).
        labels: float32 (batch, num_classes).
        seed: int32 (2,).
        mixup_alpha: See `mixup`; 0 = off.
        cutmix_alpha: See `cutmix`; 0 = off.
    """
    if not (mixup_alpha and cutmix_alpha):
        return cutmix(*mixup(images, labels, seed, alpha=mixup_alpha), seed, alpha=cutmix_alpha)
    choice_seed, mix_seed = tf.unstack(tf.random.split(seed, num=2))
    return tf.cond(
        tf.random.stateless_uniform([], choice_seed) < 0.5,
        lambda: mixup(images, labels, mix_seed, alpha=mixup_alpha),
        lambda: cutmix(images, labels, mix_seed, alpha=cutmix_alpha),
    )


def mixup(images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, *, alpha: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Replaces every row by share * row + (1 - share) * the row before it.

    The first row's partner is the last one; a batch of one row is its own partner and stays as it is.

    Args:
        images: float32 (batch, height, width, channels).
        labels: float32 (batch, num_classes).
        seed: int32 (2,).
        alpha: Each row draws its own share from Beta(alpha, alpha).

    Source: Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018, https://arxiv.org/abs/1710.09412.
    """
    if not alpha:
        return images, labels
    own, other = tf.unstack(tf.random.stateless_gamma([2, tf.shape(images)[0]], seed, alpha))
    # Both gammas can underflow to 0 where alpha is tiny; the share is then 0, as likely for such a Beta as 1.
    share = tf.math.divide_no_nan(own, own + other)[:, tf.newaxis]  # (batch, 1)
    share_of_pixels = share[:, tf.newaxis, tf.newaxis]  # (batch, 1, 1, 1)
    previous_images, previous_labels = tf.roll(images, 1, axis=0), tf.roll(labels, 1, axis=0)
    return (
        clip(previous_images + share_of_pixels * (images - previous_images)),
        share * labels + (1.0 - share) * previous_labels,
    )


def cutmix(images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, *, alpha: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Replaces a rectangle of every image by the same rectangle of the row before it; labels follow the area.

    Args:
        images: float32 (batch, height, width, channels).
        labels: float32 (batch, num_classes).
        seed: int32 (2,).
        alpha: The area of each rectangle, before it is cut off at the border, is a share from Beta(alpha, alpha) of
            the image's.

    Source: Yun et al., "CutMix: Regularization Strategy to Train Strong Classifiers", 2019,
        https://arxiv.org/abs/1905.04899.
    """
    if not alpha:
        return images, labels
    height, width = images.shape[1:3]
    count = tf.shape(images)[0]
    area_seed, place_seed = tf.unstack(tf.random.split(seed, num=2))
    one, other = tf.unstack(tf.random.stateless_gamma([2, count, 1, 1, 1], area_seed, alpha))
    side = tf.sqrt(tf.math.divide_no_nan(one, one + other))  # of the rectangle, as a share of the image's sides
    centre = tf.random.stateless_uniform([2, count, 1, 1, 1], place_seed)
    y = tf.range(height, dtype=tf.float32)[:, tf.newaxis, tf.newaxis] + 0.5  # (height, 1, 1): centres of pixels
    x = tf.range(width, dtype=tf.float32)[:, tf.newaxis] + 0.5  # (width, 1)
    from_other = (tf.abs(y - centre[0] * height) < 0.5 * side * height) & (
        tf.abs(x - centre[1] * width) < 0.5 * side * width
    )  # (batch, height, width, 1)
    share = tf.reduce_mean(tf.cast(from_other, tf.float32), axis=[1, 2])  # (batch, 1)
    return (
        tf.where(from_other, tf.roll(images, 1, axis=0), images),
        (1.0 - share) * labels + share * tf.roll(labels, 1, axis=0),
    )
