"""From a multirun's overrides to plain commands: what a job is given, and what is told before any of them runs."""

from pathlib import Path

import yaml
from conftest import CommandLine
from test_experiment import runs_of

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
