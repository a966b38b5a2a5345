"""A model by its name: a run says what it takes, and what cannot be that is told in a sentence."""

import json

import keras
import numpy as np
import pytest
from answers import NAMES, answered, right
from converted import CLIP_AND_SOUND, keras_answers, rows_of, small_model
from made_run import SHAPE, make_run, tracker_of

from fer_exp.data import inputs
from fer_exp.data.inputs import image
from fer_exp.errors import ModelError
from fer_exp.run import trained
from fer_exp.tracking.mlflow import MlflowTracker


@pytest.fixture(scope="module")
def tracker(tmp_path_factory: pytest.TempPathFactory) -> MlflowTracker:
    return tracker_of(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def run(tracker: MlflowTracker, tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_run(tracker, tmp_path_factory.mktemp("outputs") / "r", answered(right(0.5, 0)))


@pytest.fixture(scope="module")
def other_run(tracker: MlflowTracker, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, keras.Model]:
    """A run whose model takes a clip and a sound, and that model."""
    folder, model = tmp_path_factory.mktemp("outputs") / "r", small_model(CLIP_AND_SOUND)
    run_id = make_run(tracker, folder, answered(right(0.5, 0)))
    model.save(folder / "model" / "model.keras")
    tracker.add_folder(run_id, folder / "model", "model")
    return run_id, model


def says(tracker: MlflowTracker, run: str, said: str) -> None:
    tracker.log_summary(run, {"inputs": said}, {})


def test_a_run_that_does_not_say_what_it_takes_takes_one_image(tracker: MlflowTracker, run: str) -> None:
    with trained.opened(run, "keras", [f"tracking.uri={tracker.uri}"]) as model:
        assert (model.inputs, model.class_names) == (image(SHAPE), NAMES)
        rows = np.array([20, 120, 250], np.uint8)[:, None, None, None] * np.ones((1, *SHAPE), np.uint8)
        assert model.predict({"image": rows}).argmax(axis=1).tolist() == [0, 1, 2]


def test_a_run_is_asked_with_what_it_says_that_it_takes(
    tracker: MlflowTracker, other_run: tuple[str, keras.Model]
) -> None:
    run, network = other_run
    rows = rows_of(CLIP_AND_SOUND)
    says(tracker, run, json.dumps(inputs.as_plain(CLIP_AND_SOUND)))
    with trained.opened(run, "keras", [f"tracking.uri={tracker.uri}"]) as model:
        assert model.inputs == CLIP_AND_SOUND
        np.testing.assert_allclose(model.predict(rows), keras_answers(network, rows), atol=1e-5)


UNSAID = "must say in its tag `inputs` what it takes: "
UNFIT = f"{UNSAID}inputs must have the shape of their kind. Received: "


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("nonsense", f"{UNSAID}Expecting value: line 1 column 1 (char 0)."),
        ("[" * 5000, UNSAID),
        ("{}", f"{UNFIT}none."),
        ("[1]", f"{UNSAID}inputs must have a name, a kind and a shape (AttributeError: "),
        ('{"image": {"kind": "smell", "shape": [24, 24, 1]}}', "(ValueError: there is no kind 'smell'"),
        ('{"image": {"kind": "image", "shape": [24, 24]}}', f"{UNFIT}image 24x24."),
        ('{"image": {"kind": "image", "shape": [24, 1e999, 1]}}', "(ValueError: a shape is a list of whole numbers)."),
        ('{"image": {"kind": "image", "shape": [48, 48, 1]}}', "image 48x48x1 as the run says; it takes 24x24x1."),
        ('{"voice": {"kind": "sound", "shape": [576]}}', "must take sound 576 as the run says; it takes 24x24x1."),
    ],
    ids=["no JSON", "nested", "none", "list", "kind", "axes", "infinite", "size", "sound"],
)
def test_a_run_that_says_nonsense_of_what_it_takes_is_told_in_a_sentence(
    tracker: MlflowTracker, run: str, said: str, told: str
) -> None:
    says(tracker, run, said)
    with pytest.raises(ModelError) as caught, trained.opened(run, "keras", [f"tracking.uri={tracker.uri}"]):
        pass
    assert str(caught.value).startswith("`model` must ")
    assert told in str(caught.value)
    assert str(caught.value).endswith(f" Received: run {run} (made), which is FINISHED.")


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity"])
def test_a_clip_needs_a_rate_that_time_can_pass_at(
    tracker: MlflowTracker, other_run: tuple[str, keras.Model], rate: str
) -> None:
    run, _ = other_run
    said = json.dumps(inputs.as_plain(CLIP_AND_SOUND))
    says(tracker, run, said.replace('"rate": 10.0', f'"rate": {rate}'))
    with (
        pytest.raises(ModelError, match=f"{UNSAID}inputs must"),
        trained.opened(run, "keras", [f"tracking.uri={tracker.uri}"]),
    ):
        pass
