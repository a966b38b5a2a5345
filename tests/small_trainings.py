"""What the tests of training share: a few images whose brightness tells the class, and a network that learns them."""

import keras
import numpy as np

from fer_exp.dataset import Split, Splits

NAMES = ("angry", "happy", "sad")
PLAIN = ("augmentation=none", "schedule=constant", "precision=float32", "batch_size=12")
SMALL_CNN = (
    "model.widths=[4,4]",
    "model.head_units=8",
    "model.batch_norm=false",
    "model.block_dropout=0.0",
    "model.head_dropout=0.0",
)
SMALL_MOBILENET = ("model=mobilenet_v1", "model.alpha=0.1", "model.input_size=32", "model.weights=null")


def make_splits(train: int = 24, size: int = 8) -> Splits:
    """Grey images whose brightness tells the class, with noise."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        labels = np.arange(count) % 3
        images = rng.integers(0, 60, (count, size, size, 1)) + 80 * labels[:, None, None, None]
        return Split.of_images(images.astype(np.uint8), labels)

    return Splits(split(train), split(15), split(3), NAMES, "0", "made in the test")


SPLITS = make_splits()


def evaluate(model: keras.Model, split: Split) -> tuple[float, float]:
    """Returns loss and accuracy, by NumPy."""
    logits = np.asarray(model(split.images.astype(np.float32), training=False))
    log_probabilities = logits - logits.max(axis=1, keepdims=True)
    log_probabilities -= np.log(np.exp(log_probabilities).sum(axis=1, keepdims=True))
    loss = -log_probabilities[np.arange(len(split)), split.labels].mean()
    return float(loss), float(np.mean(logits.argmax(axis=1) == split.labels))
