"""FER+: labels by each rule and in both sets of classes, the join with FER2013, and every message."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_exp.data import folds
from fer_exp.data.emotions import EMOTIONS
from fer_exp.dataset import Splits, concatenate, ferplus
from fer_exp.errors import DataError

NAMES = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt")
COLUMNS = (*NAMES, "unknown", "NF")
Row = tuple[str, dict[str, int]]
# Clear rows of every class in every part, then the doubtful ones: all of them are Training, PublicTest, PrivateTest.
CLEAR: list[Row] = [(usage, {name: 10}) for usage in ("Training", "PublicTest", "PrivateTest") for name in NAMES]
DOUBTFUL: list[Row] = [
    ("Training", {"sadness": 7, "neutral": 3}),  # 24
    ("Training", {"fear": 5, "surprise": 5}),  # 25: no majority
    ("Training", {"anger": 4, "contempt": 3, "sadness": 3}),  # 26: no majority
    ("Training", {"contempt": 8, "neutral": 2}),  # 27
    ("Training", {"unknown": 8, "neutral": 2}),  # 28
    ("Training", {"NF": 10}),  # 29
    ("Training", {"neutral": 4, "happiness": 2, "sadness": 2, "fear": 2}),  # 30: no distribution either
    ("PublicTest", {"sadness": 7, "neutral": 3}),  # 31
    ("PublicTest", {"fear": 5, "surprise": 5}),  # 32
    ("PrivateTest", {"unknown": 10}),  # 33
    ("PrivateTest", {"contempt": 6, "neutral": 4}),  # 34
]
ROWS = CLEAR + DOUBTFUL


def write(folder: Path, rows: list[Row] = ROWS, *, usage_column: bool = True, spoiled: tuple[int, ...] = ()) -> None:
    """Writes the two files; the first pixel of an image is the number of its row, its emotion counts on."""
    faces = ["emotion,pixels,Usage" if usage_column else "emotion,pixels"]
    votes = ["Usage,Image name," + ",".join(COLUMNS)]
    for number, (usage, counts) in enumerate(rows):
        pixels = "spoiled" if number in spoiled else " ".join(map(str, [number % 256] + [0] * 2303))
        faces.append(f"{number % 7},{pixels}" + (f",{usage}" if usage_column else ""))
        # Numbers that lead astray: what counts is the line.
        votes.append(f"{usage},fer{9999 - number:07d}.png," + ",".join(str(counts.get(name, 0)) for name in COLUMNS))
    (folder / "fer2013.csv").write_text("\n".join(faces))
    (folder / "fer2013new.csv").write_text("\n".join(votes))


def build(folder: Path, **options: Any) -> Splits:
    defaults = {
        "path": str(folder / "fer2013.csv"),
        "votes": str(folder / "fer2013new.csv"),
        "label": "majority",
        "classes": 8,
        "val": "PublicTest",
        "test": "PrivateTest",
        "on_bad_row": "error",
        "split_seed": 0,
        "exclude": None,
        "relabel": None,
        "cache_dir": str(folder / "cache"),
    }
    return ferplus.build(**defaults | options)


def rows_of(splits: Splits) -> dict[str, list[int]]:
    return {name: getattr(splits, name).images[:, 0, 0, 0].tolist() for name in ("train", "val", "test")}


def target_of(splits: Splits, row: int, names: tuple[str, ...] = NAMES) -> dict[str, float]:
    """The shares of a training row, by class."""
    assert splits.train.targets is not None
    (target,) = splits.train.targets[splits.train.images[:, 0, 0, 0] == row]
    return {name: round(float(share), 4) for name, share in zip(names, target, strict=True) if share}


def test_majority_labels_every_split_under_the_names_of_ferplus(tmp_path: Path) -> None:
    write(tmp_path)
    splits = build(tmp_path)
    assert splits.class_names == NAMES
    assert rows_of(splits) == {"train": [*range(8), 24, 27], "val": [*range(8, 16), 31], "test": [*range(16, 24), 34]}
    assert splits.train.labels.tolist() == [*range(8), 3, 7]
    assert splits.val.labels.tolist() == [*range(8), 3]
    assert splits.test.labels.tolist() == [*range(8), 7]
    assert splits.train.targets is None
    assert splits.train.names is not None
    assert splits.train.names.tolist()[-1] == "row 27"
    assert splits.notes["dropped_rows"] == {
        "train": {"no_agreement": 3, "unknown": 1, "not_a_face": 1},
        "val": {"no_agreement": 1},
        "test": {"unknown": 1},
    }


@pytest.mark.parametrize(("label", "drawn"), [("cross_entropy", False), ("probability", True)])
def test_shares_are_trained_towards_and_majorities_are_validated(label: str, drawn: bool, tmp_path: Path) -> None:
    write(tmp_path)
    splits = build(tmp_path, label=label)
    assert rows_of(splits) == {
        "train": [*range(8), 24, 25, 26, 27],
        "val": [*range(8, 16), 31],
        "test": [*range(16, 24), 34],
    }
    assert splits.train.labels.tolist() == [*range(8), 3, 2, 4, 7]  # the class of the largest share
    assert target_of(splits, 3) == {"sadness": 1.0}
    assert target_of(splits, 24) == {"sadness": 0.7, "neutral": 0.3}
    assert target_of(splits, 25) == {"fear": 0.5, "surprise": 0.5}
    assert target_of(splits, 26) == {"anger": 0.4, "contempt": 0.3, "sadness": 0.3}
    assert splits.train.drawn is drawn
    assert splits.val.labels.tolist() == [*range(8), 3]
    assert splits.test.targets is None
    assert splits.notes["dropped_rows"] == {
        "train": {"no_agreement": 1, "unknown": 1, "not_a_face": 1},
        "val": {"no_agreement": 1},
        "test": {"unknown": 1},
    }


def test_seven_classes_are_those_of_fer2013_without_contempt(tmp_path: Path) -> None:
    write(tmp_path)
    splits = build(tmp_path, label="cross_entropy", classes=7)
    assert splits.class_names == EMOTIONS
    assert rows_of(splits) == {"train": [*range(7), 24, 25, 26], "val": [*range(8, 15), 31], "test": [*range(16, 23)]}
    named = [EMOTIONS[label] for label in splits.test.labels]
    assert named == ["neutral", "happy", "surprise", "sad", "angry", "disgust", "fear"]
    assert target_of(splits, 24, EMOTIONS) == {"sad": 0.7, "neutral": 0.3}
    assert target_of(splits, 26, EMOTIONS) == {"angry": 0.5714, "sad": 0.4286}  # 4 and 3 of the 7 without contempt
    assert splits.notes["dropped_rows"]["train"] == {"no_agreement": 1, "unknown": 1, "not_a_face": 1, "contempt": 2}
    assert splits.notes["dropped_rows"]["test"] == {"unknown": 1, "contempt": 2}
    hard = build(tmp_path, classes=7)
    assert [EMOTIONS[label] for label in hard.train.labels] == [*named, "sad"]


def test_a_fraction_of_the_training_rows_is_validated_by_majority(tmp_path: Path) -> None:
    doubtful: list[Row] = [("Training", {"fear": 5, "surprise": 5})] * 20
    write(tmp_path, CLEAR[:8] * 10 + doubtful + CLEAR[16:])
    splits = build(tmp_path, label="cross_entropy", val=0.25)
    assert set(splits.val.images[:, 0, 0, 0].tolist()) <= set(range(80))
    dropped = splits.notes["dropped_rows"]
    assert set(dropped) == {"val"}
    assert dropped["val"]["no_agreement"] > 0
    assert len(splits.train) + len(splits.val) + dropped["val"]["no_agreement"] == 100


def test_folds_train_the_rows_of_val_towards_their_shares(tmp_path: Path) -> None:
    write(tmp_path, CLEAR * 2 + DOUBTFUL)
    splits = build(tmp_path, label="probability")
    seen = {}
    for fold in range(2):
        divided = folds.divide(splits, 2, fold)
        assert divided.train.drawn
        assert divided.train.targets is not None
        np.testing.assert_allclose(divided.train.targets.sum(axis=1), 1, rtol=1e-6)
        seen |= dict(zip(divided.train.images[:, 0, 0, 0].tolist(), divided.train.targets.tolist(), strict=True))
    np.testing.assert_allclose(
        seen[len(CLEAR) + 31], np.array([0.3, 0, 0, 0.7, 0, 0, 0, 0]), rtol=1e-6
    )  # of PublicTest


def test_soft_labels_of_two_kinds_are_not_put_together(tmp_path: Path) -> None:
    write(tmp_path)
    shares, drawn = (build(tmp_path, label=label).train for label in ("cross_entropy", "probability"))
    with pytest.raises(DataError, match="label=probability for all of them, or label=cross_entropy"):
        concatenate([shares, drawn], 8)
    hard = build(tmp_path).train
    together = concatenate([hard, drawn], 8)
    assert together.drawn
    assert together.targets is not None
    assert together.targets[: len(hard)].argmax(axis=1).tolist() == hard.labels.tolist()


def test_a_skipped_row_takes_its_votes_with_it(tmp_path: Path) -> None:
    write(tmp_path, spoiled=(2, 20))
    splits = build(tmp_path, on_bad_row="skip")
    assert rows_of(splits)["train"] == [0, 1, 3, 4, 5, 6, 7, 24, 27]
    assert splits.train.labels.tolist() == [0, 1, 3, 4, 5, 6, 7, 3, 7]
    assert splits.notes["skipped_rows"] == 2


def test_a_csv_without_usage_is_divided_by_that_of_the_votes(tmp_path: Path) -> None:
    write(tmp_path)
    expected = build(tmp_path)
    write(tmp_path, usage_column=False)
    assert build(tmp_path).sha256 == expected.sha256


def test_corrections_give_certain_labels_and_leave_the_test_split_alone(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "exclude.csv").write_text("name\nrow 25\n")
    (tmp_path / "relabel.csv").write_text("name,label\nrow 24,anger\nrow 16,anger\n")
    corrections = {"exclude": str(tmp_path / "exclude.csv"), "relabel": str(tmp_path / "relabel.csv")}
    splits = build(tmp_path, label="cross_entropy", **corrections)
    assert rows_of(splits)["train"] == [*range(8), 24, 26, 27]
    assert target_of(splits, 24) == {"anger": 1.0}
    assert splits.test.labels.tolist() == [*range(8), 7]


def test_the_digest_tells_hard_labels_from_soft_ones_and_seven_classes_from_eight(tmp_path: Path) -> None:
    write(tmp_path)
    options: list[dict[str, Any]] = [{}, {"label": "cross_entropy"}, {"classes": 7}]
    assert len({build(tmp_path, **option).sha256 for option in options}) == 3


@pytest.mark.parametrize("lines", [len(ROWS), len(ROWS) + 2])
def test_votes_for_another_number_of_rows_are_an_error(lines: int, tmp_path: Path) -> None:
    write(tmp_path)
    votes = (tmp_path / "fer2013new.csv").read_text().splitlines()
    (tmp_path / "fer2013new.csv").write_text("\n".join([*votes, votes[-1]][:lines]))
    with pytest.raises(DataError, match=r"`dataset\.votes` must have a line for each row") as caught:
        build(tmp_path)
    assert f"fer2013new.csv with {lines - 1} and {tmp_path}/fer2013.csv with 35. Give the two" in str(caught.value)
    assert ("head -n 36 fer2013new.csv" in str(caught.value)) == (lines > len(ROWS))


def test_votes_with_another_usage_are_an_error_that_names_the_row(tmp_path: Path) -> None:
    write(tmp_path)
    text = (tmp_path / "fer2013new.csv").read_text().replace("PublicTest,fer0009990", "Training,fer0009990")
    (tmp_path / "fer2013new.csv").write_text(text)
    with pytest.raises(DataError, match=r"row 9 \(from 0\) is Training in .*new\.csv and PublicTest in .*2013\.csv"):
        build(tmp_path)


def test_votes_in_another_order_are_noticed_by_the_labels(tmp_path: Path) -> None:
    classes = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # by the codes of the csv
    rows: list[Row] = [(usage, {classes[n % 7]: 10}) for usage in ("Training", "PublicTest") for n in range(140)]
    write(tmp_path, rows)
    assert build(tmp_path, val=0.1, test="PublicTest").notes["agreement_with_fer2013"] == 1.0
    lines = (tmp_path / "fer2013new.csv").read_text().splitlines()
    (tmp_path / "fer2013new.csv").write_text("\n".join([lines[0], *lines[2:141], lines[1], *lines[142:], lines[141]]))
    with pytest.raises(DataError, match=r"in the order of the rows.*agrees with the labels of .* on 0% of the rows"):
        build(tmp_path, val=0.1, test="PublicTest")


def test_a_folder_is_an_error_because_it_has_no_order(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(DataError, match=r"must be a csv of FER2013: votes are joined by the order of its rows"):
        build(tmp_path, path=str(tmp_path))


def test_a_split_without_any_label_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, [*CLEAR[:8], ("PublicTest", {"fear": 5, "surprise": 5}), *CLEAR[16:]])
    with pytest.raises(DataError, match="None of the 1 images of the val split has a label by the votes"):
        build(tmp_path, label="cross_entropy")


def test_a_part_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, [row for row in ROWS if row[0] != "PrivateTest"])
    with pytest.raises(DataError, match=r"`dataset\.test`=PrivateTest: .*dataset\.val=0\.1 dataset\.test=PublicTest"):
        build(tmp_path)


def test_rows_that_the_votes_drop_may_be_named_by_corrections(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "exclude.csv").write_text("name,label\nrow 29,sad\nrow 33,fear\nrow 24,sadness\n")
    splits = build(tmp_path, exclude=str(tmp_path / "exclude.csv"))
    assert rows_of(splits)["train"] == [*range(8), 27]
    assert splits.notes["corrections"]["left_out_anyway"] == 2
    (tmp_path / "exclude.csv").write_text("name\nrow 35\n")
    with pytest.raises(DataError, match="Unknown: row 35"):
        build(tmp_path, exclude=str(tmp_path / "exclude.csv"))


def test_corrections_that_were_made_of_fer2013_are_good_here_and_those_of_other_rows_are_not(tmp_path: Path) -> None:
    write(tmp_path)  # FER2013 labels row 24 fear, 27 neutral; the votes sadness and contempt
    (tmp_path / "relabel.csv").write_text("name,given,label\nrow 24,happy,neutral\nrow 27,neutral,happy\n")
    splits = build(tmp_path, relabel=str(tmp_path / "relabel.csv"))
    assert [NAMES[label] for label in splits.train.labels[-2:]] == ["neutral", "happiness"]
    (tmp_path / "relabel.csv").write_text("name,given,label\nrow 24,happy,neutral\nrow 27,angry,happy\n")
    with pytest.raises(DataError, match=r"row 27 as angry, which is contempt here \(1 of 2 do not agree"):
        build(tmp_path, relabel=str(tmp_path / "relabel.csv"))
