"""A model answers a split: classes by name, other classes told or left out, images made as it takes them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from answers import NAMES
from made_run import SHAPE

from fer_exp.data.inputs import KINDS, Kind, Spec, Specs, count, image
from fer_exp.dataset import Split, Splits
from fer_exp.errors import DataError
from fer_exp.evaluate import measure
from fer_exp.run.trained import Classifier

FER_PLUS = ("anger", "happiness", "sadness")


def classifier(names: tuple[str, ...], rows: np.ndarray) -> Classifier:
    return Classifier("made", image(SHAPE), names, lambda inputs: rows[: count(inputs)], None, None, "made")


def splits(names: tuple[str, ...], labels: list[int]) -> Splits:
    split = Split.of_images(np.zeros((len(labels), *SHAPE), np.uint8), np.array(labels))
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
    assert measure.fit(model, {"image": colour})["image"].shape == (1, *SHAPE)
    same = np.zeros((1, *SHAPE), np.uint8)
    assert np.shares_memory(measure.fit(model, {"image": same})["image"], same)
    np.testing.assert_allclose(measure.answer(model, {"face": colour}, (2, 0)), [[1 / 7, 6 / 7]], rtol=1e-5)


def asked(kinds: dict[str, Kind], given: dict[str, np.ndarray], taken: Specs) -> tuple[measure.Evaluated, list[Any]]:
    """Returns what is measured of a model of such inputs, and what it was asked."""
    seen: list[Any] = []

    def predict(rows: Mapping[str, np.ndarray]) -> np.ndarray:
        seen.append(rows)
        return np.tile(np.array([0.5, 0.3, 0.2], np.float32), (count(rows), 1))

    split = Split(given, np.zeros(count(given), int), kinds=kinds)
    model = Classifier("made", taken, NAMES, predict, None, None, "made")
    return measure.measure(model, Splits(split, split, split, NAMES, "0" * 64, "drawn"), "test", False), seen


CLIP = {"clip": Spec("clip", "clip", (3, *SHAPE))}


def test_the_frames_of_a_clip_are_resized_each_for_itself() -> None:
    bright = np.array([[10, 20, 30], [240, 250, 5]], np.uint8)
    clips = np.tile(bright[:, :, None, None, None], (1, 1, 36, 48, 3))
    found, (rows,) = asked({"video": "clip"}, {"video": clips}, CLIP)
    np.testing.assert_array_equal(rows["clip"], np.tile(bright[:, :, None, None, None], (1, 1, *SHAPE)))
    assert found.notes == ("clips of 3x36x48x3 were made 3x24x24x1, as the model takes them",)


def test_several_inputs_are_matched_by_name_and_only_pictures_are_changed() -> None:
    voices = np.linspace(-1, 1, 80, dtype=np.float32).reshape(2, 40)
    taken = {"voice": Spec("voice", "sound", (40,)), **CLIP}
    given = {"clip": np.zeros((2, 3, 30, 30, 1), np.uint8), "voice": voices}
    _, (rows,) = asked({"clip": "clip", "voice": "sound"}, given, taken)
    assert rows["clip"].shape == (2, 3, *SHAPE)
    np.testing.assert_array_equal(rows["voice"], voices)


@pytest.mark.parametrize(
    ("kinds", "shapes", "taken", "told"),
    [
        ({"clip": "clip"}, [(5, *SHAPE)], CLIP, "which is clip 3x24x24x1. Received: clip 5x24x24x1 in drawn."),
        ({"image": "image"}, [SHAPE], CLIP, "which is clip 3x24x24x1. Received: image 24x24x1 in drawn."),
        (
            {"image": "image"}, [SHAPE], {"voice": Spec("voice", "sound", (40,))},
            "which is sound 40. Received: image 24x24x1 in drawn.",
        ),
        (
            {"voice": "sound"}, [(41,)], {"voice": Spec("voice", "sound", (40,))},
            "which is sound 40. Received: sound 41 in drawn.",
        ),
        (
            {"clip": "clip", "voice": "sound"}, [(3, *SHAPE), (40,)], CLIP,
            "which is clip 3x24x24x1. Received: clip (clip 3x24x24x1), voice (sound 40) in drawn.",
        ),
    ],
    ids=["frames", "image for a clip", "image for a sound", "samples", "one too many"],
)  # fmt: skip
def test_data_that_cannot_be_made_what_the_model_takes_are_refused(
    kinds: dict[str, Kind], shapes: list[tuple[int, ...]], taken: Specs, told: str
) -> None:
    given = {
        name: np.zeros((2, *shape), KINDS[kind].dtype)
        for (name, kind), shape in zip(kinds.items(), shapes, strict=True)
    }
    with pytest.raises(DataError) as caught:
        asked(kinds, given, taken)
    assert str(caught.value) == f"`dataset` must give what the model takes, {told}"
