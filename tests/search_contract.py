"""How tests search without TensorFlow: real configuration, real study, and a launcher whose trainings are formulas."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import yaml
from conftest import ROOT
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.utils import JobReturn, JobStatus

from fer_exp.options import config
from fer_exp.run.hparams import search, study, trial
from fer_exp.tracking import swept

Training = Callable[[Mapping[str, str]], Sequence[float]]
"""Returns what each epoch of a training measures, by the overrides of its job."""
EPOCHS = 5


def node(group: str, option: str, **changes: Any) -> dict[str, Any]:
    """Returns the yaml of a sampler or a pruner, with some values changed."""
    path = ROOT / "conf" / "hydra" / "sweeper" / group / f"{option}.yaml"
    return {**yaml.safe_load(path.read_text()), **changes}


def pruned_after(pruner: optuna.pruners.BasePruner, *trials: Sequence[float]) -> list[int | None]:
    """Returns after which epoch each trial is pruned, one after the other, when larger is better."""
    found: list[int | None] = []
    running = optuna.create_study(direction="maximize", pruner=pruner)
    for values in trials:
        asked, after = running.ask(), None
        for epoch, value in enumerate(values, 1):
            asked.report(value, epoch)
            if after is None and asked.should_prune():
                after = epoch
                break
        if after is None:
            running.tell(asked, values[-1])
        else:
            running.tell(asked, state=optuna.trial.TrialState.PRUNED)
        found.append(after)
    return found


@dataclass
class FakeLauncher:
    """Trains as the formula says, one job after the other, each as its own trial of the study.

    Attributes:
        training: What each epoch measures; what it raises, the job fails with.
        batches: The overrides of each job of each batch.
    """

    training: Training
    batches: list[list[dict[str, str]]] = field(default_factory=list)

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[JobReturn]:
        self.batches.append([swept(overrides) for overrides in job_overrides])
        return [self._run(list(overrides)) for overrides in job_overrides]

    def _run(self, overrides: list[str]) -> JobReturn:
        values = swept(overrides)
        os.environ[trial.NUMBER_ENV] = values.pop(f"hydra.job.env_set.{trial.NUMBER_ENV}").strip("'")
        try:
            log = trial.watched(lambda metrics, epoch: None, "val/accuracy", EPOCHS)
            measured = self.training(values)
            for epoch, value in enumerate(measured, 1):
                log({"val/accuracy": value}, epoch)
            return JobReturn(overrides, status=JobStatus.COMPLETED, _return_value=max(measured))
        except trial.TrialPruned as pruned:
            return JobReturn(overrides, status=JobStatus.COMPLETED, _return_value=pruned.value)
        except (ValueError, UserWarning) as error:
            return JobReturn(overrides, status=JobStatus.FAILED, _return_value=error)
        finally:
            del os.environ[trial.NUMBER_ENV]


@dataclass
class Searched:
    """A search that ended: the best value, what was recorded, and the study."""

    best: float | None
    launcher: FakeLauncher
    folder: Path
    tags: Mapping[str, Any]
    study: optuna.Study

    def states(self) -> list[str]:
        return [found.state.name for found in self.study.get_trials(deepcopy=False)]


def run_search(training: Training, *arguments: str) -> Searched:
    """Searches in the working directory; arguments as after `python -m fer_exp -m hydra/sweeper=optuna`."""
    of_hydra = [argument for argument in arguments if argument.lstrip("+").startswith("hydra")]
    others = [argument for argument in arguments if argument not in of_hydra]
    launcher, recorded = FakeLauncher(training), []
    with initialize_config_dir(version_base="1.3", config_dir=str(config.CONF)):
        cfg = compose("config", ["hydra/sweeper=optuna", *of_hydra], return_hydra_config=True)
        loader = GlobalHydra.instance().config_loader()
        best = search.run(cfg, loader, launcher, [f"epochs={EPOCHS}", *others], lambda *what: recorded.append(what))  # type: ignore[arg-type]
    ((folder, tags),) = recorded
    return Searched(best, launcher, folder, tags, last_study(cfg.hydra.sweeper.storage))


def last_study(storage: str | None = None) -> optuna.Study:
    """Returns the newest study of a database."""
    opened = study.open_storage(study.url_of(storage))
    return optuna.load_study(study_name=opened.get_all_studies()[-1].study_name, storage=opened)
