"""From sources to predictions: decoded and searched in threads, predicted in batches.

Called by `__main__`. It must not know what becomes of the predictions, nor where the model is from.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from fer_exp.data.image_files import UndecodableError
from fer_exp.predict import faces
from fer_exp.predict.faces import Box, Face
from fer_exp.predict.sources import Failure, Item, Source, items
from fer_exp.trained import BATCH, Classifier

_FRAMES_A_THREAD = 4  # that wait to be searched: a frame of a large video takes 25 MB


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture, row or frame, and what the model says of it.

    Attributes:
        source: Its file.
        index: Of a row or frame, from 0.
        seconds: Of a frame.
        boxes: Of each face, the largest first; None stands for the whole picture.
        probabilities: float32 (faces, classes).
    """

    source: Source
    index: int | None
    seconds: float | None
    boxes: tuple[Box | None, ...]
    probabilities: np.ndarray

    @property
    def name(self) -> str:
        """What it is called on the terminal."""
        kind = {"table": "row", "video": "frame", "image": ""}[self.source.kind]
        return f"{self.source.name} {kind} {self.index}" if kind else self.source.name


@dataclass
class Outcome:
    """All that was seen.

    Attributes:
        seen: In the order of the sources.
        failures: What could not be read.
        crops: Images that were taken for faces because they are no larger than what the model takes.
        seconds: It took.
    """

    seen: list[Seen] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    crops: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Progress:
    """Who is told how the work goes on."""

    more: Callable[[int], None]
    done: Callable[[], None]


def run(
    sources: Sequence[Source], model: Classifier, how: faces.Faces, every: int, threads: int, progress: Progress
) -> Outcome:
    """Predicts everything that the sources hold; what cannot be read is noted, and the rest is done.

    Args:
        sources: Files.
        model: What predicts.
        how: What of a picture is a face.
        every: Takes each n-th frame of a video.
        threads: That decode and search.
        progress: Told of every item that is found, and of every one that is done.

    Raises:
        ModelError: If the model fails.
    """
    outcome, began = Outcome(), time.perf_counter()
    waiting: deque[tuple[Item, Future[tuple[list[Face], bool]]]] = deque()
    answering = ThreadPoolExecutor(1)  # the model answers one batch while the next one is made
    batch = _Batch(model, outcome, answering)

    def take() -> None:
        item, future = waiting.popleft()
        try:
            found, is_crop = future.result()
        except UndecodableError as error:
            outcome.failures.append(Failure(item.source.name, f"it is no image that can be read: {_brief(error)}"))
        else:
            outcome.crops += is_crop
            batch.add(item, found)
        progress.done()

    pool = ThreadPoolExecutor(threads)
    try:
        for source in sources:
            for item in items(source, every, progress.more):
                if isinstance(item, Failure):
                    outcome.failures.append(item)
                    continue
                waiting.append((item, pool.submit(_look, item, how, model.image_shape)))
                while len(waiting) > (_FRAMES_A_THREAD * threads if source.kind == "video" else 2 * BATCH):
                    take()
        while waiting:
            take()
        batch.end()
    finally:
        pool.shutdown(cancel_futures=True)
        answering.shutdown(cancel_futures=True)
    outcome.seconds = time.perf_counter() - began
    return outcome


class _Batch:
    """Faces that wait until there are enough of them, and those that the model is looking at."""

    def __init__(self, model: Classifier, outcome: Outcome, answering: ThreadPoolExecutor) -> None:
        self._model, self._outcome, self._answering = model, outcome, answering
        self._items: list[tuple[Item, list[Box | None]]] = []
        self._pixels: list[np.ndarray] = []
        self._asked: tuple[list[tuple[Item, list[Box | None]]], Future[np.ndarray]] | None = None

    def add(self, item: Item, found: list[Face]) -> None:
        self._items.append((item, [face.box for face in found]))
        self._pixels += [face.pixels for face in found]
        if len(self._pixels) >= BATCH:
            self._flush()

    def end(self) -> None:
        """Has all predicted that is left."""
        self._flush()
        self._collect()

    def _flush(self) -> None:
        self._collect()
        self._asked = self._items, self._answering.submit(self._answer, self._pixels)
        self._items, self._pixels = [], []

    def _answer(self, pixels: list[np.ndarray]) -> np.ndarray:
        return self._model.predict(np.stack(pixels)) if pixels else np.empty((0, len(self._model.class_names)), "f4")

    def _collect(self) -> None:
        if self._asked is None:
            return
        items, answer = self._asked
        rows, first = answer.result(), 0
        for item, boxes in items:
            own = rows[first : first + len(boxes)]
            self._outcome.seen.append(Seen(item.source, item.index, item.seconds, tuple(boxes), own))
            first += len(boxes)
        self._asked = None


def _look(item: Item, how: faces.Faces, shape: tuple[int, int, int]) -> tuple[list[Face], bool]:
    image = item.load()
    is_crop = how == "haar" and item.source.kind == "image" and faces.is_a_crop(image, shape)
    # A table holds crops, whatever their size.
    return faces.find(image, "none" if item.source.kind == "table" else how, shape), is_crop


def _brief(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
