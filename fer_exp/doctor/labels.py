"""Labels that are probably wrong: confident learning over predictions for images that the predictor has not seen.

Called by the doctor for data. It must not know how the predictions were made.

Source: Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels", 2021,
https://arxiv.org/abs/1911.00068, as implemented by cleanlab.
"""

import numpy as np
import pandas as pd

from fer_exp.doctor.classifier import Predicted
from fer_exp.doctor.pool import SPLIT_NAMES, TEST, Finding, Pool
from fer_exp.doctor.votes import Votes

# An image is labelled anew only if the prediction is this sure. Of 97 such images of FER2013 61 % have a majority of
# FER+ votes for the suggested label and 86 % have none for the given one, which holds for 45 % of all images.
SURE, UNLIKELY = 0.9, 0.05
_TOP = 100  # how many of the first suspects are compared with the votes


def examine(pool: Pool, predicted: Predicted) -> Finding:
    """Finds images whose label the predictions of their split contradict, the most doubtful first.

    Splits are judged apart, so that nothing about train depends on labels of val or test.
    """
    from cleanlab.filter import find_label_issues

    suspects = [np.empty(0, np.int64)]
    for number in range(len(SPLIT_NAMES)):
        rows = np.flatnonzero((pool.splits == number) & predicted.usable)
        present = np.unique(pool.labels[rows])  # cleanlab wants every class to occur
        if len(present) < 2:
            continue
        among = predicted.probabilities[np.ix_(rows, present)]
        among = among / among.sum(axis=1, keepdims=True)
        given = np.searchsorted(present, pool.labels[rows])
        wrong = find_label_issues(given, among, filter_by="both", n_jobs=1)
        suspects.append(rows[wrong & (among.argmax(axis=1) != given)])
    rows = np.concatenate(suspects)
    suggested = predicted.probabilities[rows].argmax(axis=1)
    p_given, p_suggested = _chances(pool, predicted, rows, suggested)
    order = np.argsort(p_given - p_suggested, kind="stable")
    rows, suggested = rows[order], suggested[order]
    details = [
        f"{pool.label(row)} → {pool.class_names[new]}, probability {low:.2f} against {high:.2f}"
        for row, new, low, high in zip(rows.tolist(), suggested, p_given[order], p_suggested[order], strict=True)
    ]
    advice = (
        f"Suspects, not verdicts: the predictions are right for {100 * predicted.accuracy:.1f} % of the train images. "
        "Look before you feed relabel.csv back."
    )
    return Finding(
        "label_error", "Suspected label errors, the most doubtful first", rows, details, advice, suggested=suggested
    )


def _chances(
    pool: Pool, predicted: Predicted, rows: np.ndarray, suggested: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    return predicted.probabilities[rows, pool.labels[rows]], predicted.probabilities[rows, suggested]


def table(pool: Pool, predicted: Predicted, found: Finding) -> pd.DataFrame:
    """Returns the suspects as a table, most doubtful first: name, split, given, label, p_given, p_label, score.

    `label` is the suggested class; the score is p_given - p_label, -1 to 0.
    """
    new = np.empty(0, np.int64) if found.suggested is None else found.suggested
    p_given, p_label = _chances(pool, predicted, found.rows, new)
    return pd.DataFrame(
        {
            "name": pool.names[found.rows],
            "split": [pool.split(row) for row in found.rows],
            "given": [pool.label(row) for row in found.rows],
            "label": [pool.class_names[label] for label in new],
            "p_given": p_given.round(4),
            "p_label": p_label.round(4),
            "score": (p_given - p_label).round(4),
        }
    )


def relabelled(suspects: pd.DataFrame) -> pd.DataFrame:
    """Returns those suspects of train and val that are sure enough to be labelled anew without a look."""
    sure = (suspects["p_label"] >= SURE) & (suspects["p_given"] <= UNLIKELY) & (suspects["split"] != SPLIT_NAMES[TEST])
    return suspects[sure]


def agreement(pool: Pool, found: Finding, votes: Votes) -> str:
    """Returns what the votes say of the suspects, in words."""
    parts = []
    for name, rows, new in (
        (f"the first {_TOP} suspects", found.rows[:_TOP], None if found.suggested is None else found.suggested[:_TOP]),
        ("all suspects", found.rows, found.suggested),
        ("all images", np.arange(len(pool)), None),
    ):
        if len(rows):
            differs = votes.majority[rows] != pool.labels[rows]
            text = f"{100 * differs.mean():.0f} % of {name} have no majority of votes for their label"
            if new is not None:
                text += f" ({100 * (votes.majority[rows] == new).mean():.0f} % one for the suggested)"
            parts.append(text)
    return "Checked against the votes: " + "; ".join(parts) + "."
