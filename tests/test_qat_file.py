"""What is trained with the rounding is kept where it is no worse on the validation images; else that is said."""

import logging
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from rich.console import Console

from fer_exp import litert, qat_file
from fer_exp.dataset import Split, Splits
from fer_exp.errors import TrainingDivergedError
from fer_exp.export import Exportable, FineTune
from fer_exp.metrics import evaluate

NAMES = ("angry", "happy", "sad")


def splits() -> Splits:
    """Brightness tells the class, in steps of 20 of 255."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        labels = np.arange(count) % 3
        images = rng.integers(0, 10, (count, 4, 4, 1)) + 100 + 20 * labels[:, None, None, None]
        return Split(images.astype(np.uint8), labels)

    return Splits(split(96), split(60), split(6), NAMES, "0", "made in the test")


SPLITS = splits()


def loses_by_rounding() -> keras.Model:
    """Right about every image in float32; its answer lies in the last hundredth of a range that is mostly empty."""
    inputs = keras.Input((4, 4, 1))
    x = layers.Flatten()(layers.Rescaling(1 / 255)(inputs))
    x = layers.ReLU()(layers.Dense(2, name="wide")(x))
    model = keras.Model(inputs, layers.Dense(3, name="logits")(x))
    # One unit carries the brightness, the other a hundred times as much, of which nothing is read.
    kernel = np.full((16, 2), 1 / 16, np.float32)
    kernel[:, 1] *= 100
    model.get_layer("wide").set_weights([kernel, np.zeros(2, np.float32)])
    centres = (104.5 + 20 * np.arange(3)) / 255
    slopes = 400 * centres  # of the parabola around each centre, its square left out
    model.get_layer("logits").set_weights([np.stack([slopes, np.zeros(3)]).astype(np.float32), -200 * centres**2])
    return model


def exportable(fine_tune: FineTune) -> Exportable:
    model = loses_by_rounding()

    def predict(images: np.ndarray) -> np.ndarray:
        return np.asarray(keras.ops.softmax(model(images.astype(np.float32), training=False)))

    evaluation = evaluate(predict(SPLITS.test.images), SPLITS.test.labels, NAMES)
    return Exportable(model, SPLITS, evaluation, predict, 0, fine_tune, {}, Console(record=True, width=200))


def fit(model: keras.Model, epochs: int, peak: float) -> None:
    model.compile(keras.optimizers.Adam(peak), keras.losses.CategoricalCrossentropy(from_logits=True))
    images = SPLITS.train.images.astype(np.float32)
    model.fit(images, np.eye(3)[SPLITS.train.labels], batch_size=16, epochs=epochs, verbose=0)


def val_accuracy(path: Path) -> float:
    return float(np.mean(litert.predict(path, SPLITS.val.images, 1).argmax(axis=1) == SPLITS.val.labels))


def test_training_with_the_rounding_wins_back_what_rounding_afterwards_loses(tmp_path: Path) -> None:
    source = exportable(fit)
    assert np.mean(source.predict(SPLITS.val.images).argmax(axis=1) == SPLITS.val.labels) == 1
    found = qat_file.write(source, SPLITS.train.images, tmp_path / "int8_qat.tflite", epochs=30, peak=0.1)
    assert found["trained"] == 1
    assert found["val_accuracy_post_training"] < 0.9
    assert found["val_accuracy_qat"] > found["val_accuracy_post_training"] + 0.05
    assert val_accuracy(tmp_path / "int8_qat.tflite") == found["val_accuracy_qat"]
    text = source.console.export_text()
    assert f"reached a validation accuracy of {found['val_accuracy_qat']:.4f}, rounding afterwards" in text


def spoil(model: keras.Model, epochs: int, peak: float) -> None:
    model.set_weights([np.zeros_like(weight) for weight in model.get_weights()])


def diverge(model: keras.Model, epochs: int, peak: float) -> None:
    raise TrainingDivergedError("The loss became nan in epoch 1, step 2.")


@pytest.mark.parametrize(
    ("tuning", "reason"),
    [
        (spoil, "training with the rounding reached a validation accuracy of 0.3333, rounding afterwards 0."),
        (diverge, "training with the rounding failed. The loss became nan in epoch 1, step 2."),
    ],
)
def test_what_is_no_better_gives_way_to_rounding_afterwards_and_that_is_said(
    tuning: FineTune, reason: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "int8_qat.tflite"
    with caplog.at_level(logging.WARNING):
        found = qat_file.write(exportable(tuning), SPLITS.train.images, path, epochs=1, peak=0.1)
    assert found["trained"] == 0
    assert val_accuracy(path) == found["val_accuracy_post_training"]
    assert f"int8_qat is the file that was rounded after the training: {reason}" in caplog.text
