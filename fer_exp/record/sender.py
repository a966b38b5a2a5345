"""Delivers what a run records, in a thread of its own: a server that is away costs the training nothing.

Called by `tracking`. Every record is on disk before it is sent. While the server is away, delivery is tried again after
1, 2, 4 ... 30 seconds; what it refuses is told and kept, and everything else goes on: no record is worth a training. It
must not know MLflow.
"""

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from fer_exp.errors import StorageError
from fer_exp.process import credentials
from fer_exp.record import layout, outbox
from fer_exp.record.outbox import AwayError, Kept, Outbox, Record, RefusedError

Deliver = Callable[[Sequence[Record]], None]

TOGETHER = 50  # records of metrics in one call
_LONGEST_PAUSE = 30.0
_PAUSE_AT_THE_END = 1.0  # somebody is waiting
_LOOK_SECONDS = 0.1
_MOST_FAULTS = 5  # of a server that answers, at one record: it is the record then
_MOST_TOLD = 3  # refusals, one by one; how many there were is told at the end
_log = logging.getLogger(__name__)


class Sender:
    """Keeps and delivers the records of an open run.

    Args:
        box: Where they are kept.
        deliver: Delivers records of one kind; raises AwayError or RefusedError.
    """

    def __init__(self, box: Outbox, deliver: Deliver) -> None:
        self._box, self._deliver = box, deliver
        self._queue: deque[tuple[int | None, Record]] = deque()  # None where the disk did not take it
        self._changed = threading.Condition()
        self._failures, self._away_since, self._reason = 0, 0.0, ""
        self._faults = 0  # of them, those at the end that a server answered
        self._together = TOGETHER
        self.refused: list[str] = []  # why, of each record
        self._error: Exception | None = None
        self._disk_failed = self._hurry = self._closed = False
        self._thread = threading.Thread(target=self._work, name="outbox", daemon=True)
        self._thread.start()

    @property
    def left(self) -> int:
        """Records that were not delivered."""
        with self._changed:
            return len(self._queue) + len(self.refused)

    @property
    def is_away(self) -> bool:
        """Whether the last try found no server."""
        return self._failures > 0

    @property
    def reason(self) -> str:
        """Why the server counts as away, or what it refused last."""
        return self._reason

    def put(self, record: Record) -> None:
        """Keeps a record to be delivered, without the passwords that may be in its texts; returns at once.

        Raises:
            StorageError: If the disk is full; told once, and from then on records are sent without being kept.
        """
        self.keep(record)
        self.raise_error()

    def keep(self, record: Record) -> None:
        """Does what `put` does for a thread that nobody listens to: an error waits for the thread of the run."""
        record = credentials.hidden_in(record)
        with self._changed:
            number = None
            try:
                number = self._box.append(record)
            except StorageError as error:
                self._note_full_disk(error)
            self._queue.append((number, record))
            self._changed.notify_all()

    def raise_error(self) -> None:
        """Raises what went wrong in the other thread since the last time."""
        with self._changed:
            error, self._error = self._error, None
        if error is not None:
            raise error

    def settle(self, away_seconds: float, at_most_seconds: float = float("inf")) -> None:
        """Waits until everything is delivered, or the server has been away for so long.

        Args:
            away_seconds: Patience with a server that does not answer, from now on.
            at_most_seconds: Limit even for one that does.
        """
        with self._changed:
            self._hurry, began = True, time.monotonic()
            self._changed.notify_all()
            while self._queue and self._thread.is_alive():
                now = time.monotonic()
                if now - began > at_most_seconds:
                    break
                if self._failures and now - max(began, self._away_since) > away_seconds:
                    break
                self._changed.wait(_LOOK_SECONDS)
            self._hurry = False

    def close(self) -> None:
        """Ends the thread; the outbox stays if anything is left in it.

        A call that is under way while the server hangs ends later, unheard: what it delivers is delivered again.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self.left or self._box.earlier:
            self._box.close()
        else:
            self._thread.join()
            self._box.remove()

    def _work(self) -> None:
        try:
            while batch := self._next():
                self._try(batch)
        except Exception as defect:  # not swallowed: the thread of the run raises it
            with self._changed:
                self._error, self._reason = defect, str(defect)
                self._changed.notify_all()

    def _next(self) -> Sequence[tuple[int | None, Record]]:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._queue)
            if self._closed:
                return []
            few = list(itertools.islice(self._queue, self._together))
            kinds = next(outbox.batches([(number or 0, record) for number, record in few], self._together))
            return few[: len(kinds)]

    def _try(self, batch: Sequence[tuple[int | None, Record]]) -> None:
        try:
            self._deliver([record for _, record in batch])
        except AwayError as error:
            self._faults = self._faults + 1 if error.answered else 0
            if self._faults >= _MOST_FAULTS:
                self._refuse(batch, error)
            else:
                self._wait(str(error))
        except RefusedError as error:
            self._refuse(batch, error)
        else:
            self._delivered(batch)

    def _refuse(self, batch: Sequence[tuple[int | None, Record]], error: Exception) -> None:
        if len(batch) > 1:
            self._together = 1  # one by one tells which
        else:
            self._set_aside(batch[0], error)

    def _wait(self, reason: str) -> None:
        with self._changed:
            self._failures += 1
            self._reason = reason
            if self._failures == 1:
                self._away_since = time.monotonic()
            if self._failures == 2:  # once happens: a connection that the server had closed
                _log.warning(
                    "The tracking server does not answer: %s. The run goes on; what it records is kept in %s and "
                    "delivered when the server is back.", reason, self._box.folder / layout.OUTBOX,
                )  # fmt: skip
            if self._hurry:
                self._changed.wait_for(lambda: self._closed, _PAUSE_AT_THE_END)
            else:
                pause = min(2.0 ** (self._failures - 1), _LONGEST_PAUSE)
                self._changed.wait_for(lambda: self._closed or self._hurry, pause)

    def _set_aside(self, one: tuple[int | None, Record], error: Exception) -> None:
        number, record = one
        with self._changed:
            if self._closed:
                return
            self._queue.popleft()
            self._failures = self._faults = 0  # a no is an answer
            self._reason = str(error)
            self.refused.append(f"{record['kind']}: {error}")
            if len(self.refused) <= _MOST_TOLD:
                _log.warning(
                    "The tracking server refused %s of the run: %s. The run goes on without it; the record is kept: "
                    "line %s of %s.", record["kind"], error, number, self._box.folder / layout.OUTBOX,
                )  # fmt: skip
            self._changed.notify_all()

    def _delivered(self, batch: Sequence[tuple[int | None, Record]]) -> None:
        with self._changed:
            if self._closed:
                return
            if self._failures > 1:
                _log.info("The tracking server answers again.")
            self._failures = self._faults = 0
            for _ in batch:
                self._queue.popleft()
            try:
                self._box.mark(number for number, _ in batch if number is not None)
            except StorageError as error:
                self._note_full_disk(error)
            self._changed.notify_all()

    def _note_full_disk(self, error: StorageError) -> None:
        if not self._disk_failed:
            self._disk_failed, self._error = True, error


def deliver_all(kept: Kept, deliver: Deliver, mark: Callable[[Sequence[int]], None]) -> list[str]:
    """Delivers what an outbox holds, in this thread.

    Args:
        kept: As read.
        deliver: As of a `Sender`.
        mark: Told the numbers of what was delivered.

    Returns:
        One sentence for each record that was refused, or that a server which answers has failed at.

    Raises:
        AwayError: If the server does not answer; what was delivered until then is marked.
    """
    refused = []
    waiting = deque(outbox.batches(kept.records, TOGETHER))
    while waiting:
        batch = waiting.popleft()
        try:
            deliver([record for _, record in batch])
        except (RefusedError, AwayError) as error:
            if isinstance(error, AwayError) and not error.answered:
                raise
            if len(batch) > 1:
                waiting.extendleft([numbered] for numbered in reversed(batch))  # one by one tells which
            else:
                refused.append(f"line {batch[0][0]}, {batch[0][1]['kind']}: {error}")
        else:
            mark([number for number, _ in batch])
    return refused
