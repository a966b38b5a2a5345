"""Whether a training has led anywhere: a run that diverged, or learned nothing, ends well and must not look well.

Called by `conclusion`, which tells, records and shows what is found. It knows no model.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer_exp.assessment.metrics import Evaluation
from fer_exp.fit.divergence import guessing, is_far

_GROWN = 10  # times the smallest training loss
_REMEDY = "Take a smaller lr, or optimizer.clipnorm=1.0"


@dataclass(frozen=True)
class Finding:
    """What is wrong with a training.

    Attributes:
        kind: `diverged` or `learned nothing`.
        sentence: For people, with the numbers it rests on.
    """

    kind: str
    sentence: str


def judge(history: pd.DataFrame, kept_epoch: int, evaluation: Evaluation, whole: bool = True) -> list[Finding]:
    """Looks for a training that diverged, and for a model that has learned nothing.

    Args:
        history: One row for each epoch, with `epoch`, `train/loss` and `val/loss`.
        kept_epoch: Epoch of the kept weights.
        evaluation: Of the kept weights on the test split.
        whole: False if only a few batches were trained on, of which nobody expects that something is learned.
    """
    found = list(_divergence(history, kept_epoch, len(evaluation.class_names)))
    if whole and not found:
        found += _ignorance(evaluation)
    return found


def _divergence(history: pd.DataFrame, kept_epoch: int, classes: int) -> Iterator[Finding]:
    epochs = history["epoch"].to_numpy(np.int64)
    losses = {name: history[name].to_numpy(np.float64) for name in ("val/loss", "train/loss")}
    kept = int(np.flatnonzero(epochs == kept_epoch)[0])
    for name, loss in losses.items():
        if is_far(float(loss[kept]), classes):
            yield Finding(
                "diverged",
                f"The training has diverged: {name} of the kept epoch {kept_epoch} is {loss[kept]:.3g}, and guessing "
                f"among {classes} classes costs {guessing(classes):.2f}. {_REMEDY}.",
            )
            return
    trained = losses["train/loss"]
    grown = trained[-1] > _GROWN * abs(trained.min()) and trained[-1] > 2 * guessing(classes)
    astray = ["train/loss"] if grown else [name for name, loss in losses.items() if is_far(float(loss[-1]), classes)]
    for name in astray[:1]:
        loss, best = losses[name], int(losses[name].argmin())
        yield Finding(
            "diverged",
            f"The training has diverged after epoch {epochs[best]}: {name} was {loss[best]:.3g} there, and is "
            f"{loss[-1]:.3g} in the last epoch {epochs[-1]}. The weights of epoch {kept_epoch} are kept. {_REMEDY}.",
        )


def _ignorance(evaluation: Evaluation) -> Iterator[Finding]:
    """Compares with always answering the most frequent class, and with guessing: both say nothing of an image.

    Accuracy alone would condemn a model that finds rare classes at the cost of the frequent one.
    """
    most = int(np.argmax(evaluation.support))
    share = evaluation.support[most] / len(evaluation)
    chance = 1 / int(np.sum(evaluation.support > 0))
    shows = evaluation.accuracy > share or evaluation.balanced_accuracy_interval.low > chance
    if shows or chance == 1:  # images of one class tell nothing
        return
    yield Finding(
        "learned nothing",
        f"The model has learned nothing that shows: test accuracy {evaluation.accuracy:.4f} is no better than always "
        f"answering {evaluation.class_names[most]} ({share:.4f}), and the mean recall of the classes "
        f"{evaluation.balanced_accuracy:.4f} no better than guessing ({chance:.4f}). Try more epochs, another lr, or "
        "debug=overfit, which shows whether the model can learn at all.",
    )
