"""What a run records survives kills, and an outbox is data: nothing in it leads out of the folder of the run."""

import errno
import json
import os
from pathlib import Path

import pytest

from fer_exp.errors import StorageError
from fer_exp.record import outbox
from fer_exp.record.outbox import Header, Outbox, RefusedError

HEADER = Header("http://127.0.0.1:5000", "fer_exp", "1", "a" * 32, "synthetic cnn", "")


def metric(step: int) -> dict[str, object]:
    return {"kind": "metrics", "values": {"val/loss": 0.5}, "step": step, "time": 1}


def filled(folder: Path, steps: int = 3) -> Outbox:
    box = Outbox(folder, HEADER)
    for step in range(1, steps + 1):
        box.append(metric(step))
    return box


def kept_steps(folder: Path) -> list[int]:
    kept = outbox.read(folder)
    assert kept is not None
    return [record["step"] for _, record in kept.records]


def test_what_was_kept_is_read_in_order_with_whose_it_is(tmp_path: Path) -> None:
    filled(tmp_path)
    kept = outbox.read(tmp_path)
    assert kept is not None
    assert kept.header == HEADER
    assert [record for _, record in kept.records] == [metric(1), metric(2), metric(3)]


def test_what_was_delivered_is_not_read_again(tmp_path: Path) -> None:
    box = filled(tmp_path)
    kept = outbox.read(tmp_path)
    assert kept is not None
    box.mark([kept.records[1][0]])
    assert kept_steps(tmp_path) == [1, 3]


def test_an_outbox_is_gone_on_with(tmp_path: Path) -> None:
    box = filled(tmp_path, 1)
    box.mark([2])
    box.close()
    Outbox(tmp_path, HEADER).append(metric(2))
    assert kept_steps(tmp_path) == [2]


def test_a_number_and_an_umlaut_and_a_line_break_come_back_as_they_were(tmp_path: Path) -> None:
    record = {"kind": "text", "name": "a.txt", "text": 'two\nlines "ä"', "number": 0.1 + 0.2, "odd": float("inf")}
    Outbox(tmp_path, HEADER).append(record)
    kept = outbox.read(tmp_path)
    assert kept is not None
    assert kept.records[0][1] == record


def test_a_line_torn_by_a_kill_is_left_out_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    filled(tmp_path).close()
    records, delivered = tmp_path / "outbox" / "records.jsonl", tmp_path / "outbox" / "delivered"
    with records.open("a") as file:
        file.write('{"kind": "metr')
    delivered.write_text("2\n3")  # 3 may have been the beginning of 31
    assert kept_steps(tmp_path) == [2, 3]
    box = Outbox(tmp_path, HEADER)
    box.append(metric(4))
    box.mark([4])
    assert kept_steps(tmp_path) == [2, 4]


def test_an_outbox_torn_in_its_first_line_holds_nothing(tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "records.jsonl").write_text('{"uri": "http')
    assert outbox.read(tmp_path) is None
    filled(tmp_path, 1)
    assert kept_steps(tmp_path) == [1]


@pytest.mark.parametrize("line", ["{'kind': 1}", "[1]", '{"step": 1}', '{"kind": 1}', "\0" * 8])
def test_a_damaged_line_is_named_and_can_be_done_without(tmp_path: Path, line: str) -> None:
    filled(tmp_path).close()
    path = tmp_path / "outbox" / "records.jsonl"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], line, *lines[3:]]) + "\n")
    with pytest.raises(StorageError, match=rf'line 3 of {path} is damaged.*put {{"kind": "nothing"}} in its place'):
        outbox.read(tmp_path)
    path.write_text("\n".join([*lines[:2], '{"kind": "nothing"}', *lines[3:]]) + "\n")
    kept = outbox.read(tmp_path)
    assert kept is not None
    assert len(kept.records) == 3


@pytest.mark.parametrize("change", [{"uri": 5}, {"extra": "x"}])
def test_a_header_that_is_none_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    filled(tmp_path).close()
    path = tmp_path / "outbox" / "records.jsonl"
    first, *rest = path.read_text().splitlines()
    path.write_text("\n".join([json.dumps({**json.loads(first), **change}), *rest]) + "\n")
    with pytest.raises(StorageError, match="line 1 of .* is damaged"):
        outbox.read(tmp_path)


def test_a_full_disk_is_told_and_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = filled(tmp_path)

    class Full:
        """The file on a disk that takes five more bytes."""

        def __init__(self, file: object) -> None:
            self.file = file

        def __getattr__(self, name: str) -> object:
            return getattr(self.file, name)

        def write(self, line: bytes) -> int:
            os.write(self.file.fileno(), line[:5])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    whole = box._records
    monkeypatch.setattr(box, "_records", Full(whole))
    with pytest.raises(StorageError, match=r"records.jsonl cannot be written \(No space left on device\). Make room"):
        box.append(metric(4))
    monkeypatch.setattr(box, "_records", whole)
    box.append(metric(5))
    assert kept_steps(tmp_path) == [1, 2, 3, 5]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file stands where the folder should")
    with pytest.raises(StorageError, match="cannot be written"):
        Outbox(tmp_path, HEADER)


def test_a_removed_outbox_leaves_nothing(tmp_path: Path) -> None:
    filled(tmp_path).remove()
    assert not outbox.exists(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_an_interrupted_removal_left_is_not_taken_for_delivered(tmp_path: Path) -> None:
    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "delivered").write_text("2\n3\n")
    filled(tmp_path)
    assert kept_steps(tmp_path) == [1, 2, 3]


def test_outboxes_are_found_in_a_folder_and_below(tmp_path: Path) -> None:
    for name in ("a", "b/c"):
        filled(tmp_path / name)
    (tmp_path / "d" / "outbox").mkdir(parents=True)
    assert outbox.find([tmp_path]) == [tmp_path / "a", tmp_path / "b" / "c"]
    assert outbox.find([tmp_path / "a", tmp_path / "nowhere"]) == [tmp_path / "a"]


def test_metrics_go_together_and_everything_else_alone() -> None:
    kinds = ["metrics", "metrics", "metrics", "text", "text", "metrics"]
    records = [(number, {"kind": kind}) for number, kind in enumerate(kinds)]
    found = [[number for number, _ in batch] for batch in outbox.batches(records, 2)]
    assert found == [[0, 1], [2], [3], [4], [5]]


def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    run, secret = tmp_path / "run", tmp_path / "secret"
    for folder in (run / "tables", secret):
        folder.mkdir(parents=True)
    (secret / "key").write_text("k")
    (run / "tables" / "a.csv").write_text("x")
    assert outbox.inside(run, "tables") == run / "tables"
    (run / "link").symlink_to(secret)
    for path in ("../secret", str(secret), "tables/../../secret", "link"):
        with pytest.raises(RefusedError, match="leads out of"):
            outbox.inside(run, path)
    (run / "tables" / "b.csv").symlink_to(secret / "key")
    with pytest.raises(RefusedError, match="leads out of"):
        outbox.inside(run, "tables")
    with pytest.raises(RefusedError, match="is not there"):
        outbox.inside(run, "figures")


def test_keeping_a_record_does_not_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forcing lines to the disk one by one would take milliseconds for each."""
    box = Outbox(tmp_path, HEADER)
    record = {
        "kind": "metrics",
        "values": {f"metric_{index}": 0.123456789 for index in range(10)},
        "step": 1,
        "time": 1,
    }
    for call in ("fsync", "fdatasync", "sync"):
        monkeypatch.setattr(os, call, lambda *_: pytest.fail("the disk is waited for"))
    box.append(record)
