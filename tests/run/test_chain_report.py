"""The table of a chain shows what each run has recorded, in the order of the stages."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from finished_runs import tracker_in

from fer_exp.run import chain_report, sweep
from fer_exp.run.chain_report import shown, stage_tags, table
from fer_exp.tracking import Tracker


def finished(tracker: Tracker, folder: Path, name: str, cost: int, **metrics: float) -> str:
    (folder / name).mkdir()
    tags = {"multiply_adds": cost, "parameters": 10 * cost}
    with tracker.run(name, {"checkpoint.monitor": "val/macro_f1"}, tags, folder=folder / name) as run:
        run.log_metrics({key.replace("__", "/"): value for key, value in metrics.items()})
    return run.run_id


@pytest.fixture
def tracker(tmp_path: Path) -> Tracker:
    return tracker_in(tmp_path)


def test_stages_stand_in_order_behind_the_source(tracker: Tracker, tmp_path: Path) -> None:
    whole = {"best_val__macro_f1": 0.5, "test__accuracy": 0.6, "test__macro_f1": 0.55}
    source = finished(tracker, tmp_path, "source", 2_000_000, **whole)
    names = [f"s{number}" for number in range(11)]  # more than ten: the tenth must not stand behind the first
    runs = {name: finished(tracker, tmp_path, name, 1000 * place) for place, name in enumerate(names, 1)}
    last = {
        "tflite__int8__size_mb": 0.25,
        "tflite__int8__accuracy": 0.59,
        "tflite__int8__latency_ms_p50": 0.3,
        "test__accuracy": 0.595,
    }
    runs["last"] = finished(tracker, tmp_path, "last", 1_000_000, **last)
    found = table(tracker, {"started_from": source, **stage_tags(runs)})
    assert found["stage"].tolist() == ["source", *names, "last"]
    assert found["run_id"].tolist() == [source, *runs.values()]
    assert found["val_macro_f1"].iloc[0] == 0.5
    assert found["int8 MB"].iloc[-1] == 0.25
    assert np.isnan(found["int8 MB"].iloc[0])
    networks, files = shown(found)
    assert networks.iloc[0].to_dict() == {
        "stage": "source",
        "multiply-adds": "2.00 M",
        "parameters": "20,000,000",
        "val macro-F1": "0.5000",
        "test accuracy": "0.6000",
        "test macro-F1": "0.5500",
    }
    assert networks.iloc[-1]["test macro-F1"] == "-"
    assert files.to_dict("records") == [
        {"stage": "last", "file": "int8.tflite", "MB": "0.25", "test accuracy": "0.5900", "p50, ms": "0.30"}
    ]


def test_the_table_is_made_again_by_whoever_finishes_a_sweep(tracker: Tracker, tmp_path: Path) -> None:
    source = finished(tracker, tmp_path, "source", 200)
    tags = {chain_report.TAG: "two", chain_report.SOURCE: source}
    with tracker.parent("chain", tags) as chain:
        chain.set_tags(stage_tags({"prune": finished(tracker, tmp_path, "prune", 100)}))
    sweep.finish(tracker, chain.run_id)
    file = tracker.download(chain.run_id, "compression.csv", tmp_path)
    assert file is not None
    assert pd.read_csv(file)["stage"].tolist() == ["source", "prune"]
    record = tracker.record(chain.run_id)
    assert record is not None
    assert f"Compression of run {source} by two." in record.tags["mlflow.note.content"]
    assert "| prune | 0.00 M | 1,000 |" in record.tags["mlflow.note.content"]
