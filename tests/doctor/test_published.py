"""What is published of each data set, and which splits are held against it."""

from typing import Any

import numpy as np
import pytest

from fer_exp.data import published_counts
from fer_exp.data.emotions import EIGHT, EMOTIONS
from fer_exp.doctor import counts
from fer_exp.doctor.pool import Pool
from fer_exp.doctor.published import Part, parts

TRAIN, VAL, TEST = range(3)


def of(name: str, notes: dict[str, Any] | None = None, folded: bool = False, **options: Any) -> list[Part]:
    return parts({"_target_": f"fer_exp.dataset.{name}.build", **options}, notes or {}, folded)


def sizes(found: list[Part]) -> list[tuple[str, tuple[int, ...], int]]:
    return [(part.title, part.splits, part.total) for part in found]


def test_the_classes_add_up_to_the_published_totals() -> None:
    totals = [sum(part.values()) for part in published_counts.RAFDB.values()]
    assert totals == [12_271, 3_068]
    assert [sum(part.values()) for part in published_counts.AFFECTNET.values()] == [287_651, 3_999]
    assert sum(published_counts.CKPLUS_SEQUENCES.values()) == 327


def test_a_tiny_copy_of_rafdb_is_told_class_by_class() -> None:
    labels, splits = np.arange(210) % 7, np.array([TRAIN] * 140 + [VAL] * 35 + [TEST] * 35)
    names = np.array([f"{row}.jpg" for row in range(210)])
    pool = Pool(np.zeros((210, 8, 8, 1), np.uint8), labels, splits, names, EMOTIONS)
    found = counts.examine(pool, of("rafdb", val=0.1))
    assert len(found) == 14
    assert ("training, happy", "25 images, published are 4,772") in found.missing
    assert ("testing, neutral", "5 images, published are 680") in found.missing


def test_affectnet_of_2021_has_eight_classes_or_seven_and_the_tables_are_not_judged() -> None:
    options: dict[str, Any] = {"val": 0.02, "test": "val", "classes": 8}
    assert sizes(of("affectnet", {"layout": "npy"}, **options)) == [
        ("training", (TRAIN, VAL), 287_651),
        ("validation", (TEST,), 3_999),
    ]
    turned = of("affectnet", {"layout": "npy"}, val="val", test=0.02, classes=7)
    assert sizes(turned) == [("training", (TRAIN, TEST), 283_901), ("validation", (VAL,), 3_500)]
    assert of("affectnet", {"layout": "csv"}, **options) == []


@pytest.mark.parametrize(
    ("layout", "options", "total"),
    [
        ("CK+48", {}, 981),
        ("CK+48", {"frames": 9}, 981),  # it has no more
        ("CK+48", {"frames": 1, "contempt": "drop"}, 309),
        ("released", {"neutral": True}, 981 + 327),
        ("released", {"frames": 9}, None),
    ],
)
def test_ckplus_has_so_many_frames_of_each_sequence(layout: str, options: dict[str, Any], total: int | None) -> None:
    given = {"frames": 3, "contempt": "keep", "neutral": False, **options}
    expected = [] if total is None else [("all images", (TRAIN, VAL, TEST), total)]
    found = of("ckplus", {"layout": layout}, val=0.1, test=0.1, **given)
    assert sizes(found) == expected
    assert all(set(part.classes) <= set(EIGHT) for part in found)


FERPLUS: dict[str, Any] = {"label": "cross_entropy", "classes": 8, "val": "PublicTest", "test": "PrivateTest"}


def test_ferplus_of_eight_classes_has_what_the_rules_leave() -> None:
    assert sizes(of("ferplus", **FERPLUS)) == [
        ("Training", (TRAIN,), 27_947),
        ("PublicTest", (VAL,), 3_191),
        ("PrivateTest", (TEST,), 3_137),
    ]
    assert sizes(of("ferplus", **{**FERPLUS, "label": "majority", "val": 0.1}))[0] == (
        "Training",
        (TRAIN, VAL),
        25_045,
    )


def test_ferplus_of_seven_classes_is_fer2013_together_with_what_was_dropped() -> None:
    dropped = {"train": {"unknown": 700, "contempt": 9}, "val": {"contempt": 89}}
    first, second, _ = of("ferplus", {"dropped_rows": dropped}, **{**FERPLUS, "classes": 7})
    assert (first.title, first.total, first.dropped) == ("Training, with what was dropped", 28_709, 709)
    assert (second.total, second.dropped) == (3_589, 89)
    labels = np.zeros(28_000, np.int64)
    pool = Pool(np.zeros((28_000, 1, 1, 1), np.uint8), labels, labels, np.full(28_000, ""), EMOTIONS)
    assert not [
        name for name, _ in counts.examine(pool, [first]).missing if name.startswith("Training")
    ]  # 28,000 and 709
    assert counts.examine(pool, [second]).missing[-1][1] == "89 images, published are 3,589"


def test_what_was_excluded_counts_and_then_nothing_is_said_of_classes() -> None:
    notes = {"corrections": {"excluded_from_train": 10, "excluded_from_val": 2, "relabelled_in_train": 5}}
    training, testing = of("rafdb", notes, val=0.1)
    assert (training.classes, training.dropped) == ({}, 12)
    assert testing.classes["happy"] == 1_185


def test_of_folds_the_sum_is_known_where_both_parts_are() -> None:
    official: dict[str, Any] = {"val": "PublicTest", "test": "PrivateTest"}
    both, test = of("fer2013", folded=True, **official)
    assert (both.title, both.splits, both.total) == ("Training and PublicTest", (TRAIN, VAL), 28_709 + 3_589)
    assert both.classes["disgust"] == 436 + 56
    assert test.title == "PrivateTest"
    assert sizes(of("fer2013", folded=True, val="val", test="PrivateTest")) == [("PrivateTest", (TEST,), 3_589)]


def test_nothing_is_known_of_a_folder_or_of_a_copy_without_parts() -> None:
    assert of("image_folder", val=0.1, test="test") == []
    assert of("fer2013", val=0.1, test=0.1) == []
