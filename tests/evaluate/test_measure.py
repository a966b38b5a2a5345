"""A model answers a split: classes by name, other classes told or left out, images made as it takes them."""

import numpy as np
import pytest
from answers import NAMES
from made_run import SHAPE

from fer_exp.dataset import Split, Splits
from fer_exp.errors import DataError
from fer_exp.evaluate import measure
from fer_exp.trained import Classifier

FER_PLUS = ("anger", "happiness", "sadness")


def classifier(names: tuple[str, ...], rows: np.ndarray) -> Classifier:
    return Classifier("made", SHAPE, names, lambda images: rows[: len(images)], None, None, "made")


def splits(names: tuple[str, ...], labels: list[int]) -> Splits:
    split = Split(np.zeros((len(labels), *SHAPE), np.uint8), np.array(labels))
    return Splits(split, split, split, names, "0" * 64, "drawn")


def test_classes_are_matched_by_name_whatever_their_order() -> None:
    rows = np.array([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2]], np.float32)  # sad, then angry
    found = measure.measure(classifier(("sad", "angry", "happy"), rows), splits(NAMES, [2, 0]), "test", False)
    assert found.evaluation.class_names == NAMES
    assert found.evaluation.accuracy == 1.0
    np.testing.assert_allclose(found.evaluation.probabilities[0], [0.2, 0.1, 0.7])


def test_an_expression_is_the_same_class_in_any_spelling() -> None:
    rows = np.array([[0.7, 0.2, 0.1], [0.1, 0.7, 0.2]], np.float32)  # sad, then angry
    found = measure.measure(classifier(("sad", "angry", "Happy"), rows), splits(FER_PLUS, [2, 0]), "test", False)
    assert found.evaluation.class_names == FER_PLUS
    assert found.evaluation.accuracy == 1.0
    assert found.columns == (1, 2, 0)
    assert found.notes == (
        "classes of the model, and what the data call them: angry (anger), Happy (happiness), sad (sadness)",
    )
    alike = measure.measure(classifier(("sad", "Sad", "angry"), rows), splits(("Sad", "angry"), [1]), "test", True)
    assert alike.columns == (1, 2)


def test_other_classes_are_an_error_that_names_them_unless_only_the_common_ones_are_asked_for() -> None:
    rows = np.array([[0.5, 0.3, 0.2], [0.0, 0.0, 1.0], [0.1, 0.6, 0.3]], np.float32)
    model, data = classifier(("angry", "happy", "fear"), rows), splits(NAMES, [0, 0, 1])
    with pytest.raises(DataError) as caught:
        measure.measure(model, data, "test", False)
    assert str(caught.value) == (
        "`dataset` must have the classes of the model. Received: drawn; only the data have sad, only the model has "
        "fear: --common evaluates those that both have."
    )
    found = measure.measure(model, data, "test", True)
    assert found.evaluation.class_names == ("angry", "happy")
    np.testing.assert_allclose(found.evaluation.probabilities, [[0.625, 0.375], [0.5, 0.5], [1 / 7, 6 / 7]], rtol=1e-5)
    assert found.notes == (
        "only the shared classes angry, happy are evaluated; 0 images of others are left out",
        "for 1 images the model gave no shared class any probability; all count the same there",
    )


def test_images_of_classes_that_the_model_does_not_know_are_left_out_with_common() -> None:
    rows = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    found = measure.measure(classifier(("angry", "happy"), rows), splits(NAMES, [0, 2, 1]), "test", True)
    assert len(found.evaluation) == 2
    assert found.notes[0].endswith("1 images of others are left out")
    with pytest.raises(DataError, match="holds no image of the shared classes angry, happy"):
        measure.measure(classifier(("angry", "happy"), rows), splits(NAMES, [2, 2]), "test", True)
    with pytest.raises(DataError, match="only the model has x: they do not share two classes"):
        measure.measure(classifier(("angry", "x"), rows), splits(NAMES, [0]), "test", True)


def test_images_are_made_as_the_model_takes_them_and_columns_of_other_classes_are_left_out() -> None:
    rows = np.array([[0.6, 0.3, 0.1]], np.float32)
    model = classifier(NAMES, rows)
    colour = np.full((1, 10, 12, 3), 90, np.uint8)
    assert measure.fit(model, colour).shape == (1, *SHAPE)
    same = np.zeros((1, *SHAPE), np.uint8)
    assert measure.fit(model, same) is same
    np.testing.assert_allclose(measure.answer(model, colour, (2, 0)), [[1 / 7, 6 / 7]], rtol=1e-5)
