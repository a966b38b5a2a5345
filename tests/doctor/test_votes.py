"""Votes of FER+ in the doctor: joined by row, refused where they do not fit, and what a reader dropped by them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer_exp.data.emotions import EMOTIONS
from fer_exp.doctor import labels, votes
from fer_exp.doctor.pool import Finding, Pool
from fer_exp.errors import DataError

COLUMNS = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt", "unknown", "NF")
OF_FERPLUS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # in the order of `EMOTIONS`
Row = tuple[int, dict[str, int]]  # what FER2013 says, and the votes


def written(folder: Path, rows: list[Row], usages: list[str] | None = None) -> tuple[Path, dict[str, Any]]:
    """Writes both files; returns that of the votes, and the node of the data set."""
    usages = usages or ["Training"] * len(rows)
    faces, lines = ["emotion,pixels,Usage"], ["Usage,Image name," + ",".join(COLUMNS)]
    for (label, counts), usage in zip(rows, usages, strict=True):
        faces.append(f"{label},{' '.join(['7'] * 2304)},{usage}")
        lines.append(f"{usage},," + ",".join(str(counts.get(name, 0)) for name in COLUMNS))
    (folder / "fer2013.csv").write_text("\n".join(faces))
    (folder / "votes.csv").write_text("\n".join(lines))
    node = {"path": str(folder / "fer2013.csv"), "on_bad_row": "error", "cache_dir": str(folder / "cache")}
    return folder / "votes.csv", node


def pooled(names: list[str], classes: tuple[str, ...] = EMOTIONS) -> Pool:
    count = len(names)
    images, labels_of = np.zeros((count, 8, 8, 1), np.uint8), np.full(count, classes.index(classes[3]))
    return Pool(images, labels_of, np.zeros(count, np.int64), np.array(names), classes)


def test_images_are_joined_to_votes_by_row_and_majorities_are_of_all_votes(tmp_path: Path) -> None:
    rows: list[Row] = [
        (3, {"NF": 10}),
        (3, {"happiness": 6, "unknown": 4}),
        (3, {"happiness": 5, "unknown": 5}),
        (3, {"unknown": 4, "NF": 6}),
    ]
    file, node = written(tmp_path, rows)
    gathered = pooled(["row 3", "row 1", "row 2"])
    ballots = votes.read(file, "--votes", gathered, node)
    assert ballots.majority.tolist() == [-1, EMOTIONS.index("happy"), -1]
    found = votes.examine(gathered, ballots)
    assert (found.rows.tolist(), found.details) == ([0], ["6 of 10 votes"])
    suspects = Finding("x", "x", np.array([0]), ["x"], suggested=np.array([1]))
    text = labels.agreement(gathered, suspects, ballots)
    assert "100 % of all suspects have no majority of votes for their label (0 % one for the suggested)" in text
    assert "67 % of all images have no majority" in text
    eight = votes.read(file, "--votes", pooled(["row 1"], (*OF_FERPLUS[::-1], "contempt")), node)
    assert eight.majority.tolist() == [OF_FERPLUS[::-1].index("happiness")]


def of_one_copy(folder: Path) -> tuple[Path, dict[str, Any], Pool]:
    """Two files that fit, 140 rows whose label is that of the votes and differs from that of the row before."""
    rows: list[Row] = [(row % 7, {OF_FERPLUS[row % 7]: 10}) for row in range(140)]
    file, node = written(folder, rows)
    return file, node, pooled([f"row {row}" for row in range(140)])


def test_votes_that_are_moved_on_by_one_row_are_refused(tmp_path: Path) -> None:
    file, node, gathered = of_one_copy(tmp_path)
    assert (votes.read(file, "--votes", gathered, node).majority == np.arange(140) % 7).all()
    header, first, *others = file.read_text().splitlines()
    file.write_text("\n".join([header, *others, first]))
    refused = r"`--votes` must have its lines in the order of the rows of `dataset\.path`.*votes\.csv agrees with the "
    with pytest.raises(DataError, match=refused + "labels of .*fer2013.csv on 0% of the rows"):
        votes.read(file, "--votes", gathered, node)


def test_votes_of_another_copy_are_refused(tmp_path: Path) -> None:
    file, node, gathered = of_one_copy(tmp_path)
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines, lines[-1]]))
    with pytest.raises(DataError, match=r"`--votes` must have a line for each row .* with 141 and .* with 140"):
        votes.read(file, "--votes", gathered, node)
    file.write_text("\n".join(lines).replace("Training", "PublicTest", 1))
    with pytest.raises(DataError, match=r"`--votes` must have the Usage .*row 0 \(from 0\) is PublicTest in "):
        votes.read(file, "--votes", gathered, node)


def test_what_is_no_file_of_votes_is_refused(tmp_path: Path) -> None:
    _, node, gathered = of_one_copy(tmp_path)
    with pytest.raises(DataError, match=r"nothing\.csv"):
        votes.read(tmp_path / "nothing.csv", "--votes", gathered, node)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match=r"`--votes` must be fer2013new\.csv of .*without usage, neutral"):
        votes.read(tmp_path / "other.csv", "--votes", gathered, node)
    with pytest.raises(DataError, match=r"`--votes` needs a data set whose images are rows of .*called a\.png"):
        votes.read(tmp_path / "votes.csv", "--votes", pooled(["a.png"]), node)


def test_what_the_reader_dropped_is_counted_by_split_and_reason() -> None:
    notes = {"dropped_rows": {"train": {"no_agreement": 3, "not_a_face": 1}, "val": {"unknown": 2}}, "other": 4}
    found = votes.dropped(notes)
    assert len(found) == 6
    assert found.missing == [
        ("train", "no agreement: 3 images"),
        ("train", "not a face: 1 images"),
        ("val", "unknown: 2 images"),
    ]
    assert votes.dropped({"ferplus.dropped_rows": {"test": {"unknown": 1}}}).missing[0][0] == "ferplus/test"
    assert len(votes.dropped({})) == 0
