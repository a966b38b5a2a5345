"""Names of metrics, params and tags: what a server takes stays, everything else becomes something that it takes."""

import logging
import unicodedata

import numpy as np
import pytest

from fer_exp.assessment import metrics, ranking
from fer_exp.record import names
from fer_exp.reporting import tables

ODD = ("happy (smile)!", "50 % sure", "so/so", "..", "a\\b", "what?", "[bold]", "$x_1$", "émoji 🙂", "  ")


def taken_by_mlflow(name: str) -> None:
    from mlflow.utils.validation import _validate_metric, _validate_tag

    _validate_metric(name, 1.0, 0, 0)
    _validate_tag(name, "text")


def test_names_of_the_field_stay_as_they_are() -> None:
    plain = ("angry", "fear", "Neutral face", "glad-ish", "class_1.5", "Überraschung", "悲しい")
    assert names.metric_names(plain) == plain
    assert names.changed(plain) == {}


def test_signs_that_a_server_refuses_become_one_that_it_takes() -> None:
    assert names.metric_names(["happy (smile)!", "sad"]) == ("happy _smile__", "sad")


def test_letters_that_a_mac_writes_as_two_signs_stay_letters() -> None:
    (found,) = names.metric_names([unicodedata.normalize("NFD", "fröhlich")])
    assert found == unicodedata.normalize("NFC", "fröhlich")


@pytest.mark.parametrize(
    "same",
    [
        ("happy!", "happy?", "happy_"),
        ("a!", "A?", "a_"),
        ("x" * 300, "x" * 299 + "y", "x" * 299),
        ("!", "!!", "_", "__", "_2"),
    ],
)
def test_names_that_would_be_the_same_are_told_apart_also_without_capitals(same: tuple[str, ...]) -> None:
    found = names.metric_names(same)
    assert len({name.casefold() for name in found}) == len(same)
    kept = [name for name, became in zip(same, found, strict=True) if name == became]
    assert kept == [name for name in same if names.metric_names([name]) == (name,)], "what may stay does"


def test_every_number_of_a_split_has_a_name_that_mlflow_takes_and_none_is_lost() -> None:
    classes = (*ODD, "x" * 255, "y" * 255)
    count = len(classes)
    labels = np.arange(10 * count) % count
    rows = np.random.default_rng(0).dirichlet(np.ones(count), len(labels))
    evaluation = metrics.evaluate(rows, labels, classes)
    found = metrics.scalars(evaluation, "test_ten_crop")
    ranked = ranking.scalars(ranking.rank(evaluation), "test_uncalibrated")
    of_sources = metrics.scalars_of_sources(dict.fromkeys(classes, evaluation), "test")
    assert (len(found), len(ranked), len(of_sources)) == (9 + 2 * count, 6, 3 * count)
    for name in [*found, *ranked, *of_sources]:
        taken_by_mlflow(name)
    by_hand = evaluation.recall[0]
    assert found["test_ten_crop/recall/happy _smile__"] == by_hand


def test_the_tables_tell_what_a_name_became() -> None:
    evaluation = metrics.evaluate(np.eye(3)[[0, 1, 2, 0]], np.array([0, 1, 2, 1]), ("a!", "a?", "sad"))
    table = tables.classification_table(evaluation)
    assert table["metric_name"].to_dict() == {"a!": "a_", "a?": "a__2", "sad": "sad", "macro avg": "", "accuracy": ""}
    of_sources = tables.sources_table({"mine (old)": evaluation})
    assert of_sources["metric_name"].tolist() == ["mine _old_"]


def test_it_is_told_once_and_only_if_there_is_something_to_tell(caplog: pytest.LogCaptureFixture) -> None:
    names.tell("classes", ["angry", "sad"])
    assert not caplog.records
    names.tell("classes", ["angry", "sad!"])
    (told,) = [record.message for record in caplog.records]
    assert "There classes are called otherwise: 'sad!' 'sad_'. Pictures and tables keep the names" in told


@pytest.mark.parametrize("name", ["lr", "dataset.sources.mine.path", "tflite/int8/accuracy", "system/gpu:0"])
def test_a_name_that_is_taken_stays(name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert names.keyed({name: 1}) == {name: 1}
    assert not caplog.records


@pytest.mark.parametrize("name", ["no?metric", "a//b", "/a", "a/", "../a", ".", "", "x" * 251, "weights.so!"])
def test_a_name_that_is_refused_is_made_good_and_told(name: str, caplog: pytest.LogCaptureFixture) -> None:
    (found,) = names.keyed({name: 1})
    assert found != name
    taken_by_mlflow(found)
    assert f"does not take the name {name!r}: it is recorded as {found!r}." in caplog.text


def test_names_that_become_the_same_are_all_recorded() -> None:
    found = names.keyed({"a?": 1, "a_": 2, "a!": 3})
    assert sorted(found.values()) == [1, 2, 3]
    assert found["a_"] == 2


def test_the_end_of_a_very_long_tag_is_left_out_and_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger().setLevel(logging.WARNING)
    found = names.texts({"overrides": "o" * 9000, "short": 1})
    assert (len(found["overrides"]), found["overrides"][-4:], found["short"]) == (8000, "o...", "1")
    assert "overrides has 9000 letters; the first 8000 are recorded" in caplog.text
