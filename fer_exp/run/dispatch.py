"""From the overrides of a multirun's jobs to their outcomes: what is finished is left out, the rest goes to a launcher.

Called by the door in `hydra_plugins` that Hydra knows. It must not know where jobs run, nor what they train.
"""

import math
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobReturn, JobStatus, filter_overrides
from omegaconf import DictConfig, OmegaConf, open_dict

from fer_exp.errors import ConfigError
from fer_exp.launcher import Launch
from fer_exp.options import commandline, config, fingerprint
from fer_exp.options.grammar import override
from fer_exp.process import Job, Outcome, keras_state, kernels
from fer_exp.run import sweep

_OURS = ("hydra.run", "hydra.sweep", "hydra.launcher", "hydra/launcher", "hydra.sweeper", "hydra/sweeper", "hydra.mode")
_HANDED_ON = ("FER_EXP_", "MLFLOW_")  # variables that a job needs wherever it runs


def launch(
    node: Mapping[str, Any],
    loader: ConfigLoader,
    cfg: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first_number: int,
) -> list[JobReturn]:
    """Runs a batch of jobs of the sweep that is open.

    Args:
        node: Of the launcher: `_target_` and its options.
        loader: Hydra's, which composes the jobs.
        cfg: The composed configuration of the sweep.
        job_overrides: Of each job.
        first_number: Number of the first job.

    Returns:
        One entry for each job. One that failed raises when its value is asked for; in a plain sweep, where Hydra asks
        after each batch, its value is NaN instead, so that the batches after it run too.

    Raises:
        ConfigError: If the configuration of a job of a plain sweep breaks a rule; nothing has run then.
    """
    run_all: Launch = config.build(node)
    plain_sweep = str(cfg.hydra.sweeper["_target_"]).endswith(".BasicSweeper")
    outcomes, jobs, problems = _sorted(loader, cfg, job_overrides, first_number)
    if problems and plain_sweep:
        raise ConfigError(problems)
    if jobs:
        told = _Told(len(jobs), sweep.current().monitor)
        with closing(run_all(jobs, told.begun)) as ended:  # whatever happens here, no job is left running
            outcomes += map(told.ended, ended)
    in_order = sorted(outcomes, key=lambda outcome: outcome.number)
    sweep.current().outcomes += in_order
    return [
        _as_return(outcome, overrides, plain_sweep) for outcome, overrides in zip(in_order, job_overrides, strict=True)
    ]


def _sorted(
    loader: ConfigLoader, cfg: DictConfig, job_overrides: Sequence[Sequence[str]], first_number: int
) -> tuple[list[Outcome], list[Job], list[str]]:
    """Returns the outcomes that are known without running anything, the jobs that are to run, and what is wrong."""
    outcomes: list[Outcome] = []
    jobs: list[Job] = []
    problems: dict[str, None] = {}
    finished = sweep.current().finished()
    for number, overrides in enumerate(job_overrides, first_number):
        name = _name(overrides)
        job_cfg = _composed(loader, cfg, overrides, number)
        try:
            identity = fingerprint.of(_checked(job_cfg).model_dump())
        except ConfigError as error:
            problems |= dict.fromkeys(f"{problem} (job {number}: {name})" for problem in error.problems)
            outcomes.append(Outcome(number, name, error.exit_code, math.nan, str(error), 0.0))
            continue
        if finished.get(identity):
            run_id, value = finished[identity].pop()
            print(f"job {number}: {name}: finished before as run {run_id}, left out", flush=True)
            outcomes.append(Outcome(number, name, 0, value, "", 0.0))
        else:
            jobs.append(_job(cfg, job_cfg, overrides, number, name))
    return outcomes, jobs, list(problems)


def _name(overrides: Sequence[str]) -> str:
    """Returns what tells a job from the others of its sweep."""
    own = filter_overrides(overrides)
    swept = [o for o in own if o.lstrip("+~").split("=")[0] in os.environ[sweep.SWEPT_ENV].split()]
    return " ".join(swept or own) or "as configured"


def _composed(loader: ConfigLoader, cfg: DictConfig, overrides: Sequence[str], number: int) -> DictConfig:
    composed = loader.load_sweep_config(cfg, list(overrides))
    with open_dict(composed):
        composed.hydra.job.num = number
        composed.hydra.job.id = str(number)
    return composed


def _checked(job_cfg: DictConfig) -> config.Experiment:
    values = OmegaConf.masked_copy(job_cfg, [str(key) for key in job_cfg if key != "hydra"])
    return config.check(commandline.plain(values))


def _folder_of(job_cfg: DictConfig) -> Path:
    """Returns where Hydra would put the job's files."""
    before = HydraConfig.instance().cfg
    HydraConfig.instance().set_config(job_cfg)  # references such as ${hydra:job.num} look there
    try:
        return Path(str(job_cfg.hydra.sweep.dir), str(job_cfg.hydra.sweep.subdir)).absolute()
    finally:
        HydraConfig.instance().cfg = before


def _job(cfg: DictConfig, job_cfg: DictConfig, overrides: Sequence[str], number: int, name: str) -> Job:
    """Returns the job as a plain command that a person could give as well.

    The variables that Hydra will set for it are set from its start on: its imports read some of them.
    """
    folder = _folder_of(job_cfg)
    hydra = [str(o) for o in cfg.hydra.overrides.hydra if not str(o).lstrip("+~").startswith(_OURS)]
    sources = {source.provider: source.path for source in cfg.hydra.runtime.config_sources}
    places = [f"--config-path={sources['main']}", f"--config-name={cfg.hydra.job.config_name}"]
    if "command-line" in sources:
        places.append(f"--config-dir={sources['command-line']}")
    own = [f"hydra.run.dir={override.quoted(str(folder))}", f"hydra.job.num={number}", f"hydra.job.id='{number}'"]
    folder.parent.mkdir(parents=True, exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if key.startswith(_HANDED_ON)}
    environment |= {kernels.SWITCH: os.environ[kernels.SWITCH], **keras_state.decisive(os.environ)}
    environment |= {str(key): str(value) for key, value in job_cfg.hydra.job.env_set.items()}
    log = folder.with_name(f"{folder.name}.log")
    return Job(number, name, [*places, *overrides, *hydra, *own], Path.cwd(), log, environment)


class _Told:
    """Says how each job begins and ends, and how long the rest will take if it is like what has ended.

    Args:
        count: Number of jobs.
        monitor: The metric that a job's value is.
    """

    def __init__(self, count: int, monitor: str) -> None:
        self._count, self._monitor = count, monitor
        self._lock = threading.Lock()  # jobs begin in threads of the launcher
        self._started, self._seconds = 0, list[float]()

    def begun(self, job: Job) -> None:
        """Says that a job begins, and where it writes."""
        with self._lock:
            self._started += 1
            where = "" if job.log is None else f", log: {_near(job.log)}"
            print(f"[{self._started}/{self._count}] job {job.number} begins: {job.name}{where}", flush=True)

    def ended(self, outcome: Outcome) -> Outcome:
        """Says how a job ended, and returns its outcome."""
        with self._lock:
            at_once = max(1, self._started - len(self._seconds))
            self._seconds.append(outcome.seconds)
            done = len(self._seconds)
        how = outcome.error.splitlines()[0] if outcome.error else f"{self._monitor} {outcome.value:.4f}"
        left = sum(self._seconds) / done * (self._count - done) / min(at_once, max(1, self._count - done))
        rest = f", about {left / 60:.0f} min left" if left >= 60 else ""
        print(
            f"[{done}/{self._count}] job {outcome.number} ended: {outcome.name}: {how} ({outcome.seconds:.0f} s{rest})",
            flush=True,
        )
        return outcome


def _near(path: Path) -> str:
    """Returns a path as short as it can be typed here."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _as_return(outcome: Outcome, overrides: Sequence[str], plain_sweep: bool) -> JobReturn:
    failed = outcome.exit_code != 0 and not plain_sweep
    value = sweep.failure([outcome], 1) if failed else outcome.value
    status = JobStatus.FAILED if failed else JobStatus.COMPLETED
    return JobReturn(overrides=list(overrides), status=status, _return_value=value)
