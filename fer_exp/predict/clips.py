"""Videos as clips: stretches of a video, as long and as fast as a model takes them, of one face each.

Called by `work` for a model that takes clips. It must not know models.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np
from PIL import Image

from fer_exp.data.faces import search
from fer_exp.data.faces.search import Box
from fer_exp.data.image_files import fitted
from fer_exp.data.inputs import Spec
from fer_exp.errors import DataError
from fer_exp.predict import videos
from fer_exp.predict.faces import Face, Faces
from fer_exp.predict.sources import Failure, Item, Source, failure

_EARLY = 0.25  # of a frame, that it may come before its moment: times are rounded
_FEWEST_FRAMES = 0.5  # of a clip, in which a face must be found: more may be blinks of the search


class Frame:
    """A frame of a video, searched for faces at most once, although it is in several clips."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.image = Image.fromarray(pixels)

    @cached_property
    def box(self) -> Box | None:
        """The largest face."""
        return next(iter(search.boxes(self.image)), None)


def items(
    source: Source, spec: Spec, every: int | None, say_count: Callable[[int], None]
) -> Iterator[Item[Sequence[Frame]] | Failure]:
    """Yields the clips of a video, each under the number and the time of its last frame.

    Frames are taken as many a second as the model has learned from; a slower video repeats some.

    Args:
        source: The file.
        spec: What the model takes: a clip.
        every: So many frames, of those taken, are between the beginnings of two clips; None for half a clip.
        say_count: Told of each clip.
    """
    if source.kind != "video":
        yield Failure(source.name, f"it is no video, and the model takes clips of {spec.shape[0]} frames")
        return
    length, apart = spec.shape[0], every or max(1, spec.shape[0] // 2)
    window: deque[Frame] = deque(maxlen=length)
    taken = 0
    try:
        for frame, times in _at_rate(source, spec.rate):
            made = Frame(frame.pixels)
            for _ in range(times):
                window.append(made)
                taken += 1
                if taken >= length and (taken - length) % apart == 0:
                    say_count(1)
                    yield Item(source, _handing_out(tuple(window)), frame.index, frame.seconds)
    except DataError as error:
        yield failure(source, error)
        return
    if taken < length:
        seconds = "" if spec.rate is None else f", {length / spec.rate:.2g} seconds"
        yield Failure(source.name, f"it is shorter than a clip as the model takes it: {length} frames{seconds}")


def look(frames: Sequence[Frame], how: Faces, shape: tuple[int, ...]) -> list[Face]:
    """Returns what the model is to see of a clip: the largest face, cut out of all frames by one box; or nothing.

    A box for each frame would move by itself, which the model would take for movements of the face.

    Args:
        frames: Of the clip.
        how: `haar` searches for a face; `none` takes each frame for a face.
        shape: (frames, height, width, channels) of what the model takes.
    """
    box = None
    if how == "haar" and not all(f.image.width <= shape[2] and f.image.height <= shape[1] for f in frames):
        found = [frame.box for frame in frames if frame.box is not None]
        if len(found) < _FEWEST_FRAMES * len(frames):
            return []
        box = Box(*(int(value) for value in np.median(found, axis=0)))
    cut = [frame.image if box is None else frame.image.crop(_corners(box)) for frame in frames]
    height, width, channels = shape[1:]
    return [Face(box, np.stack([fitted(image, (height, width, channels)) for image in cut]))]


def _corners(box: Box) -> tuple[int, int, int, int]:
    return box.x, box.y, box.x + box.width, box.y + box.height


def _at_rate(source: Source, rate: float | None) -> Iterator[tuple[videos.Frame, int]]:
    """Yields frames of a video, and how many times each is taken, so that there are so many a second."""
    if rate is None:
        yield from ((frame, 1) for frame in videos.frames(source.path, 1))
        return
    speed = videos.rate(source.path)  # on average, and of a video that does not say when its frames are shown
    early = _EARLY / speed
    taken, start = 0, 0.0
    shown: videos.Frame | None = None
    for number, frame in enumerate(videos.frames(source.path, 1)):
        seconds = number / speed if frame.seconds is None else frame.seconds
        if shown is None:
            start = seconds
        else:
            times = _moments(seconds - start - early, rate) - taken
            if times > 0:
                yield shown, times
                taken += times
        shown, last = frame, seconds
    if shown is not None:
        times = _moments(last - start + 1 / speed - early, rate) - taken
        if times > 0:
            yield shown, times


def _moments(seconds: float, rate: float) -> int:
    """Returns how many moments, the first at 0, lie before a time."""
    return max(0, math.ceil(seconds * rate))


def _handing_out(frames: Sequence[Frame]) -> Callable[[], Sequence[Frame]]:
    return lambda: frames
