"""What is trained with the rounding is kept where it is no worse on the validation images; else that is said."""

import logging
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from rich.console import Console

from fer_exp.assessment.metrics import evaluate
from fer_exp.data.inputs import Inputs
from fer_exp.dataset import Split, Splits
from fer_exp.errors import TrainingDivergedError
from fer_exp.export import Exportable, FineTune
from fer_exp.lite import conversion, litert, qat_file

NAMES = ("angry", "happy", "sad")


CENTRES = np.array([40, 120, 200])  # brightness of each class


def splits() -> Splits:
    """Brightness tells the class; the first pixel is always black."""
    rng = np.random.default_rng(0)

    def split(count: int) -> Split:
        labels = np.arange(count) % 3
        images = rng.integers(-10, 11, (count, 4, 4, 1)) + CENTRES[labels][:, None, None, None]
        images[:, 0, 0] = 0
        return Split.of_images(images.astype(np.uint8), labels)

    return Splits(split(96), split(60), split(6), NAMES, "0", "made in the test")


SPLITS = splits()


def loses_by_rounding() -> keras.Model:
    """Right about every image in float32.

    The weight of the black pixel makes the steps of the kernel so wide (20 / 127 = 0.157) that all others, 0.085, are
    rounded to nearly twice as much, and the class in the middle is taken for the brightest.
    """
    inputs = keras.Input((4, 4, 1))
    x = layers.Flatten()(layers.Rescaling(1 / 255)(inputs))
    x = layers.Dense(1, name="brightness")(x)
    model = keras.Model(inputs, layers.Dense(3, name="logits")(x))
    kernel = np.full((16, 1), 0.085, np.float32)
    kernel[0] = 20
    model.get_layer("brightness").set_weights([kernel, np.zeros(1, np.float32)])
    centres = 15 * 0.085 * CENTRES / 255
    model.get_layer("logits").set_weights(weights_of_last_layer(centres))
    return model


def exportable(fine_tune: FineTune) -> Exportable:
    model = loses_by_rounding()

    def predict(inputs: Inputs) -> np.ndarray:
        return np.asarray(keras.ops.softmax(model(inputs["image"].astype(np.float32), training=False)))

    evaluation = evaluate(predict(SPLITS.test.inputs), SPLITS.test.labels, NAMES)
    return Exportable(model, SPLITS, evaluation, predict, 0, fine_tune, {}, Console(record=True, width=200))


def weights_of_last_layer(centres: np.ndarray) -> list[np.ndarray]:
    """Of the parabolas -2 (x - centre)^2 around each centre, without the square that all of them share."""
    return [4 * centres[None], -2 * centres**2]


def learn(model: keras.Model, epochs: int, peak: float) -> None:
    """Learns in one step what there is to learn: where the classes lie, as the rounded kernel sees them."""
    brightness = keras.Model(model.inputs, model.get_layer("brightness").output)
    seen = np.asarray(brightness(SPLITS.train.images.astype(np.float32)))[:, 0]
    centres = np.array([seen[SPLITS.train.labels == label].mean() for label in range(3)])
    model.get_layer("logits").set_weights(weights_of_last_layer(centres))
    # The ranges follow, as they do in any training.
    for _ in range(300):
        model(SPLITS.train.images.astype(np.float32), training=True)


def rounded(source: Exportable) -> bytes:
    return conversion.convert(source.model, "int8", NAMES, SPLITS.train.inputs)


def val_accuracy(path: Path) -> float:
    return float(np.mean(litert.predict(path, SPLITS.val.inputs, 1).argmax(axis=1) == SPLITS.val.labels))


def test_training_with_the_rounding_wins_back_what_rounding_afterwards_loses(tmp_path: Path) -> None:
    source = exportable(learn)
    assert np.mean(source.predict(SPLITS.val.inputs).argmax(axis=1) == SPLITS.val.labels) == 1
    found = qat_file.write(
        source, rounded(source), SPLITS.train.inputs, tmp_path / "int8_qat.tflite", epochs=1, peak=0.1
    )
    assert found["trained"] == 1
    assert found["val_accuracy_post_training"] == pytest.approx(2 / 3)
    assert found["val_accuracy_qat"] > 0.9
    assert val_accuracy(tmp_path / "int8_qat.tflite") == found["val_accuracy_qat"]
    text = source.console.export_text()
    assert f"reached a validation accuracy of {found['val_accuracy_qat']:.4f}, rounding afterwards" in text


def spoil(model: keras.Model, epochs: int, peak: float) -> None:
    for variable in model.trainable_variables:
        variable.assign(np.zeros(variable.shape))


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
        source = exportable(tuning)
        found = qat_file.write(source, rounded(source), SPLITS.train.inputs, path, epochs=1, peak=0.1)
    assert found["trained"] == 0
    assert val_accuracy(path) == found["val_accuracy_post_training"]
    assert f"int8_qat is the file that was rounded after the training: {reason}" in caplog.text
