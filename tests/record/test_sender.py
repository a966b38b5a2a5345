"""A server that is away, refuses or comes back: what the thread that delivers does about it. No MLflow."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fer_exp.errors import StorageError
from fer_exp.record import outbox, sender
from fer_exp.record.outbox import AwayError, Header, Outbox, Record, RefusedError
from fer_exp.record.sender import Sender, deliver_all

HEADER = Header("http://127.0.0.1:5000", "fer_exp", "1", "a" * 32, "synthetic cnn", "")


class Server:
    """Takes records; is away, or refuses the steps it is told to."""

    def __init__(self) -> None:
        self.got: list[int] = []
        self.calls = 0
        self.away = False
        self.refuses: set[int] = set()
        self.hangs = threading.Event()
        self.hangs.set()

    def __call__(self, records: Sequence[Record]) -> None:
        self.calls += 1
        self.hangs.wait(30)
        if self.away:
            raise AwayError("connection refused")
        if self.refuses & {record["step"] for record in records}:
            raise RefusedError("no such metric")
        self.got += [record["step"] for record in records]


def metric(step: int) -> Record:
    return {"kind": "metrics", "step": step}


def steps_left(folder: Path) -> list[int]:
    kept = outbox.read(folder)
    return [record["step"] for _, record in kept.records] if kept else []


def until(true: Callable[[], bool]) -> None:
    for _ in range(500):
        if true():
            return
        time.sleep(0.02)
    raise TimeoutError


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def made(tmp_path: Path, server: Server) -> Sender:
    return Sender(Outbox(tmp_path, HEADER), server)


def test_records_arrive_in_order_and_the_outbox_goes(made: Sender, server: Server, tmp_path: Path) -> None:
    for step in range(1, 200):
        made.put(metric(step))
    made.settle(5)
    made.close()
    assert server.got == list(range(1, 200))
    assert made.left == 0
    assert not outbox.exists(tmp_path)


def test_a_server_that_hangs_does_not_hold_up_the_run(made: Sender, server: Server, tmp_path: Path) -> None:
    server.hangs.clear()
    for step in range(1, 101):
        made.put(metric(step))  # one that waited for the server would wait for ever
    assert steps_left(tmp_path) == list(range(1, 101))
    server.hangs.set()
    made.settle(5)
    assert server.got == list(range(1, 101))


def test_what_was_recorded_while_the_server_was_away_is_delivered_when_it_is_back(
    made: Sender, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "fer_exp.record.sender")
    server.away = True
    made.put(metric(1))
    until(lambda: server.calls >= 3)
    made.put(metric(2))
    assert made.is_away
    server.away = False
    made.settle(10)
    assert server.got == [1, 2]
    told = [record.message for record in caplog.records]
    assert len(told) == 2, "once when it goes, once when it is back"
    assert "does not answer: connection refused. The run goes on" in told[0]
    assert "answers again" in told[1]


def test_one_failure_is_not_worth_a_word(made: Sender, server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.away = True
    made.put(metric(1))
    until(lambda: server.calls == 1)
    server.away = False
    made.settle(10)
    assert server.got == [1]
    assert not caplog.records


def test_patience_at_the_end_is_limited_and_what_is_left_stays_on_disk(
    made: Sender, server: Server, tmp_path: Path
) -> None:
    server.away = True
    for step in (1, 2):
        made.put(metric(step))
    made.settle(0.5)  # without a limit it would never come back
    made.close()
    assert (made.left, made.reason) == (2, "connection refused")
    assert steps_left(tmp_path) == [1, 2]


def test_an_interrupted_run_does_not_wait_for_a_hanging_server(made: Sender, server: Server, tmp_path: Path) -> None:
    server.hangs.clear()
    made.put(metric(1))
    made.settle(float("inf"), at_most_seconds=0.5)
    made.close()
    server.hangs.set()  # the answer comes too late to be noted
    until(lambda: server.got == [1])
    assert steps_left(tmp_path) == [1]


def test_what_is_refused_is_told_and_kept_and_the_rest_arrives(
    made: Sender, server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.hangs.clear()
    server.refuses = {2}
    for step in (1, 2, 3):
        made.put(metric(step))
    server.hangs.set()
    made.settle(5)
    made.put(metric(4))
    made.settle(5)
    made.close()
    assert server.got == [1, 3, 4]
    assert (made.left, made.refused) == (1, ["metrics: no such metric"])
    assert steps_left(tmp_path) == [2]
    (told,) = [record.message for record in caplog.records]
    assert told == (
        "The tracking server refused metrics of the run: no such metric. The run goes on without it; the record is "
        f"kept: line 3 of {tmp_path / 'outbox'}."
    )


def test_what_was_refused_before_is_still_there_when_the_run_is_gone_on_with(
    made: Sender, server: Server, tmp_path: Path
) -> None:
    server.refuses = {1}
    made.put(metric(1))
    made.settle(5)
    made.close()
    again = Sender(Outbox(tmp_path, HEADER), server)
    again.put(metric(2))
    again.settle(5)
    again.close()
    assert server.got == [2]
    assert again.left == 0, "it is told where it happens, not for ever"
    assert steps_left(tmp_path) == [1]


def test_a_refusal_of_each_record_is_told_a_few_times(
    made: Sender, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.refuses = set(range(1, 21))
    for step in range(1, 21):
        made.put(metric(step))
    made.settle(5)
    made.close()
    assert len(made.refused) == 20
    assert len(caplog.records) == 3


def test_a_record_that_a_server_always_fails_at_does_not_hold_up_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_LONGEST_PAUSE", 0.01)
    got = []

    def failing(records: Sequence[Record]) -> None:
        if 2 in {record["step"] for record in records}:
            raise AwayError("INTERNAL_ERROR: A string literal cannot contain NUL", answered=True)
        got.extend(record["step"] for record in records)

    made = Sender(Outbox(tmp_path, HEADER), failing)
    for step in (1, 2, 3):
        made.put(metric(step))
    made.settle(20)
    made.close()
    assert got == [1, 3]
    assert made.refused == ["metrics: INTERNAL_ERROR: A string literal cannot contain NUL"]
    assert steps_left(tmp_path) == [2]
    kept = outbox.read(tmp_path)
    assert kept is not None
    assert deliver_all(kept, failing, lambda numbers: None) == [
        "line 3, metrics: INTERNAL_ERROR: A string literal cannot contain NUL"
    ]


def test_a_server_without_connection_is_waited_for_however_long(
    made: Sender, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "_LONGEST_PAUSE", 0.01)
    server.away = True
    made.put(metric(1))
    until(lambda: server.calls > 12)
    assert (made.left, made.refused) == (1, [])
    server.away = False
    made.settle(10)
    assert server.got == [1]


def test_a_defect_in_delivery_is_raised_in_the_thread_of_the_run(tmp_path: Path) -> None:
    def broken(records: Sequence[Record]) -> None:
        raise ZeroDivisionError

    made = Sender(Outbox(tmp_path, HEADER), broken)
    made.put(metric(1))
    made.settle(5)
    with pytest.raises(ZeroDivisionError):
        made.put(metric(2))
    made.close()
    assert steps_left(tmp_path) == [1, 2]


def test_a_full_disk_is_told_once_and_the_server_still_hears(
    made: Sender, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(box: Outbox, record: Record) -> int:
        raise StorageError("no room")

    monkeypatch.setattr(Outbox, "append", full)
    with pytest.raises(StorageError, match="no room"):
        made.put(metric(1))
    made.put(metric(2))
    made.settle(5)
    made.close()
    assert server.got == [1, 2]


def test_pauses_grow(made: Sender, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "_LONGEST_PAUSE", 0.01)
    server.away = True
    made.put(metric(1))
    until(lambda: server.calls > 5)
    monkeypatch.setattr(sender, "_LONGEST_PAUSE", 30.0)
    time.sleep(0.1)
    calls = server.calls
    time.sleep(0.5)
    assert server.calls <= calls + 1, "2 ** 6 seconds are not over"
    made.close()


def test_what_is_left_is_delivered_by_another_process_and_a_refusal_does_not_stop_it(
    tmp_path: Path, server: Server
) -> None:
    box = Outbox(tmp_path, HEADER)
    for step in (1, 2, 3):
        box.append(metric(step))
    kept = outbox.read(tmp_path)
    assert kept is not None
    server.refuses = {2}
    assert deliver_all(kept, server, box.mark) == ["line 3, metrics: no such metric"]
    assert server.got == [1, 3]
    assert steps_left(tmp_path) == [2]
