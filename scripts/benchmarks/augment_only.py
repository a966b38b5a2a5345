"""Augments on one core for a while and prints images a second."""

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if sys.argv[1] != "ImageDataGenerator":
    import fer_exp  # noqa: F401  before TensorFlow, whose kernels it chooses
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {0})

import numpy as np
import tensorflow as tf

from benchmarks.samples import CLASSES, grey

SECONDS, BATCH = 3.0, 64


def main() -> None:
    """Augments and prints."""
    kind = sys.argv[1]
    images, labels = grey(1024)
    one_hot = np.eye(CLASSES, dtype=np.float32)[labels]
    if kind == "ImageDataGenerator":
        generator = tf.keras.preprocessing.image.ImageDataGenerator(
            rotation_range=15, width_shift_range=0.1, height_shift_range=0.1, zoom_range=0.1, horizontal_flip=True
        )
        batches = iter(generator.flow(images.astype(np.float32), one_hot, batch_size=BATCH))
    else:
        batches = iter(_project(kind, images, one_hot))
    next(batches)
    began, seen = time.perf_counter(), 0
    while time.perf_counter() - began < SECONDS:
        seen += len(next(batches)[1])
    print(json.dumps({"rate": seen / (time.perf_counter() - began)}))


def _project(kind: str, images: np.ndarray, one_hot: np.ndarray) -> tf.data.Dataset:
    import hydra
    from omegaconf import OmegaConf

    from fer_exp.dataset import Split
    from fer_exp.fit.pipeline import training_batches
    from fer_exp.options import config

    split = Split.of_images(images, one_hot.argmax(axis=1))

    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(config.CONF)):
        node = OmegaConf.to_container(hydra.compose("config", [f"augmentation={kind}"]).augmentation, resolve=True)
    return training_batches(
        split, BATCH, seed=0, num_classes=CLASSES, augment=config.build(node, split.specs), class_weights=None,
        epochs=1000,
    )  # fmt: skip


if __name__ == "__main__":
    main()
