"""A temperature is found again, changes no prediction, and leaves the run inside the model and its files."""

from pathlib import Path

import keras
import numpy as np
import pytest
from made_run import SHAPE, brightness_model

from fer_exp.assessment import confidence, metrics, temperature
from fer_exp.data.inputs import image
from fer_exp.errors import ConfigError
from fer_exp.fit.inference import predict
from fer_exp.lite import conversion, litert

NAMES = ("angry", "happy", "sad")


@pytest.fixture(scope="module")
def too_sure() -> metrics.Evaluation:
    """Labels drawn from the softmax of logits, of which three times as much was told."""
    random = np.random.default_rng(0)
    logits = random.normal(0, 1, (8_000, 3))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (honest.cumsum(axis=1) > random.random((8_000, 1))).argmax(axis=1)
    told = np.exp(3 * logits) / np.exp(3 * logits).sum(axis=1, keepdims=True)
    return metrics.evaluate(told, labels, NAMES)


def test_the_temperature_that_was_put_in_is_found_and_calibrates(too_sure: metrics.Evaluation) -> None:
    found = temperature.fit(too_sure)
    assert found == pytest.approx(3, abs=0.15)
    after = temperature.scaled(too_sure, found)
    assert (after.predictions == too_sure.predictions).all()
    assert confidence.measure(too_sure).ece > 0.2
    assert confidence.measure(after).ece < 0.015
    assert confidence.measure(after).nll < confidence.measure(too_sure).nll


def test_honest_probabilities_stay_and_hopeless_ones_end_at_a_bound(too_sure: metrics.Evaluation) -> None:
    assert temperature.fit(temperature.scaled(too_sure, 3.0)) == pytest.approx(1, abs=0.05)
    wrong = metrics.evaluate(np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0, 1]), ("a", "b"))
    assert temperature.fit(wrong) == pytest.approx(20, rel=0.01)


def test_a_model_and_its_files_give_the_divided_logits(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 1, 1, 1), np.uint8) * np.ones((1, *SHAPE), np.uint8)
    model = brightness_model()
    before = metrics.evaluate(predict(model, {"image": images}, 16), np.zeros(40, int), NAMES)
    expected = temperature.scaled(before, 4.0).probabilities
    temperature.put_into(model, 4.0)
    np.testing.assert_allclose(predict(model, {"image": images}, 16), expected, atol=1e-5)
    assert (expected.argmax(axis=1) == before.predictions).all()
    for kind, tolerance in (("float32", 1e-5), ("int8", 0.05)):
        path = tmp_path / f"{kind}.tflite"
        path.write_bytes(conversion.convert(model, kind, NAMES, {"image": images}))  # type: ignore[arg-type]
        np.testing.assert_allclose(litert.Interpreter(path).predict({"image": images}), expected, atol=tolerance)
    litert.require_full_integer(tmp_path / "int8.tflite")


@pytest.mark.parametrize("option", ["cnn", "fer_resnet", "mobilenet_v1", "mobilenet_v2"])
def test_every_model_of_the_project_can_take_one(option: str) -> None:
    from contracts import node

    from fer_exp.options import config

    changes = {"weights": None, "input_size": 32} if option.startswith("mobilenet") else {}
    model = config.build(node("model", option, **changes), image((32, 32, 1)), 3)
    temperature.check(model)
    before = model.get_weights()
    temperature.put_into(model, 2.0)
    changed = [not np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    assert changed[:-2] == [False] * (len(changed) - 2)
    np.testing.assert_allclose(model.get_weights()[-2], before[-2] / 2)


def test_a_model_that_does_not_end_in_logits_is_refused() -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Softmax(name="answer")(keras.layers.Dense(3)(inputs)), name="mine")
    with pytest.raises(ConfigError, match="Received: mine, which ends in Softmax `answer`. Use evaluation.temp"):
        temperature.check(model)
    model = keras.Model(inputs, keras.layers.Dense(3, activation="softmax", name="answer")(inputs), name="mine")
    with pytest.raises(ConfigError, match="ends in a dense layer without activation"):
        temperature.check(model)
