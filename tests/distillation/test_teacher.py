"""A finished run teaches the next one, from the command line on; what cannot be is told before anything is recorded."""

from pathlib import Path

import mlflow
import pytest
from conftest import CommandLine
from contracts import compose, node

from fer_exp.distillation import Distillation
from fer_exp.errors import ConfigError
from fer_exp.options import config

RUN, OTHER = "a" * 32, "b" * 32
TINY = (
    "model.widths=[4,4]", "model.head_units=8", "dataset.train_size=140", "dataset.val_size=70", "dataset.test_size=70",
    "epochs=1", "export=none", "tracking.system_metrics=false",
)  # fmt: skip


def test_one_run_or_several_are_named_each_once() -> None:
    one = config.build(node("distillation", "teacher", run=RUN, temperature=2.0, weight=0.5))
    assert one == Distillation((RUN,), 2.0, 0.5)
    assert config.build(node("distillation", "teacher", run=[RUN, OTHER, RUN])).runs == (RUN, OTHER)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run": "mine"}, "`distillation.run` must be the id of a run (32 hex digits, or the first 8)"),
        ({"run": []}, "`distillation.run` must be"),
        ({"run": [RUN, "mine"]}, "`distillation.run.1` must be the id of a run (32 hex digits, or"),
        ({"run": RUN, "temperature": 0.0}, "`distillation.temperature` must be greater than 0"),
        ({"run": RUN, "weight": 1.5}, "`distillation.weight` must be less than or equal to 1"),
    ],
)
def test_a_bad_value_is_named_with_its_rule(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        config.build(node("distillation", "teacher", **changes))
    assert message in str(caught.value)


def test_a_teacher_without_a_run_is_asked_for_one() -> None:
    with pytest.raises(
        ConfigError, match="`distillation.run` of distillation=teacher must be given: distillation.run="
    ):
        config.check(compose("distillation=teacher") | {})


def test_several_machines_cannot_have_a_teacher() -> None:
    with pytest.raises(
        ConfigError, match="`distillation` must be none with strategy=multi_worker: its other processes"
    ):
        config.check(
            compose("distillation=teacher", f"distillation.run={RUN}", "strategy=multi_worker", "resume=never")
        )


def test_a_run_learns_from_a_finished_one_and_says_so(command_line: CommandLine, tmp_path: Path) -> None:
    first = command_line(*TINY, "seed=1")
    assert first.returncode == 0, first.stderr
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (experiment,) = [found for found in client.search_experiments() if found.name == "fer_exp"]
    (knowing,) = client.search_runs([experiment.experiment_id])
    told = ("distillation=teacher", f"distillation.run={knowing.info.run_id}")
    second = command_line(*TINY, *told)
    assert second.returncode == 0, second.stderr
    assert f"taught by {knowing.info.run_id}, validation accuracy" in second.stdout
    taught = next(run for run in client.search_runs([experiment.experiment_id]) if run.info.run_id not in told[1])
    assert taught.data.tags["distilled_from"] == knowing.info.run_id
    assert taught.data.metrics["teacher/val_accuracy"] == pytest.approx(knowing.data.metrics["best_val/accuracy"])
    assert taught.data.metrics["teacher/val_loss"] == pytest.approx(knowing.data.metrics["val/loss"], rel=1e-3)
    strange = command_line(*TINY, "distillation=teacher", f"distillation.run={OTHER}")
    assert strange.returncode == 2
    assert f"Received: {OTHER}, which is not there." in strange.stderr
    assert "Error executing job" not in strange.stderr  # Hydra's words for a defect
    assert len(client.search_runs([experiment.experiment_id])) == 2
