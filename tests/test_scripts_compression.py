"""What is measured on compression is what its document says."""

from pathlib import Path
from typing import Any

import compression_chain
import compression_costs
import mlflow
import pandas as pd
import pytest
from answers import answered, right
from compression_studies import STUDIES, Study
from contracts import compose, node
from made_run import make_run, tracker_of
from test_scripts import script

from fer_exp.data.inputs import image
from fer_exp.options import config

RUN = "ab" * 16
DATA = ["dataset=fer2013", "dataset.path=x.csv", "dataset.val=0.1", "dataset.test=PublicTest"]


def commands(study: Study, weights: str = "w.h5") -> dict[str, list[str]]:
    return {title: step.command(DATA, 0, weights, RUN, []) for title, step in study.steps.items()}


@pytest.mark.parametrize("name", list(STUDIES))
def test_the_steps_of_a_study_are_configurations_that_differ(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    composed: list[dict[str, Any]] = []
    for words in commands(STUDIES[name], str(tmp_path / "file")).values():
        composed.append(compose(*[word.replace("x.csv", str(tmp_path / "file")) for word in words]))
        config.check(composed[-1])
    assert len({str(values) for values in composed}) == len(composed) > 0


@pytest.mark.parametrize("name", [name for name in STUDIES if name.startswith("pruning")])
def test_the_pruned_and_the_whole_network_get_the_same_extra_training(name: str) -> None:
    words = commands(STUDIES[name])
    whole = [word for word in words["trained on"] if word != "pruning.ratio=0"]
    halves = [title for title in words if title.startswith("half")]
    assert halves
    scores = {"batch norm": [], "kernels": ["pruning.score=l1"], "the loss": ["pruning.score=taylor"]}
    for title in halves:
        assert set(words[title]) - set(whole) == {"pruning.ratio=0.5", *scores[title.partition(" by ")[2]]}
        assert set(whole) <= set(words[title])


def test_the_student_has_at_most_three_hundred_thousand_parameters() -> None:
    words = commands(STUDIES["distillation"])["student alone"]
    values = compose(*[word for word in words if word.startswith(("experiment=", "model"))])
    assert config.build(values["model"], image((48, 48, 1)), 7).count_params() <= 300_000


@pytest.mark.whole
def test_finished_runs_are_not_repeated_and_become_a_table(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    tracker = config.build(node("tracking", "mlflow", uri=uri, experiment="compression", system_metrics=False))
    study = STUDIES["pruning_cnn"]
    accuracy = {
        "trained": [0.60, 0.62],
        "trained on": [0.61, 0.63],
        "half, by batch norm": [0.60, 0.62],  # -1 and -1 points
        "half, by kernels": [0.60, 0.64],  # -1 and +1
        "half, by the loss": [0.62, 0.64],  # +1 and +1
    }
    for seed in range(2):
        source = ""
        for title, step in study.steps.items():
            tags = {
                "overrides": " ".join([*step.command(DATA, seed, "w.h5", source, []), f"tracking.uri={uri}"]),
                "multiply_adds": 4_000_000 if "half" not in title else 2_000_000,
                "parameters": 1000,
            }
            folder = tmp_path / f"{title} {seed}"
            folder.mkdir()
            with tracker.run(title, {}, tags, folder=folder) as run:
                run.log_metrics({"test/accuracy": accuracy[title][seed], "test/macro_f1": 0.5})
            source = source or run.run_id
    page = tmp_path / "page.md"
    page.write_text("<!-- pruning_cnn -->\n<!-- end of pruning_cnn -->\n")
    arguments = ["--only", "pruning_cnn", "--data", "x.csv", "--weights", "w.h5", "--uri", uri]
    arguments += ["--seeds", "2", "--no-costs", "--document", str(page)]
    done = script("compression.py", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    text = page.read_text()
    # Student's t with 1 degree of freedom is 12.7: 60 and 62 have a standard error of 1, their differences one of 0.
    assert "| half, by batch norm | 2.00 M | 1,000 | 61.0 ± 12.7 | 50.0 ± 0.0 | +0.0 ± 0.0 | -1.0 ± 0.0 |" in text
    assert "- half, by batch norm is worse than trained on by 1.0 points (± 0.0)." in text
    assert "- half, by batch norm against trained: no difference shown (+0.0 points" in text
    assert "- half, by kernels against trained on: no difference shown (+0.0 points" in text
    listed = script("compression.py", *arguments, "--seeds", "3", "--list", cwd=tmp_path)
    lines = listed.stdout.splitlines()
    assert len(lines) == 5
    assert all("seed=2" in line for line in lines)
    assert "pruning.run=id-of-trained-seed-2" in lines[1]


def test_networks_are_measured_as_int8_files_side_by_side(tmp_path: Path) -> None:
    tracker = tracker_of(tmp_path)
    runs = {name: make_run(tracker, tmp_path / name, answered(right(0.5, 0))) for name in ("whole", "slim")}
    client = mlflow.MlflowClient(tracker.uri)
    costs = compression_costs.of_networks(tracker.uri, {name: client.get_run(run) for name, run in runs.items()})
    assert list(costs) == ["whole", "slim"]
    assert costs["whole"].faster == 1
    assert all(cost.latency_ms > 0 and 0 < cost.size_mb < 0.1 for cost in costs.values())


@pytest.mark.whole
def test_a_chain_is_told_stage_by_stage_and_file_by_file(tmp_path: Path) -> None:
    def table(source: float, pruned: float, int8: float) -> pd.DataFrame:
        rows: list[dict[str, object]] = [
            {"stage": "source", "multiply_adds": 4e6, "parameters": 2000.0, "test_accuracy": source},
            {"stage": "prune", "multiply_adds": 2e6, "parameters": 1000.0, "test_accuracy": pruned, "int8 MB": 0.2,
             "int8 accuracy": int8, "int8 ms": 0.3},
        ]  # fmt: skip
        return pd.DataFrame(rows)

    lines = compression_chain.section([table(0.60, 0.61, 0.58), table(0.62, 0.63, 0.60)]).splitlines()
    assert lines[2:5] == [
        "| source | 4.00 M | 2,000 |  |  | 61.0 ± 12.7 |  |",
        "| prune | 2.00 M | 1,000 |  |  | 62.0 ± 12.7 | +1.0 ± 0.0 |",
        "| prune, int8 | 2.00 M | 1,000 | 0.20 | 0.30 | 59.0 ± 12.7 | -2.0 ± 0.0 |",
    ]
    assert lines[-1] == "- prune, int8 is worse than source by 2.0 points (± 0.0)."
    refused = script("compression_chain.py", "--uri", f"sqlite:///{tmp_path / 'none.db'}", cwd=tmp_path)
    assert refused.returncode == 2
    assert "Received: none of seed 0." in refused.stderr
    text = compression_chain.DOCUMENT.read_text()
    assert text.index("<!-- chain -->") < text.index("<!-- end of chain -->")
