"""What a search leaves behind: the trials as a table, two pictures, and the command that trains the best one again.

Called by `search`. It must not know where the files are recorded. The best trial is the one with the best value on the
validation split; the test split has no say.
"""

import json
import math
import shlex
import warnings
from collections.abc import Sequence
from pathlib import Path

import optuna
import pandas as pd
import yaml
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from fer_exp.data import csv_cells
from fer_exp.reporting import figure_style
from fer_exp.run.hparams import search_figure
from fer_exp.run.hparams.search_space import Space
from fer_exp.run.hparams.study import FINISHED, PRUNED_AFTER


def write(folder: Path, study: optuna.Study, space: Space, metric: str, places: Sequence[str]) -> list[str]:
    """Writes the files.

    Args:
        folder: Where they go; made if it does not exist.
        study: The search.
        space: What is searched.
        metric: What its trials are compared by.
        places: What a command needs before its overrides to find the same configuration.

    Returns:
        Sentences for a person: the best trial, its command, and what there was too little of.
    """
    folder.mkdir(parents=True, exist_ok=True)
    csv_cells.safe(table(study)).to_csv(folder / "trials.csv", index=False)
    points = [
        search_figure.Point(trial.number, trial.value, trial.state == TrialState.PRUNED)
        for trial in study.get_trials(deepcopy=False, states=FINISHED)
        if trial.value is not None and math.isfinite(trial.value)
    ]
    completed = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not completed:
        return ["No trial was completed: there is no best one."]
    history = search_figure.optimization_history(points, metric, study.direction == StudyDirection.MAXIMIZE)
    figure_style.save(history, folder / "optimization_history.png")
    best = study.best_trial
    words = ["python", "-m", "fer_exp", *places, *space.overrides(best.params)]
    _write_best(folder, study, best, metric, words, space)
    sentences = [f"Best: trial {best.number}, {metric} {best.value:.4f}. Train it again:", f"  {shlex.join(words)}"]
    if len(completed) < 2:
        return [*sentences, "Importances need two completed trials; there is one."]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few trials, which the number of trials in the table says as well
        importances = optuna.importance.get_param_importances(study)
    figure_style.save(search_figure.param_importances(importances, metric), folder / "param_importances.png")
    return sentences


def table(study: optuna.Study) -> pd.DataFrame:
    """Returns one row for each trial: number, state, value, epochs, seconds and the searched keys.

    Args:
        study: The search.
    """
    rows = [
        {
            "trial": trial.number,
            "state": trial.state.name,
            "value": trial.value,
            "epochs": max(trial.intermediate_values, default=0),
            "pruned_after_epoch": trial.user_attrs.get(PRUNED_AFTER),
            "seconds": None if trial.duration is None else round(trial.duration.total_seconds(), 1),
            **trial.params,
        }
        for trial in study.get_trials(deepcopy=False)
    ]
    return pd.DataFrame(rows)


def _write_best(
    folder: Path, study: optuna.Study, best: FrozenTrial, metric: str, words: Sequence[str], space: Space
) -> None:
    values = {
        "study": study.study_name,
        "trial": best.number,
        metric: best.value,
        "overrides": space.overrides(best.params),
        "command": shlex.join(words),
    }
    # JSON is YAML, but people read this: one entry a line.
    text = yaml.safe_dump(json.loads(json.dumps(values)), sort_keys=False, width=math.inf, allow_unicode=True)
    (folder / "best.yaml").write_text(text, encoding="utf-8")
    (folder / "best_command.txt").write_text(f"{shlex.join(words)}\n", encoding="utf-8")
