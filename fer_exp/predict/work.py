"""From sources to predictions: decoded and searched in threads, predicted in batches.

Called by `predicting`. It must not know what becomes of the predictions, nor where the model is from.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from fer_exp.data.image_files import UndecodableError
from fer_exp.data.inputs import Spec, sentence
from fer_exp.errors import ConfigError
from fer_exp.predict import clips, faces
from fer_exp.predict.faces import Box, Face
from fer_exp.predict.sources import Failure, Item, Source, items
from fer_exp.run.trained import BATCH, Classifier

_FRAMES_A_THREAD = 4  # that wait to be searched: a frame of a large video takes 25 MB


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture, row or frame, and what the model says of it.

    Attributes:
        source: Its file.
        index: Of a row or frame, from 0; of a clip, of its last frame.
        seconds: Of that frame.
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
    sources: Sequence[Source], model: Classifier, how: faces.Faces, every: int | None, threads: int, progress: Progress
) -> Outcome:
    """Predicts everything that the sources hold; what cannot be read is noted, and the rest is done.

    Args:
        sources: Files.
        model: What predicts.
        how: What of a picture is a face.
        every: Takes each n-th frame of a video; of a model of clips, begins one at each n-th frame. None: 1, and half a
            clip.
        threads: That decode and search.
        progress: Told of every item that is found, and of every one that is done.

    Raises:
        ModelError: If the model fails.
        ConfigError: If it takes neither an image nor a clip.
    """
    spec, found_in, look = _ways(model, how, every, progress)
    outcome, began = Outcome(), time.perf_counter()
    waiting: deque[tuple[Item[Any], Future[tuple[list[Face], bool]]]] = deque()
    answering = ThreadPoolExecutor(1)  # the model answers one batch while the next one is made
    batch = _Batch(model, spec, outcome, answering)

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
            for item in found_in(source):
                if isinstance(item, Failure):
                    outcome.failures.append(item)
                    continue
                waiting.append((item, pool.submit(look, item)))
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

    def __init__(self, model: Classifier, spec: Spec, outcome: Outcome, answering: ThreadPoolExecutor) -> None:
        self._model, self._spec, self._outcome, self._answering = model, spec, outcome, answering
        self._items: list[tuple[Item[Any], list[Box | None]]] = []
        self._pixels: list[np.ndarray] = []
        self._asked: tuple[list[tuple[Item[Any], list[Box | None]]], Future[np.ndarray]] | None = None

    def add(self, item: Item[Any], found: list[Face]) -> None:
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
        if not pixels:
            return np.empty((0, len(self._model.class_names)), "f4")
        return self._model.predict({self._spec.name: np.stack(pixels)})

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


def _ways(
    model: Classifier, how: faces.Faces, every: int | None, progress: Progress
) -> tuple[Spec, Callable[[Source], Iterator[Item[Any] | Failure]], Callable[[Item[Any]], tuple[list[Face], bool]]]:
    """Returns what a model takes, what finds such things in a source, and what finds the faces in one of them."""
    spec = only_picture(model)
    if spec.kind == "clip":
        return (
            spec,
            lambda source: clips.items(source, spec, every, progress.more),
            lambda item: (clips.look(item.load(), how, spec.shape), False),
        )
    height, width, channels = spec.shape
    return (
        spec,
        lambda source: items(source, every or 1, progress.more),
        lambda item: _look(item, how, (height, width, channels)),
    )


def only_picture(model: Classifier) -> Spec:
    """Returns the image or clip that a model takes.

    Raises:
        ConfigError: If it takes something else, or something else too.
    """
    spec = next(iter(model.inputs.values()))
    if len(model.inputs) != 1 or spec.kind not in ("image", "clip"):
        raise ConfigError(
            [
                f"`model` must take one image or one clip to predict files. Received: {model.name}, which takes "
                f"{sentence(model.inputs)}. `python -m fer_exp.evaluate` measures it on a data set."
            ]
        )
    return spec


def _look(item: Item[Image.Image], how: faces.Faces, shape: tuple[int, int, int]) -> tuple[list[Face], bool]:
    image = item.load()
    is_crop = how == "haar" and item.source.kind == "image" and faces.is_a_crop(image, shape)
    # A table holds crops, whatever their size.
    return faces.find(image, "none" if item.source.kind == "table" else how, shape), is_crop


def _brief(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
