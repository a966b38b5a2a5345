"""The rules of FER+, each on a row of votes whose label and shares are worked out by hand."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from fer_exp.data.emotions import EMOTIONS
from fer_exp.data.fer2013_source import ballots
from fer_exp.data.fer2013_source.ballots import CLASSES, IN_ORDER_OF_EMOTIONS, KEPT, NO_AGREEMENT, NOT_A_FACE, UNKNOWN
from fer_exp.errors import DataError

HEADER = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"


def votes(**counts: int) -> np.ndarray:
    """One row; `unknown` and `nf` are columns too."""
    return np.array([[counts.get(name, 0) for name in (*CLASSES, "unknown", "nf")]])


def shares(**expected: float) -> list[float]:
    return [expected.get(name, 0.0) for name in CLASSES]


@pytest.mark.parametrize(
    ("counts", "label"),
    [
        ({"happiness": 10}, "happiness"),
        ({"neutral": 6, "sadness": 4}, "neutral"),
        ({"fear": 3, "neutral": 1, "sadness": 1, "anger": 1, "unknown": 1}, "fear"),  # what stands alone does not count
        ({"contempt": 5, "neutral": 4, "unknown": 1}, "contempt"),  # 5 of the 9 that count
        ({"sadness": 6, "unknown": 4}, "sadness"),
    ],
)
def test_a_majority_of_the_votes_that_count_gives_the_label(counts: dict[str, int], label: str) -> None:
    verdict = ballots.majority(votes(**counts))
    assert verdict.outcomes.tolist() == [KEPT]
    assert verdict.labels.tolist() == [CLASSES.index(label)]
    assert verdict.targets.tolist() == [shares(**{label: 1.0})]


@pytest.mark.parametrize(
    ("counts", "outcome"),
    [
        ({"happiness": 5, "neutral": 5}, NO_AGREEMENT),  # half is not more than half
        ({"happiness": 4, "neutral": 3, "anger": 3}, NO_AGREEMENT),
        ({"happiness": 4, "neutral": 3, "unknown": 3}, NO_AGREEMENT),  # unknown counts among all votes
        (dict.fromkeys(CLASSES, 1), NO_AGREEMENT),
        ({"unknown": 6, "neutral": 4}, UNKNOWN),
        ({"nf": 10}, NOT_A_FACE),
    ],
)
def test_rows_without_a_majority_for_a_class_have_no_label(counts: dict[str, int], outcome: int) -> None:
    verdict = ballots.majority(votes(**counts))
    assert verdict.outcomes.tolist() == [outcome]
    assert not verdict.targets.any()


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"happiness": 10}, {"happiness": 1.0}),
        ({"happiness": 9, "neutral": 1}, {"happiness": 1.0}),
        ({"happiness": 8, "neutral": 2}, {"happiness": 1.0}),  # 80 % are enough: no further class is taken
        ({"happiness": 7, "neutral": 3}, {"happiness": 0.7, "neutral": 0.3}),
        ({"fear": 4, "surprise": 4, "anger": 2}, {"fear": 0.5, "surprise": 0.5}),  # equal ones together, 80 %
        ({"fear": 5, "surprise": 3, "anger": 2}, {"fear": 0.625, "surprise": 0.375}),
        ({"fear": 4, "surprise": 3, "anger": 3}, {"fear": 0.4, "surprise": 0.3, "anger": 0.3}),
        ({"fear": 3, "surprise": 3, "anger": 3, "neutral": 1}, {"fear": 1 / 3, "surprise": 1 / 3, "anger": 1 / 3}),
        ({"sadness": 6, "unknown": 4}, {"sadness": 1.0}),  # unknown is next: the class before it stands alone
        (
            {"sadness": 4, "neutral": 2, "unknown": 2},
            {"sadness": 2 / 3, "neutral": 1 / 3},
        ),  # unknown is level with neutral
    ],
)
def test_the_most_frequent_classes_share_the_target(counts: dict[str, int], expected: dict[str, float]) -> None:
    verdict = ballots.distribution(votes(**counts))
    assert verdict.outcomes.tolist() == [KEPT]
    np.testing.assert_allclose(verdict.targets[0], shares(**expected), rtol=1e-6)
    assert verdict.targets.dtype == np.float32


@pytest.mark.parametrize(
    ("counts", "outcome"),
    [
        ({"neutral": 4, "happiness": 2, "sadness": 2, "fear": 2}, NO_AGREEMENT),  # four classes
        ({"neutral": 2, "happiness": 2, "sadness": 2, "fear": 2, "anger": 2}, NO_AGREEMENT),
        ({"neutral": 5, "unknown": 5}, NO_AGREEMENT),  # a class with half of the votes
        ({"neutral": 3, "happiness": 2, "unknown": 3, "nf": 2}, NO_AGREEMENT),  # 3 of 10, and unknown is level with it
        ({"unknown": 4, "neutral": 3, "fear": 3}, UNKNOWN),
        ({"nf": 6, "neutral": 4}, NOT_A_FACE),
        (dict.fromkeys(CLASSES, 1), NO_AGREEMENT),
    ],
)
def test_rows_too_doubtful_for_a_distribution_have_none(counts: dict[str, int], outcome: int) -> None:
    verdict = ballots.distribution(votes(**counts))
    assert verdict.outcomes.tolist() == [outcome]
    assert not verdict.targets.any()


def test_rows_do_not_depend_on_one_another() -> None:
    rng = np.random.default_rng(0)
    many = np.array([rng.multinomial(10, rng.dirichlet(np.full(10, 0.4))) for _ in range(500)])
    for rule in (ballots.majority, ballots.distribution):
        together = rule(many)
        alone = [rule(row[None]) for row in many]
        np.testing.assert_array_equal(together.targets, np.concatenate([verdict.targets for verdict in alone]))
        assert together.outcomes.tolist() == [int(verdict.outcomes[0]) for verdict in alone]
        assert len(set(together.outcomes.tolist())) == 4


def test_the_first_of_equal_classes_is_the_label() -> None:
    assert ballots.distribution(votes(fear=5, surprise=5)).labels.tolist() == [CLASSES.index("surprise")]


def test_each_emotion_is_the_class_of_its_name() -> None:
    pairs = {emotion: CLASSES[position] for emotion, position in zip(EMOTIONS, IN_ORDER_OF_EMOTIONS, strict=True)}
    assert pairs == {
        "angry": "anger",
        "disgust": "disgust",
        "fear": "fear",
        "happy": "happiness",
        "sad": "sadness",
        "surprise": "surprise",
        "neutral": "neutral",
    }


LINES = ["Training,fer0000000.png,4,0,0,1,3,2,0,0,0,0", "PublicTest,,0,0,0,0,0,0,0,0,0,10"]


@pytest.mark.parametrize("header", [HEADER, HEADER.upper(), HEADER.replace(",", ", ")])
def test_a_file_is_read_by_the_names_of_its_columns(header: str, tmp_path: Path) -> None:
    path = tmp_path / "fer2013new.csv"
    path.write_text("\n".join([header, *LINES]))
    found = ballots.read(path)
    assert found.usages.tolist() == [0, 1]
    assert found.votes.tolist() == [[4, 0, 0, 1, 3, 2, 0, 0, 0, 0], [0] * 9 + [10]]
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert ballots.read(path).votes.tolist() == found.votes.tolist()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", r"`dataset\.votes` must be the csv of FER\+\. Received: .*fer2013new\.csv"),
        ("emotion,pixels,Usage\n0,1,Training", r"must be fer2013new\.csv of https.*without neutral, happiness"),
        (HEADER, r"must have a line for each image\. Received: .* with none"),
        ("\n".join([HEADER, *LINES, LINES[0].replace("4,0", "x,0")]), r"line 4: a line must have a Usage \(Training"),
        ("\n".join([HEADER, LINES[0].replace("4,0", "-1,0")]), "line 2: .*whole numbers of votes, 0 or more"),
        ("\n".join([HEADER, LINES[0].replace("4,0", "0.5,0")]), "line 2: .*whole numbers"),
        ("\n".join([HEADER, LINES[0].replace("Training", "Train")]), "line 2: a line must have a Usage"),
        ("\n".join([HEADER, "Training,fer0000000.png,4,0"]), "line 2: .*whole numbers"),
    ],
)
def test_what_is_wrong_with_the_file_is_said(text: str, rule: str, tmp_path: Path) -> None:
    path = tmp_path / "fer2013new.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=rule):
        ballots.read(path)
