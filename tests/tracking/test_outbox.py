"""Nothing is lost when a real `mlflow server` is killed or hangs in the middle of a run, and nothing arrives twice."""

import logging
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pytest
from contracts import node
from mlflow_server import Server, serving
from rich.console import Console

import fer_exp.tracking.mlflow as option
from fer_exp.dataset import Split, Splits
from fer_exp.errors import TrackingError
from fer_exp.options import config
from fer_exp.record import mlflow_run, names, outbox
from fer_exp.record.sender import Sender
from fer_exp.run import owner
from fer_exp.sync import sync
from fer_exp.tracking.mlflow import MlflowTracker

pytestmark = pytest.mark.whole

IMAGES = np.zeros((2, 8, 8, 1), np.uint8)
SPLIT = Split.of_images(IMAGES, np.array([0, 1]))
SPLITS = Splits(SPLIT, SPLIT, SPLIT, ("calm", "happy"), "0" * 64, "drawn")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    yield from serving(tmp_path_factory.mktemp("server"))


@pytest.fixture(autouse=True)
def folder(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    server: Server,
) -> Iterator[Path]:
    """The folder of a run, a server that answers, and little patience."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mlflow_run, "_PATIENCE_SECONDS", 1.5)
    server.start()
    server.line.mend()
    run = tmp_path / "outputs" / "run"
    run.mkdir(parents=True)
    yield run
    server.signal(signal.SIGCONT)


def tracker(server: Server) -> MlflowTracker:
    built: MlflowTracker = config.build(node("tracking", "mlflow", uri=server.uri, system_metrics=False))
    return built


def deliver_by_hand(*arguments: str, roots: tuple[Path, ...] = ()) -> tuple[int, str]:
    screen = Console(record=True, width=400)
    left = sync(list(roots), list(arguments), screen)
    return left, screen.export_text()


def test_a_run_whose_server_dies_goes_on_and_all_arrives_when_it_is_back(
    server: Server,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(mlflow_run, "_PATIENCE_SECONDS", 60.0)
    (folder / "tables").mkdir()
    (folder / "tables" / "a.csv").write_text("x\n1\n")
    with tracker(server).run("name", {"lr": 0.1}, {"folder": folder}, folder=folder) as run:
        run.log_metrics({"val/loss": 1.0}, 1)
        server.kill()
        for step in (2, 3, 4):
            run.log_metrics({"val/loss": 1.0 / step}, step)
            time.sleep(0.7)
        run.set_tags({"later": 1})
        run.log_text("seen", "console.txt")
        run.log_folder(folder / "tables")
        server.start()
    found = server.run(run.run_id)
    assert (found.info.status, found.data.params["lr"], found.data.tags["later"]) == ("FINISHED", "0.1", "1")
    assert server.steps(run.run_id, "val/loss") == [1, 2, 3, 4]
    assert server.artifact(run.run_id, "tables/a.csv").read_text() == "x\n1\n"
    assert server.artifact(run.run_id, "console.txt").read_text() == "seen"
    assert not outbox.exists(folder)
    assert [record.levelname for record in caplog.records if record.name.startswith("fer_exp")] in (
        ["WARNING"],
        ["WARNING", "INFO"],
    )


def test_a_hanging_server_costs_the_run_nothing_and_sync_delivers_what_is_left(
    server: Server,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "3")
    opened = tracker(server)
    with opened.run("name", {}, {"folder": folder}, folder=folder) as run:
        run.log_metrics({"val/loss": 1.0}, 1)
        server.signal(signal.SIGSTOP)
        for step in range(2, 51):
            run.log_metrics({"val/loss": 1.0 / step}, step)  # one that waited for the server would wait for ever
        ended = time.time()
    told = caplog.records[-1].message
    assert f"records of run {run.run_id} (name) were not delivered to {server.uri}: no answer in time." in told
    assert told.endswith(f"They are kept in {folder / 'outbox'}; deliver them with: python -m fer_exp.sync {folder}")
    left, said = deliver_by_hand(roots=(folder,))
    assert left == 1
    assert "still kept: `tracking.uri` must be a server that answers within 5 seconds" in said
    server.signal(signal.SIGCONT)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
    assert server.run(run.run_id).info.status == "RUNNING"

    left, said = deliver_by_hand(roots=(folder.parent,))
    assert left == 0, said
    assert f"of run {run.run_id} (name) delivered to {server.uri}" in said
    assert "1 of 1 outboxes delivered" in said
    found = server.run(run.run_id)
    assert found.info.status == "FINISHED"
    assert abs(found.info.end_time / 1000 - ended) < 2, "when it ended, not when that was delivered"
    assert server.steps(run.run_id, "val/loss") == list(range(1, 51))
    assert deliver_by_hand() == (0, "There is no outbox here.\n")


def test_what_is_delivered_twice_arrives_once(server: Server, folder: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(2)])
    with tracker(server).run("name", {"lr": 0.1}, {"folder": folder}, folder=folder) as run:
        server.line.cut()
        run.log_data(SPLITS)
        for step in (1, 2, 3):
            run.log_metrics({"val/loss": float("nan") if step == 2 else 1.0 / step}, step)
        run.log_metrics({"test/accuracy": 0.5})
        run.log_model(model, SPLITS.specs)
    server.line.mend()
    shutil.copytree(folder, folder.parent / "copy")
    for place in (folder, folder.parent / "copy"):
        left, said = deliver_by_hand(roots=(place,))
        assert left == 0, said
        found = server.run(run.run_id)
        assert server.steps(run.run_id, "val/loss") == [1, 2, 3]
        assert server.steps(run.run_id, "test/accuracy") == [0]
        assert len(found.inputs.dataset_inputs) == 3
        (output,) = found.outputs.model_outputs
        (logged,) = mlflow.MlflowClient(server.uri).search_logged_models(
            [found.info.experiment_id], f"source_run_id = '{run.run_id}'"
        )
        assert (logged.model_id, logged.status.name) == (output.model_id, "READY")
        assert {metric.key: metric.value for metric in logged.metrics} == {"test/accuracy": 0.5}
    assert not list(folder.parent.glob("*/outbox"))
    mlflow.set_tracking_uri(server.uri)
    loaded = mlflow.pyfunc.load_model(logged.model_uri)
    assert np.asarray(loaded.predict(IMAGES)).sum() == pytest.approx(2)
    assert (loaded.metadata.run_id, loaded.metadata.model_id) == (run.run_id, logged.model_id)


def test_an_outbox_is_left_alone_while_its_run_is_at_work(server: Server, folder: Path) -> None:
    lock = owner.lock(folder)
    assert lock is not None
    with tracker(server).run("name", {}, {}, folder=folder):
        left, said = deliver_by_hand()
        assert left == 1
        assert "still kept: its run is at work, and delivers it itself." in said
    lock.release()


def test_what_the_server_refuses_is_told_and_noted_and_kept_and_the_run_finishes(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(names, "is_taken", lambda name: True)  # as if this server were pickier than others
    (folder / "fer_exp.log").write_text("the last line\n")
    with tracker(server).run("name", {"good": 1, "bad?": 2}, {"folder": folder}, folder=folder) as run:
        run.log_metrics({"no?metric": 1.0, "val/loss": 0.5}, 1)
        run.log_text("seen", "console.txt")
    found = server.run(run.run_id)
    assert (found.info.status, found.data.params, server.steps(run.run_id, "val/loss")) == (
        "FINISHED",
        {"good": "1"},
        [1],
    )
    assert server.artifact(run.run_id, "console.txt").read_text() == "seen"
    assert found.data.tags["refused_records"].startswith("2: params: bad?: INVALID_PARAMETER_VALUE: Invalid value")
    assert "metrics: no?metric: INVALID_PARAMETER_VALUE" in found.data.tags["refused_records"]
    assert f"2 records of run {run.run_id} (name) were not delivered" in caplog.records[-1].message
    left, said = deliver_by_hand()
    assert left == 1, "what was refused is kept, and told again"
    assert "The tracking server refused line 2, params: bad?: " in said
    assert 'To do without a record, put {"kind": "nothing"} in the place of its line.' in said
    path = folder / "outbox" / "records.jsonl"
    header, _, _, *rest = path.read_text().splitlines()
    path.write_text("\n".join([header, *2 * ['{"kind": "nothing"}'], *rest]) + "\n")
    assert deliver_by_hand()[0] == 0


def test_a_run_goes_on_although_its_outbox_holds_what_the_server_refuses(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(names, "is_taken", lambda name: True)
    opened = tracker(server)

    def broken(run: mlflow_run.MlflowRun) -> None:
        run.log_metrics({"no?metric": 1.0}, 1)
        raise ValueError("broken")

    first = opened.run("name", {}, {"folder": folder}, folder=folder)
    with pytest.raises(ValueError, match="broken"), first as run:
        broken(run)
    with opened.run("name", {}, {"folder": folder}, run.run_id, folder) as again:
        again.log_metrics({"val/loss": 0.5}, 2)
    assert "They are kept, and the run goes on without them." in caplog.text
    assert server.run(run.run_id).info.status == "FINISHED"
    assert server.steps(run.run_id, "val/loss") == [2]
    assert outbox.exists(folder), "nothing that was refused is thrown away"


def test_a_failure_while_the_server_is_away_is_told_later(server: Server, folder: Path) -> None:
    (folder / "fer_exp.log").write_text("a line\n")

    def broken() -> None:
        server.line.cut()
        raise ValueError("broken")

    opened = tracker(server).run("name", {}, {"folder": folder}, folder=folder)
    with pytest.raises(ValueError, match="broken"), opened as run:
        broken()
    server.line.mend()
    assert deliver_by_hand()[0] == 0
    assert server.run(run.run_id).info.status == "FAILED"
    assert "ValueError: broken" in server.artifact(run.run_id, "traceback.txt").read_text()
    assert server.artifact(run.run_id, "fer_exp.log").read_text() == "a line\n"


def test_who_does_not_wait_for_the_delivery_has_a_finished_run_all_the_same(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle, impatient = Sender.settle, [KeyboardInterrupt]

    def interrupted(self: Sender, *arguments: float) -> None:
        if impatient:
            raise impatient.pop()
        settle(self, *arguments)

    monkeypatch.setattr(Sender, "settle", interrupted)
    opened = tracker(server).run("name", {}, {}, folder=folder)
    with pytest.raises(KeyboardInterrupt), opened as run:
        server.line.cut()
    server.line.mend()
    assert deliver_by_hand()[0] == 0
    assert server.run(run.run_id).info.status == "FINISHED"


def test_a_start_without_a_server_is_refused_and_leaves_nothing(server: Server, folder: Path) -> None:
    opened = tracker(server)
    client = mlflow.MlflowClient(server.uri)
    before = len(client.search_runs([opened.experiment_id]))
    server.line.cut()
    with pytest.raises(TrackingError, match=f"does not answer: .* Received: tracking.uri={server.uri}"):
        opened.run("name", {}, {}, folder=folder).__enter__()
    with pytest.raises(TrackingError, match="must be a server that answers"):
        tracker(server)
    assert list(folder.iterdir()) == []
    server.line.mend()
    assert len(client.search_runs([opened.experiment_id])) == before


def test_a_sweep_that_ends_without_a_server_says_so_once_and_sync_completes_it(
    server: Server,
    folder: Path,
) -> None:
    from fer_exp.run import sweep

    opened = tracker(server)
    children = []

    def swept() -> None:
        for seed, loss in ((0, 0.5), (1, 0.25)):
            with opened.run(f"seed {seed}", {}, {"sweep.seed": seed}, folder=folder / str(seed)) as run:
                children.append(run.run_id)
                if seed:
                    server.line.cut()
                run.log_metrics({"best_val/loss": loss, "test/accuracy": 0.5})

    sweeping = opened.parent(
        "sweep", {"sweep": "seed", "monitor": "val/loss"}, at_end=lambda run: sweep.finish(opened, run)
    )
    missing = "The sweep has ended, but its leaderboard is missing: .* deliver them with: python -m fer_exp.sync"
    with pytest.raises(TrackingError, match=missing), sweeping as parent:
        swept()
    server.line.mend()
    assert server.run(parent.run_id).info.status == "RUNNING"
    left, said = deliver_by_hand()
    assert left == 0, said
    found = server.run(parent.run_id)
    assert (found.info.status, found.data.tags["best_child"]) == ("FINISHED", children[1])
    assert found.data.metrics["best_val/loss"] == 0.25
    lines = server.artifact(parent.run_id, "leaderboard.csv").read_text().splitlines()
    assert [line.split(",")[1:4] for line in lines[1:]] == [["seed 1", "FINISHED", "1"], ["seed 0", "FINISHED", "0"]]
    assert not outbox.find([folder.parent])


def test_a_child_that_arrives_after_its_sweep_has_ended_gets_into_the_leaderboard(
    server: Server,
    folder: Path,
) -> None:
    from fer_exp.run import sweep

    opened = tracker(server)
    tags = {"sweep": "", "monitor": "val/loss"}
    with opened.parent("sweep", tags, at_end=lambda run_id: sweep.finish(opened, run_id)) as parent:
        with opened.run("late", {}, {}, folder=folder) as run:
            server.line.cut()
            run.log_metrics({"best_val/loss": 0.5, "test/accuracy": 0.5})
        server.line.mend()
    assert server.run(parent.run_id).info.status == "FINISHED"
    assert "late,RUNNING" in server.artifact(parent.run_id, "leaderboard.csv").read_text()
    left, said = deliver_by_hand()
    assert left == 0, said
    assert f"Leaderboard of sweep {parent.run_id} (sweep) made again." in said
    assert "late,FINISHED" in server.artifact(parent.run_id, "leaderboard.csv").read_text()
    assert server.run(parent.run_id).data.tags["best_child"] == run.run_id


def test_a_foreign_outbox_cannot_make_sync_upload_what_lies_elsewhere(
    server: Server,
    folder: Path,
) -> None:
    (folder.parent / "secret").mkdir()
    (folder.parent / "secret" / "key").write_text("k")
    with tracker(server).run("name", {}, {}, folder=folder) as run:
        pass
    header = outbox.Header(server.uri, "fer_exp", run.experiment_id, run.run_id, "name", "")
    box = outbox.Outbox(folder, header)
    for record in ({"kind": "folder", "path": "../secret"}, {"kind": "unheard"}, {"kind": "text", "name": "a"}):
        box.append(record)
    box.close()
    left, said = deliver_by_hand()
    assert left == 1
    assert "refused line 2, folder: ../secret leads out of" in said
    assert "and 2 more" in said
    assert not mlflow.MlflowClient(server.uri).list_artifacts(run.run_id)


def test_system_metrics_have_no_gap(
    server: Server,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(option, "_SYSTEM_METRICS_SECONDS", 0.2)
    caplog.set_level(logging.WARNING)
    opened = config.build(node("tracking", "mlflow", uri=server.uri, system_metrics=True))
    with opened.run("name", {}, {}, folder=folder) as run:
        time.sleep(0.5)
        server.line.cut()
        time.sleep(3)
        server.line.mend()
    with opened.run("name", {}, {}, run.run_id, folder):
        time.sleep(1)
    steps = server.steps(run.run_id, "system/cpu_utilization_percentage")
    assert steps == list(range(len(steps)))
    assert len(steps) > 10
    assert len(caplog.records) <= 1, [record.message for record in caplog.records]
