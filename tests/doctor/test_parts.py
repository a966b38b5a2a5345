"""Each part of the examination by itself, on numbers worked out by hand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import doctor_cases
import numpy as np
import pytest

from fer_exp.data.emotions import EMOTIONS
from fer_exp.data.fer2013_facts import OFFICIAL_COUNTS
from fer_exp.data.stored_rows import StoredRows
from fer_exp.dataset import Split, Splits
from fer_exp.doctor import classifier, copies, counts, labels, pixels, pool
from fer_exp.doctor.classifier import Predicted
from fer_exp.doctor.pool import Pool
from fer_exp.doctor.published import Part, parts

FER2013 = {"_target_": "fer_exp.dataset.fer2013.build", "val": "PublicTest", "test": "PrivateTest"}


def made(labels_of: Sequence[int], splits: Sequence[int], images: np.ndarray | None = None) -> Pool:
    count = len(labels_of)
    held = np.zeros((count, 8, 8, 1), np.uint8) if images is None else images
    names = np.array([f"row {row}" for row in range(count)])
    return Pool(held, np.array(labels_of), np.array(splits), names, EMOTIONS)


def published() -> tuple[list[int], list[int]]:
    """Labels and splits of a complete FER2013."""
    parts = enumerate(OFFICIAL_COUNTS.values())
    pairs = [(EMOTIONS.index(name), split) for split, part in parts for name, n in part.items() for _ in range(n)]
    return [label for label, _ in pairs], [split for _, split in pairs]


def parts_of(**changes: Any) -> list[Part]:
    return parts({**FER2013, **changes}, {}, False)


def test_the_published_numbers_agree_with_each_other() -> None:
    assert {usage: sum(counts.values()) for usage, counts in OFFICIAL_COUNTS.items()} == {
        "Training": 28_709,
        "PublicTest": 3_589,
        "PrivateTest": 3_589,
    }
    assert all(tuple(counts) == EMOTIONS for counts in OFFICIAL_COUNTS.values())


def test_a_complete_copy_has_the_published_counts_and_one_without_a_row_is_told() -> None:
    classes, splits = published()
    assert len(counts.examine(made(classes, splits), parts_of())) == 0
    found = counts.examine(made(classes[1:-1], splits[1:-1]), parts_of())
    assert found.missing == [
        ("Training, angry", "3,994 images, published are 3,995"),
        ("PrivateTest, neutral", "625 images, published are 626"),
    ]


def test_test_images_of_another_class_are_told_although_their_number_is_right() -> None:
    classes, splits = published()
    classes[splits.index(2)] = EMOTIONS.index("happy")
    found = counts.examine(made(classes, splits), parts_of())
    assert found.missing == [
        ("PrivateTest, angry", "490 images, published are 491"),
        ("PrivateTest, happy", "880 images, published are 879"),
    ]


def test_a_fraction_of_training_counts_as_training() -> None:
    classes, splits = published()
    drawn = [1 if number % 10 == 0 and split == 0 else split for number, split in enumerate(splits) if split != 1]
    kept = [label for label, split in zip(classes, splits, strict=True) if split != 1]
    assert len(counts.examine(made(kept, drawn), parts_of(val=0.1))) == 0


def test_a_class_that_a_split_lacks_is_told() -> None:
    found = counts.examine(made([*range(7), *range(7), *range(6)], [0] * 7 + [1] * 7 + [2] * 6), [])
    assert found.missing == [("test: neutral", "no image of this class")]


def test_the_sheet_has_a_column_for_each_part_of_known_size() -> None:
    classes, splits = published()
    header, first, *_, last = counts.sheet(made(classes[1:], splits[1:]), parts_of(test="other"))
    assert header == ["class", "train", "val", "test", "official Training", "official PublicTest"]
    assert first == ["angry", "3,994", "467", "491", "3,995", "467"]
    assert last == ["all", "28,708", "3,589", "3,589", "28,709", "3,589"]
    without = counts.sheet(made(classes, splits), [Part("all", (0, 1, 2), 50_000, {})])
    assert without[1][-1] == ""  # of the classes nothing is known
    assert without[-1][-1] == "50,000"


def test_imbalance_is_told_as_a_ratio_and_as_effective_numbers() -> None:
    (text,) = counts.remarks(made([0] * 100 + [1] * 20, [0] * 120))
    assert "angry, has 5.0 times the images of the smallest, disgust" in text
    # (1 - 0.9999^100) / 0.0001 = 99.5 and (1 - 0.9999^20) / 0.0001 = 19.98
    assert "effective numbers (beta 0.9999): 100 and 20." in text


def test_the_reader_says_what_it_skipped() -> None:
    found = pixels.unreadable({"skipped_rows": 12, "first_skipped_lines": [3, 4]})
    assert len(found) == 12
    assert found.missing == [("line 3", "malformed row"), ("line 4", "malformed row")]
    assert len(pixels.unreadable({})) == 0
    assert len(pixels.unreadable({"malformed_lines": 1, "missing_images": 2, "rafdb.malformed_annotations": 3})) == 6


def test_all_files_that_the_reader_left_out_are_listed_with_the_reason_of_each(tmp_path: Path) -> None:
    rejected = tmp_path / "rejected_images.csv"
    rows = [(f"happy/{number}.png", "cut off") for number in range(12)]
    rejected.write_text("name,reason\n" + "".join(f"{name},{reason}\n" for name, reason in rows))
    notes = {"skipped_images": 12, "first_skipped_images": ["/data/happy/0.png"], "rejected_images": str(rejected)}
    found = pixels.unreadable(notes)
    assert found.missing == rows
    assert len(found) == 12
    several = pixels.unreadable({f"mine.{key}": value for key, value in notes.items()} | {"fer2013.skipped_rows": 2})
    assert several.missing == [(f"mine/{name}", reason) for name, reason in rows]
    assert len(several) == 14
    unlisted = pixels.unreadable({"images_without_a_face": 9, "first_without_a_face": ["/data/a.png"]})
    assert unlisted.missing == [("/data/a.png", "no face found")]
    assert len(unlisted) == 9


def test_grey_levels_of_colour_images_are_weighted_as_eyes_do() -> None:
    image = np.array([[[[255, 0, 0]]], [[[0, 255, 0]]], [[[0, 0, 255]]]], np.uint8)
    levels = np.concatenate(list(pool.grey(image, 2)))[:, 0, 0]
    np.testing.assert_allclose(levels, [76.245, 149.685, 29.07], rtol=1e-5)


def test_shrinking_takes_the_mean_of_the_area_also_where_sizes_do_not_divide() -> None:
    image = np.arange(9, dtype=np.float32).reshape(1, 3, 3)
    # Each new pixel covers one old one whole, two halves and a quarter: (0 + 1/2 + 3/2 + 4/4) / 2.25.
    np.testing.assert_allclose(pool.shrunk(image, 2)[0, 0, 0], (0 + 0.5 * 1 + 0.5 * 3 + 0.25 * 4) / 2.25, rtol=1e-5)
    np.testing.assert_allclose(pool.shrunk(image, 3), image)


def test_copies_of_copies_are_one_group_and_images_on_disk_are_the_same_as_in_memory() -> None:
    draw = np.random.default_rng(0)
    base = draw.uniform(40, 200, (6, 48, 48, 1))
    chain = [base[0], base[0] * 0.9 + 20, base[0] * 0.8 + 30]
    images = np.array([*base[1:], *chain, base[1]], np.uint8)
    for held in (images, StoredRows(images)):
        gathered = made([0] * 9, [0] * 9)
        gathered = Pool(held, gathered.labels, gathered.splits, gathered.names, EMOTIONS)
        same = copies.exact(gathered)
        assert [group.rows.tolist() for group in same] == [[0, 8]]
        alike, mirrored = copies.near(gathered, same)
        assert [group.rows.tolist() for group in alike] == [[5, 6, 7]]
        assert mirrored == []


def test_a_near_copy_of_equal_images_concerns_all_of_them() -> None:
    image = np.random.default_rng(1).uniform(40, 200, (48, 48, 1))
    images = np.array([image, image, image * 0.9 + 10], np.uint8)
    gathered = made([0, 0, 1], [0, 2, 0], images)
    same = copies.exact(gathered)
    alike, _ = copies.near(gathered, same)
    found = {finding.kind: finding.rows.tolist() for finding in copies.examine(gathered, same, alike, [])}
    assert found["near_duplicate_conflict"] == [0, 1, 2]
    assert found["leak_test"] == [1]
    assert found["near_leak_test"] == []  # it was told already


def test_blank_images_are_no_copies_of_each_other_unless_equal() -> None:
    images = np.full((3, 48, 48, 1), 10, np.uint8)
    images[1] = 11
    images[2, 0, 0] = 12
    gathered = made([0] * 3, [0] * 3, images)
    assert copies.near(gathered, copies.exact(gathered)) == ([], [])


def test_copies_are_in_one_fold_and_folds_hold_each_class() -> None:
    targets, groups = np.arange(100) % 4, np.arange(100)
    groups[[10, 50, 90]] = 10
    folds = classifier._folds(targets, groups)
    assert len({folds[10], folds[50], folds[90]}) == 1
    assert all(len(set(folds[targets == label])) == classifier.FOLDS for label in range(4))


def test_ridge_scores_of_train_are_those_of_fits_without_the_fold_whatever_the_blocks() -> None:
    draw = np.random.default_rng(0)
    features, targets = draw.normal(20, 3, size=(60, 5)).astype(np.float32), np.arange(60) % 3
    features[:, 4] = 7  # a feature that tells nothing
    train, folds = np.arange(50), np.arange(50) % classifier.FOLDS
    goals = np.eye(3)[targets[:50]]
    shares = goals.mean(axis=0)
    standard = (features - features[:50].mean(axis=0)) / np.maximum(features[:50].std(axis=0), 1e-3)
    for blocks in ([features], np.split(features, [7, 20, 49, 55])):
        scores = classifier._scores(blocks, 60, train, targets[:50], folds, 3)
        for rows, seen in ((np.flatnonzero(folds == 2), folds != 2), (np.arange(50, 60), folds >= 0)):
            x = standard[:50][seen].astype(float)
            weights = np.linalg.solve(x.T @ x + classifier._RIDGE * 50 * np.eye(5), x.T @ (goals[seen] - shares))
            np.testing.assert_allclose(scores[rows], standard[rows] @ weights + shares, atol=1e-4)


def test_predictions_are_equal_whether_features_are_kept_or_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    labels_of = np.arange(150) % 3
    images = np.stack([doctor_cases.face(label, row) for row, label in enumerate(labels_of)])[..., None]
    gathered = made(labels_of.tolist(), [0] * 100 + [1] * 25 + [2] * 25, images)
    told: list[float] = []
    kept = classifier.predict(gathered, [], told.append)
    assert told == sorted(told)
    monkeypatch.setattr(classifier, "_HELD_BYTES", 0)
    again = classifier.predict(gathered, [])
    np.testing.assert_array_equal(kept.probabilities, again.probabilities)
    assert kept.accuracy > 0.9


def test_a_class_too_small_to_be_predicted_is_not_judged() -> None:
    images = np.random.default_rng(0).integers(0, 255, (43, 48, 48, 1)).astype(np.uint8)
    predicted = classifier.predict(made([0] * 20 + [1] * 20 + [2] * 3, [0] * 43, images), [])
    assert predicted.usable.tolist() == [True] * 40 + [False] * 3
    assert predicted.notes == ("Labels of fear are not judged: fewer than 5 train images.",)
    alone = classifier.predict(made([0] * 20, [0] * 20, images[:20]), [])
    assert alone.notes == ("Labels are not judged: one class alone.",)


def test_only_sure_suspects_outside_of_test_are_labelled_anew() -> None:
    classes = [0] * 20 + [1] * 20 + [0, 0]
    p = np.zeros((42, 7))
    p[:, 0], p[:, 1] = np.where(np.array(classes) == 0, 0.97, 0.03), np.where(np.array(classes) == 0, 0.03, 0.97)
    p[[3, 5, 40]] = [[0.01, 0.99, *[0] * 5], [0.2, 0.8, *[0] * 5], [0.01, 0.99, *[0] * 5]]
    gathered = made(classes, [0] * 40 + [2] * 2)
    predicted = Predicted(p, np.ones(42, bool), 0.95, ())
    found = labels.examine(gathered, predicted)
    table = labels.table(gathered, predicted, found)
    assert "row 3" in set(table["name"])
    assert labels.relabelled(table)["name"].tolist() == ["row 3"]
    assert "95.0 % of the train images" in found.advice


def test_splits_without_names_get_some_and_a_note() -> None:
    split = Split.of_images(np.zeros((2, 8, 8, 1), np.uint8), np.array([0, 1]))
    gathered, notes = pool.pooled(Splits(split, split, split, EMOTIONS, "", "here"))
    assert gathered.names.tolist() == ["train 0", "train 1", "val 0", "val 1", "test 0", "test 1"]
    assert len(notes) == 1
