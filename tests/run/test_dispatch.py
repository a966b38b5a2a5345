"""From a multirun's overrides to plain commands: what a job is given, and what is told before any of them runs."""

from pathlib import Path

import pytest
import yaml
from conftest import CommandLine
from tiny_runs import runs_of

from fer_exp.process import Job, Outcome
from fer_exp.run import dispatch

TINY = (
    "model.widths=[4,4]", "model.head_units=8", "dataset.train_size=70", "dataset.val_size=70", "dataset.test_size=70",
    "export=none", "tracking.system_metrics=false",
)  # fmt: skip


def test_values_that_do_not_go_together_are_told_before_any_job_runs(command_line: CommandLine, tmp_path: Path) -> None:
    """Each value is right by itself, which is all that is looked at before the sweep is opened."""
    done = command_line("-m", "epochs=2,1", "schedule.warmup_epochs=0,1", *TINY)
    assert done.returncode == 2
    assert "error: `schedule.warmup_epochs` must be smaller than epochs=1. Received: schedule.warmup_epochs=1." in (
        done.stderr
    )
    assert "(job 3: epochs=1 schedule.warmup_epochs=1" in done.stderr
    assert [run.info.status for run in runs_of(tmp_path)] == ["FAILED"]


def test_a_job_gets_the_configuration_that_the_command_line_names(command_line: CommandLine, tmp_path: Path) -> None:
    """Another configuration, more options from a folder, and what is said to Hydra itself."""
    (tmp_path / "own" / "model").mkdir(parents=True)
    option = {"_target_": "fer_exp.model.cnn.build", "widths": [4, 4], "batch_norm": True, "block_dropout": 0.0}
    option |= {"head_units": 8, "head_dropout": 0.0, "l2": 0.0}
    (tmp_path / "own" / "model" / "mine.yaml").write_text(yaml.safe_dump(option))
    done = command_line(
        "-m", "--config-dir", str(tmp_path / "own"), "model=mine", "epochs=1", "hydra.sweep.dir=here",
        "hydra.sweep.subdir='seed ${seed}'", "+hydra.job.env_set.MARK=set", "seed=3", *TINY[2:],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    overrides = yaml.safe_load((tmp_path / "here" / "seed 3" / ".hydra" / "overrides.yaml").read_text())
    assert [o.lower() for o in overrides] == ["model=mine", "epochs=1", "seed=3", *TINY[2:]]  # Hydra writes False
    hydra = yaml.safe_load((tmp_path / "here" / "seed 3" / ".hydra" / "hydra.yaml").read_text())["hydra"]
    assert hydra["job"]["env_set"] == {"MARK": "set"}
    assert hydra["job"]["num"] == 0


def job(number: int, log: Path | None = None) -> Job:
    return Job(number, f"seed={number}", [], Path.cwd(), log)


def ended(number: int, seconds: float, value: float = 0.5, error: str = "") -> Outcome:
    return Outcome(number, f"seed={number}", int(bool(error)), value, error, seconds)


def test_each_job_tells_its_start_its_log_its_end_and_what_its_value_is(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = dispatch._Told(6, "val/accuracy")
    for number in range(2):
        told.begun(job(number, tmp_path / "multirun" / f"{number}.log"))
    told.ended(ended(1, 120.0))
    told.begun(job(2))
    told.ended(ended(0, 120.0, error="`lr` is bad\nand more"))
    assert capsys.readouterr().out.splitlines() == [
        "[1/6] job 0 begins: seed=0, log: multirun/0.log",
        "[2/6] job 1 begins: seed=1, log: multirun/1.log",
        # Five jobs of two minutes are left, two at once.
        "[1/6] job 1 ended: seed=1: val/accuracy 0.5000 (120 s, about 5 min left)",
        "[3/6] job 2 begins: seed=2",
        "[2/6] job 0 ended: seed=0: `lr` is bad (120 s, about 4 min left)",
    ]
