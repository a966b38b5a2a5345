"""FER+: the faces of FER2013 with the votes of ten people each, as hard labels or as soft ones.

Called through `config.build`. The rules that make labels of votes are the business of `fer2013_source.ballots`, the
division that of `fer2013_source.division`; val and test always have the label of the majority, as in the reference
code.

Source: Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label
Distribution", 2016, https://arxiv.org/abs/1608.01041.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fer_exp.data import pixel_csv
from fer_exp.data.corrections import Corrections
from fer_exp.data.emotions import EMOTIONS
from fer_exp.data.fer2013_source import Faces, ballots, division, left_out, of_table
from fer_exp.data.fer2013_source.ballots import CLASSES, IN_ORDER_OF_EMOTIONS, KEPT, Verdict
from fer_exp.data.fractions import SplitSpec
from fer_exp.dataset import Split, Splits, assemble
from fer_exp.errors import DataError
from fer_exp.signature import InputPath, NonNegativeInt

_CONTEMPT = 4  # after the outcomes of `ballots`: a class that there is not if there are seven
_REASONS = {
    ballots.NO_AGREEMENT: "no_agreement",
    ballots.UNKNOWN: "unknown",
    ballots.NOT_A_FACE: "not_a_face",
    _CONTEMPT: "contempt",
}


@dataclass(frozen=True)
class _Labelled:
    """All rows by one rule, in the classes asked for.

    Attributes:
        labels: int64 (n,), of no account where a row is not kept.
        targets: float32 (n, classes).
        outcomes: int64 (n,), `KEPT` or a key of `_REASONS`.
    """

    labels: np.ndarray
    targets: np.ndarray
    outcomes: np.ndarray

    @property
    def kept(self) -> np.ndarray:
        return self.outcomes == KEPT


def glance(*, path: str, votes: str, **others: Any) -> None:
    """Refuses files with other columns; see the contract."""
    source = Path(path).expanduser().absolute()
    _check_csv(source)
    pixel_csv.glance(source)
    ballots.glance(Path(votes).expanduser().absolute())


def build(
    *,
    path: InputPath,
    votes: InputPath,
    label: Literal["majority", "probability", "cross_entropy"],
    classes: Literal[7, 8],
    val: SplitSpec,
    test: SplitSpec,
    on_bad_row: Literal["error", "skip"],
    split_seed: NonNegativeInt,
    exclude: InputPath | None,
    relabel: InputPath | None,
    cache_dir: str,
) -> Splits:
    """Reads FER2013 and the votes of FER+, and divides them.

    Args:
        path: Csv of FER2013, any variant; plain, .gz, .zip or .tar.gz. `~` expands.
        votes: `fer2013new.csv` of https://github.com/microsoft/FERPlus with a line for each row of `path`, in its
            order; plain or packed in the same ways.
        label: What is trained towards: `majority` (the class of more than half of the votes), `cross_entropy` (the
            shares of the votes), or `probability` (one class drawn from the shares each time an image is seen).
            Validation and test are by majority.
        classes: 8 as in FER+, under its names; or 7, those of FER2013 under theirs, without contempt.
        val: Validation split: a Usage (`PublicTest`), or a stratified fraction of the training rows, above 0 and below
            1.
        test: Test split: a Usage (`PrivateTest`), or a stratified fraction of the training rows, above 0 and below 1.
        on_bad_row: Either `error` (the first malformed row of `path` stops the run) or `skip` (such rows are left out
            and counted).
        split_seed: Seed of the stratified fractions, at least 0.
        exclude: CSV with a column `name`: images of train and val to leave out; null for none.
        relabel: CSV with the columns `name` and `label`: images of train and val to label anew; null for none.
        cache_dir: Folder that keeps the parsed arrays between runs; may be deleted at any time. `~` expands.

    Raises:
        DataError: If a file is missing or malformed, the two do not fit, or do not hold the splits that are asked for.
    """
    source, votes_file = Path(path).expanduser().absolute(), Path(votes).expanduser().absolute()
    faces, by_majority, by_shares, notes = _read(source, votes_file, classes, on_bad_row, cache_dir)
    trained = by_majority if label == "majority" else by_shares
    usable = np.flatnonzero(trained.kept | by_majority.kept)
    names = CLASSES if classes == len(CLASSES) else EMOTIONS
    found = division.choose_rows(trained.labels[usable], faces.parts[usable], val, test, split_seed, source, names)
    splits, dropped, chosen = {}, {}, {}
    for name, rule, spec in (("train", trained, None), ("val", by_majority, val), ("test", by_majority, test)):
        rows = usable[found[name]]
        kept = rows[rule.kept[rows]]
        if not len(kept):
            raise DataError(
                f"None of the {len(rows):,} images of the {name} split has a label by the votes. Check them."
            )
        soft = label != "majority" and name != "test"  # val too: folds may move its images to train
        splits[name] = Split.of_images(
            faces.images[kept],
            rule.labels[kept],
            targets=trained.targets[kept] if soft else None,
            names=faces.names[kept],
            drawn=soft and label == "probability",
        )
        dropped[name] = _dropped(rule, rows, faces.parts, spec)
        chosen[name] = kept
    notes["dropped_rows"] = {name: counts for name, counts in dropped.items() if counts}
    notes |= division.notes_on(faces.parts[usable], found, splits, names)
    return assemble(
        splits,
        names,
        f"{source} with {votes_file.name}",
        notes,
        Corrections(exclude, relabel),
        left_out(faces, chosen.values()),
        # The rows are those of FER2013, so what was found in that is good here, whatever the votes say.
        elsewhere={name: EMOTIONS[label] for name, label in zip(faces.names.tolist(), faces.labels, strict=True)},
    )


def _read(
    source: Path, votes_file: Path, classes: int, on_bad_row: Literal["error", "skip"], cache_dir: str
) -> tuple[Faces, _Labelled, _Labelled, dict[str, Any]]:
    """Returns the faces, their labels by majority and by shares, and what is worth recording."""
    _check_csv(source)
    votes = ballots.read(votes_file)
    table, notes = pixel_csv.load(source, on_bad_row, cache_dir)
    joined = ballots.joined(votes, table, votes_file, source)
    faces = of_table(table, joined.usages)
    majority, shares = ballots.majority(joined.votes), ballots.distribution(joined.votes)
    notes["agreement_with_fer2013"] = ballots.agreement(majority, faces.labels, votes_file, source)
    hard, soft = _in_classes(majority, classes), _in_classes(shares, classes)
    # Votes of more than ten people may have a majority and too many classes beside it for a distribution.
    targets = np.where(soft.kept[:, None], soft.targets, hard.targets)
    labels = np.where(soft.kept, soft.labels, hard.labels)
    return faces, hard, _Labelled(labels, targets, soft.outcomes), notes


def _check_csv(source: Path) -> None:
    if source.is_dir():
        raise DataError(
            f"`dataset.path` must be a csv of FER2013: votes are joined by the order of its rows. Received a folder: "
            f"{source}."
        )


def _in_classes(verdict: Verdict, classes: int) -> _Labelled:
    """Returns a verdict in the classes of FER+, or in those of FER2013: the shares without contempt add up to 1."""
    if classes == len(CLASSES):
        return _Labelled(verdict.labels, verdict.targets, verdict.outcomes)
    is_contempt = (verdict.outcomes == KEPT) & (verdict.labels == CLASSES.index("contempt"))
    outcomes = np.where(is_contempt, _CONTEMPT, verdict.outcomes)
    shares = verdict.targets[:, IN_ORDER_OF_EMOTIONS]
    kept = (outcomes == KEPT)[:, None]
    targets = np.divide(shares, shares.sum(axis=1, keepdims=True), out=np.zeros_like(shares), where=kept)
    position = np.zeros(len(CLASSES), np.int64)
    position[IN_ORDER_OF_EMOTIONS] = np.arange(len(EMOTIONS))
    return _Labelled(position[verdict.labels], targets, outcomes)


def _dropped(rule: _Labelled, rows: np.ndarray, parts: np.ndarray, spec: SplitSpec | None) -> dict[str, int]:
    """Returns how many rows of a split have no label by its rule, by reason.

    Args:
        rule: That of the split.
        rows: Row numbers that were chosen for it.
        parts: str (n,), see `Faces`.
        spec: What the split was asked for as; None for the training rows, of which fractions are taken.
    """
    considered = rows if isinstance(spec, float) else np.flatnonzero(parts == (spec or "Training"))
    counts = np.bincount(rule.outcomes[considered], minlength=len(_REASONS) + 1)
    return {reason: int(counts[outcome]) for outcome, reason in _REASONS.items() if counts[outcome]}
