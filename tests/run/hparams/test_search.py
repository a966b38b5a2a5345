"""A search: suggested, run, pruned, told, continued; trainings are formulas except in the last tests."""

import math
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import mlflow
import pandas as pd
import processes
import pytest
import yaml
from conftest import CommandLine, environment_for
from processes import Process
from search_contract import EPOCHS, last_study, run_search
from tiny_runs import client_of, runs_of

from fer_exp.errors import ConfigError, SweepError
from fer_exp.options import commandline
from fer_exp.run import owner
from fer_exp.run.hparams import trial

LR = "lr=tag(log,interval(1e-4,1e-1))"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def rising(values: Mapping[str, str]) -> list[float]:
    """Best at lr=1e-2, from the first epoch on."""
    miss = abs(math.log10(float(values["lr"])) + 2)
    return [epoch / EPOCHS - miss / 10 for epoch in range(1, EPOCHS + 1)]


def test_the_best_value_is_found_and_its_command_given() -> None:
    found = run_search(rising, LR, "model.head_units=choice(128,256)", "hydra.sweeper.n_trials=20")
    best = found.study.best_trial
    assert found.best == best.value == max(t.value for t in found.study.trials if t.value is not None)
    assert found.best > 0.97
    left = yaml.safe_load((found.folder / "best.yaml").read_text())
    assert left["overrides"] == [
        f"epochs={EPOCHS}",
        f"lr={best.params['lr']!r}",
        f"model.head_units={best.params['model.head_units']}",
    ]
    assert shlex.split((found.folder / "best_command.txt").read_text()) == [
        "python",
        "-m",
        "fer_exp",
        *left["overrides"],
    ]
    assert {path.name for path in found.folder.iterdir()} == {
        "best.yaml", "best_command.txt", "optimization_history.png", "param_importances.png", "trials.csv",
    }  # fmt: skip
    assert found.tags["study"] == found.study.study_name


def test_as_many_trials_are_handed_to_the_launcher_at_once_as_asked_for() -> None:
    found = run_search(rising, LR, "hydra.sweeper.n_trials=5", "hydra.sweeper.n_jobs=2")
    assert [len(batch) for batch in found.launcher.batches] == [2, 2, 1]
    numbers = [job[f"hydra.job.env_set.{trial.NUMBER_ENV}"] for batch in found.launcher.batches for job in batch]
    assert numbers == ["'0'", "'1'", "'2'", "'3'", "'4'"]


def test_hopeless_trials_are_pruned_and_count(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_search(
        rising, "lr=choice(0.01,0.1,1e-4)", "seed=choice(0,1,2,3)", "hydra.sweeper.n_trials=8",
        "hydra/sweeper/sampler=random", "hydra.sweeper.pruner.n_startup_trials=2",
    )  # fmt: skip
    states = found.states()
    assert len(states) == 8
    assert set(states) == {"COMPLETE", "PRUNED"}
    table = pd.read_csv(found.folder / "trials.csv")
    pruned = table[table["state"] == "PRUNED"]
    assert (pruned["pruned_after_epoch"] == pruned["epochs"]).all()
    assert (pruned["epochs"] == 2).all(), "the first epoch is warm-up; these trials are worse from the start"
    assert (table[table["state"] == "COMPLETE"]["epochs"] == EPOCHS).all()
    assert "pruned after epoch 2" in capsys.readouterr().out


def test_without_a_pruner_every_trial_ends() -> None:
    found = run_search(rising, LR, "hydra.sweeper.n_trials=4", "hydra/sweeper/pruner=none")
    assert found.states() == ["COMPLETE"] * 4


def test_the_same_values_are_not_run_twice(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_search(rising, "lr=choice(0.01,0.1)", "hydra.sweeper.n_trials=6", "hydra/sweeper/pruner=none")
    assert sum(len(batch) for batch in found.launcher.batches) == 2
    assert found.states() == ["COMPLETE"] * 6
    assert "the same values as trial 0, not run again" in capsys.readouterr().out


def test_the_same_command_again_goes_on_up_to_the_number_in_total(capsys: pytest.CaptureFixture[str]) -> None:
    first = run_search(rising, LR, "hydra.sweeper.n_trials=3")
    again = run_search(rising, LR, "hydra.sweeper.n_trials=5")
    assert "3 of 5 trials were done before" in capsys.readouterr().out
    assert again.study.study_name == first.study.study_name
    assert len(again.launcher.batches) == 2
    values = [found.params["lr"] for found in again.study.trials]
    assert len(set(values)) == 5, "a continued search does not suggest what it began with"
    done = run_search(rising, LR, "hydra.sweeper.n_trials=5")
    assert done.launcher.batches == []
    assert done.best == again.best
    assert (done.folder / "best.yaml").is_file()


def test_another_experiment_or_other_values_are_another_study() -> None:
    studies = {
        run_search(rising, *arguments, "hydra.sweeper.n_trials=1").study.study_name
        for arguments in ([LR], [LR, "batch_size=64"], ["lr=tag(log,interval(1e-4,1))"], [LR, "resume=never"])
    }
    assert len(studies) == 4


def test_resume_never_begins_a_new_study() -> None:
    for count in (1, 2, 3):
        found = run_search(rising, LR, "resume=never", "hydra.sweeper.n_trials=1")
        assert len(found.launcher.batches) == 1
        assert found.study.study_name.endswith(f"-{count}") == (count > 1)


def test_a_trial_whose_process_is_gone_is_tried_again_with_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    run_search(rising, LR, "hydra.sweeper.n_trials=1")
    study = last_study()
    gone = study.ask()
    gone.suggest_float("lr", 1e-4, 1e-1, log=True)
    for key, value in {**owner.mark(), owner.PID: "1", owner.STARTED: "0"}.items():
        gone.set_user_attr(key, value)
    found = run_search(rising, LR, "hydra.sweeper.n_trials=3")
    assert found.states() == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert found.study.trials[2].params == gone.params
    assert "trial 1 was left behind by a killed process: its values are tried again" in capsys.readouterr().out


def test_a_trial_that_was_pruned_before_its_search_was_killed_stays_pruned() -> None:
    run_search(rising, LR, "hydra.sweeper.n_trials=1")
    pruned = last_study().ask()
    pruned.suggest_float("lr", 1e-4, 1e-1, log=True)
    pruned.set_user_attr("pruned_after_epoch", 3)
    assert run_search(rising, LR, "hydra.sweeper.n_trials=2").states() == ["COMPLETE", "PRUNED"]


def test_a_trial_of_a_process_that_is_alive_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    run_search(rising, LR, "hydra.sweeper.n_trials=1")
    asked = last_study().ask()
    for key, value in owner.mark().items():
        asked.set_user_attr(key, value)
    assert run_search(rising, LR, "hydra.sweeper.n_trials=2").states() == ["COMPLETE", "RUNNING", "COMPLETE"]
    assert f"trial 1 belongs to process {os.getpid()}" in capsys.readouterr().out


def diverging(values: Mapping[str, str]) -> Sequence[float]:
    if float(values["lr"]) > 0.01:
        raise ValueError("the loss became nan")
    return rising(values)


def test_failed_trials_do_not_count_and_few_of_them_are_borne(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_search(diverging, LR, "hydra.sweeper.n_trials=4", "hydra.sweeper.max_failure_rate=1.0")
    states = found.states()
    assert states.count("FAIL") >= 1
    assert len(states) - states.count("FAIL") == 4
    printed = capsys.readouterr()
    assert "failed: the loss became nan" in printed.out
    assert "ValueError: the loss became nan" in printed.err, "what is no user's mistake keeps its traceback"


def test_too_many_failed_trials_end_the_search_but_not_its_results() -> None:
    with pytest.raises(SweepError) as caught:
        run_search(
            lambda values: diverging({"lr": "1"}), LR, "hydra.sweeper.n_trials=10", "hydra.sweeper.max_failure_rate=0.2"
        )
    assert str(caught.value).splitlines() == [
        "the loss became nan", "the loss became nan", "the loss became nan",
        "3 trials failed, more than hydra.sweeper.max_failure_rate=0.2 of hydra.sweeper.n_trials=10 allows. "
        "The same command again goes on with the others.",
    ]  # fmt: skip
    assert [found.state.name for found in last_study().trials] == ["FAIL"] * 3


def test_a_single_completed_trial_is_too_few_for_importances(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_search(rising, LR, "hydra.sweeper.n_trials=1")
    assert "Importances need two completed trials; there is one." in capsys.readouterr().out
    assert not (found.folder / "param_importances.png").exists()
    assert (found.folder / "optimization_history.png").is_file()


def test_the_metric_says_the_direction_and_a_study_keeps_it() -> None:
    found = run_search(rising, LR, "hydra.sweeper.n_trials=1", "hydra.sweeper.study_name=mine")
    assert found.study.direction.name == "MAXIMIZE"
    with pytest.raises(ConfigError, match="mine compares its trials by val/accuracy, not by val/loss"):
        run_search(rising, LR, "hydra.sweeper.study_name=mine", "monitor=val/loss")
    run_search(rising, "lr=choice(0.1,0.2)", "hydra.sweeper.n_trials=1", "hydra.sweeper.study_name=other")
    with pytest.raises(ConfigError, match="other chooses `lr` from other values"):
        run_search(rising, "lr=choice(0.1,0.3)", "hydra.sweeper.study_name=other")


def problems(*arguments: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        commandline.check(["-m", *arguments])
    return list(caught.value.problems)


SEARCH = ["hydra/sweeper=optuna", LR]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            "hydra/sweeper/sampler=tpee",
            "`hydra/sweeper/sampler` must be one of random, tpe. Received: hydra/sweeper/sampler=tpee. "
            "Did you mean hydra/sweeper/sampler=tpe?",
        ),
        ("hydra/sweeper/pruner=medain", "Did you mean hydra/sweeper/pruner=median?"),
        (
            "hydra.sweeper.n_trials=0",
            "`hydra.sweeper.n_trials` must be greater than 0. Received: hydra.sweeper.n_trials=0.",
        ),
        ("hydra.sweeper.n_jobs=two", "`hydra.sweeper.n_jobs` must be a valid integer."),
        ("hydra.sweeper.max_failure_rate=2", "`hydra.sweeper.max_failure_rate` must be less than or equal to 1."),
        (
            "+hydra.sweeper.n_trial=3",
            "`hydra.sweeper.n_trial` is not an option of hydra/sweeper=optuna. Received: hydra.sweeper.n_trial=3. "
            "Did you mean `hydra.sweeper.n_trials`?",
        ),
        ("hydra.sweeper.sampler.seed=-1", "`hydra.sweeper.sampler.seed` must be greater than or equal to 0."),
        ("+hydra.sweeper.pruner.n_warmup=1", "Did you mean `hydra.sweeper.pruner.n_warmup_steps`?"),
        ("hydra.sweeper.direction=up", "`hydra.sweeper.direction` must be 'minimize' or 'maximize'"),
        (
            "hydra.sweeper.direction=maximize monitor=val/loss",
            "`hydra.sweeper.direction` must be minimize for val/loss, or null, which follows the metric.",
        ),
        ("monitor=train/accuracy", "`monitor` of a search must be measured on the validation split."),
        ("monitor=val/loss,val/accuracy", "`monitor` cannot be searched"),
        ("lr=0.1", "A search needs a key to search"),
        ("lr=interval(1,0.1)", "`lr` must go from a smaller to a larger number"),
        ("lr=interval(-1,0.1)", "`lr` must be greater than 0. Received: lr=-1.0."),
        ("epochs=interval(1,3)", "`epochs` must be a valid integer. Received: epochs=1.0."),
        ("model.alpah=interval(0,1)", "`model.alpah` is not an option of model=cnn."),
        ("hydra/sweeper=basic", "`lr` cannot be run for every value: an interval needs a search"),
        (
            "hydra/sweeper/pruner=hyperband hydra.sweeper.pruner.min_resource=9",
            "`hydra.sweeper.pruner.min_resource` must not be larger than epochs=3.",
        ),
        ("hparams_search=cnn model.head_dropout=interval(0.1,1.0)", "`model.head_dropout` must be less than 1."),
    ],
)
def test_a_mistake_is_told_before_anything_runs(changes: str, message: str) -> None:
    keys = [change.split("=")[0] for change in changes.split()]
    kept = [override for override in SEARCH if override.split("=")[0] not in keys]
    assert any(message in problem for problem in problems(*kept, *changes.split()))


def test_all_mistakes_are_told_at_once() -> None:
    found = problems(*SEARCH, "monitor=train/loss", "epochs=1,0", "model.head_units=choice(8,-8)")
    assert [problem.split("`")[1] for problem in found] == ["epochs", "model.head_units", "monitor"]


def test_checking_a_search_imports_neither_optuna_nor_what_is_heavy() -> None:
    script = (
        "import sys; from fer_exp.options import commandline; commandline.check(['-m', 'hparams_search=cnn']);"
        "print([m for m in ('tensorflow', 'optuna', 'mlflow', 'pandas', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_storage_that_cannot_be_used_is_refused_before_a_run_is_opened(
    command_line: CommandLine, tmp_path: Path
) -> None:
    done = command_line("-m", *SEARCH, "hydra.sweeper.storage=nonsense")
    assert done.returncode == 2
    assert "error: `hydra.sweeper.storage` must be a database that can be used:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "mlflow.db").exists()


TINY = (
    "hydra/sweeper=optuna", "hydra/sweeper/pruner=successive_halving", "hydra.sweeper.pruner.reduction_factor=2",
    "hydra.sweeper.pruner.min_resource=2", "lr=tag(log,interval(1e-4,1.0))", "model.widths=[4,4]", "model.head_units=8",
    "dataset.train_size=280", "dataset.val_size=70", "dataset.test_size=70", "epochs=4", "monitor=val/loss",
    "early_stopping=null", "export=none", "deterministic=true", "tracking.system_metrics=false",
)  # fmt: skip


def start_search(folder: Path, *arguments: str) -> Process:
    return Process("fer_exp", ["-m", *TINY, *arguments], folder, environment_for())


@pytest.fixture(scope="module")
def killed_and_repeated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A search of four trials, its processes killed while the second one trained; and what the next command printed."""
    folder = tmp_path_factory.mktemp("search")
    process = start_search(folder, "hydra.sweeper.n_trials=4")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("trial 0:"):
            break
    for line in process.stdout:
        if line.startswith("epoch   1/4"):
            break
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process = start_search(folder, "hydra.sweeper.n_trials=4")
    printed, _ = process.communicate(timeout=400)
    assert process.returncode == 0, printed
    return folder, printed


def parent_of(folder: Path) -> mlflow.entities.Run:
    return next(run for run in runs_of(folder) if "sweep" in run.data.tags)


@pytest.mark.whole
def test_a_killed_search_goes_on_with_the_values_it_was_trying(killed_and_repeated: tuple[Path, str]) -> None:
    folder, printed = killed_and_repeated
    trials = last_study(f"sqlite:///{folder / 'optuna.db'}").trials
    states = [found.state.name for found in trials]
    assert "1 of 4 trials were done before" in printed
    assert states[:2] == ["COMPLETE", "FAIL"]
    assert trials[2].params == trials[1].params
    assert len(states) == 5
    assert states.count("FAIL") == 1
    assert "PRUNED" in states
    assert printed.count("Going on with run") == 1


@pytest.mark.whole
def test_each_trial_is_a_run_under_the_parent_and_a_pruned_one_says_so(killed_and_repeated: tuple[Path, str]) -> None:
    folder, _ = killed_and_repeated
    parent, client = parent_of(folder), client_of(folder)
    trials = last_study(f"sqlite:///{folder / 'optuna.db'}").trials
    children = [run for run in runs_of(folder) if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert {run.info.status for run in [parent, *children]} == {"FINISHED"}
    assert len(children) == 4, "what was half trained went on in its own run"
    assert parent.data.tags["study"] == children[0].data.tags["study"]
    for run in children:
        found = trials[int(run.data.tags["trial"])]
        assert float(run.data.tags["sweep.lr"]) == found.params["lr"]
        history = {entry.step: entry.value for entry in client.get_metric_history(run.info.run_id, "val/loss")}
        assert history == pytest.approx(found.intermediate_values)
        if found.state.name == "PRUNED":
            assert run.data.tags["pruned"] == f"after epoch {max(history)}"
            assert max(history) == 2
            assert "test/accuracy" not in run.data.metrics
            assert not (Path(run.data.tags["folder"]) / "snapshots").exists()
        else:
            assert run.data.metrics["best_val/loss"] == found.value
    table = pd.read_csv(client.download_artifacts(parent.info.run_id, "leaderboard.csv"))
    pruned = table[table["status"].str.startswith("PRUNED after epoch")]
    assert len(pruned) == sum(found.state.name == "PRUNED" for found in trials)
    assert pruned["rank"].min() == len(table) - len(pruned) + 1, "they stand last"


@pytest.mark.whole
def test_what_a_search_found_is_recorded_and_its_best_command_gives_the_same_value(
    killed_and_repeated: tuple[Path, str],
) -> None:
    folder, printed = killed_and_repeated
    parent, client = parent_of(folder), client_of(folder)
    names = {entry.path.removeprefix("search/") for entry in client.list_artifacts(parent.info.run_id, "search")}
    assert names >= {"best.yaml", "best_command.txt", "optimization_history.png", "trials.csv"}
    best = yaml.safe_load(Path(client.download_artifacts(parent.info.run_id, "search/best.yaml")).read_text())
    assert best["command"] in printed
    words = shlex.split(best["command"])
    done = processes.run(words[2], words[3:], folder, environment_for())
    assert done.returncode == 0, done.stderr
    assert runs_of(folder)[-1].data.metrics["best_val/loss"] == best["val/loss"]
