"""Videos, frame by frame, read and written with OpenCV's FFmpeg.

Called by `sources` and `annotated`. It must not know what is done with a frame.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from fer_exp.errors import DataError, StorageError

# Read when a video is opened. A video may name other files or addresses as its parts: nothing is fetched for one.
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "protocol_whitelist;file")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")

import cv2

_OPTIONS = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_WHOLE = 0.9  # of the frames that a video announces: the number is an estimate
_FRAMES_A_SECOND = 25.0  # where the video does not say


@dataclass(frozen=True)
class Frame:
    """A frame.

    Attributes:
        index: Its number in the video, from 0.
        seconds: When it is shown, as the video says for each frame; None if it says neither that nor a rate.
        pixels: uint8 (height, width, 3), RGB.
    """

    index: int
    seconds: float | None
    pixels: np.ndarray


def frames(
    path: Path, every: int, say_count: Callable[[int], None] = lambda count: None, tolerant: bool = False
) -> Iterator[Frame]:
    """Yields each n-th frame.

    Args:
        path: The video.
        every: 1 for all frames, 2 for each second one ...
        say_count: Told how many frames there will be, about.
        tolerant: Says nothing of frames that are missing at the end.

    Raises:
        DataError: If it cannot be opened, holds no frame, is larger than an image may be, or ends far too early; what
            was read before is yielded.
    """
    with _opened(path) as video:
        announced = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
        say_count(max(0, -(-announced // every)))
        seconds: float | None = None
        read = 0
        while _grab(video, path):
            seconds = _time(video, seconds, read)
            if read % every == 0:
                pixels = _retrieved(video, path)
                if pixels is None:
                    break
                yield Frame(read, seconds, np.ascontiguousarray(pixels[:, :, ::-1]))
            read += 1
    if not read:
        raise DataError(f"{path} is no video that can be read: it holds no frame.")
    if read < _WHOLE * announced and not tolerant and not _is_cut(path, announced):
        raise DataError(f"{path} is truncated or damaged: only {read} of {announced} frames can be read.")


def _grab(video: cv2.VideoCapture, path: Path) -> bool:
    """Goes on to the next frame; False at the end."""
    try:
        return bool(video.grab())
    except cv2.error as error:
        raise DataError(f"{path} is damaged: {_brief(error)}.") from error


def _retrieved(video: cv2.VideoCapture, path: Path) -> np.ndarray | None:
    """Returns the pixels of the frame that was grabbed, BGR; None if it has none."""
    try:
        there, pixels = video.retrieve()
    except cv2.error as error:
        raise DataError(f"{path} is damaged: {_brief(error)}.") from error
    return pixels if there else None


def _brief(error: cv2.error) -> str:
    return " ".join(str(error).split())[:200]


def _time(video: cv2.VideoCapture, last: float | None, index: int) -> float | None:
    """Returns when the frame that was grabbed is shown, in seconds.

    Args:
        video: Where it is from.
        last: When the frame before is.
        index: Its number.
    """
    said = float(video.get(cv2.CAP_PROP_POS_MSEC)) / 1000
    if index == 0 or (last is not None and said > last):
        return said
    rate = video.get(cv2.CAP_PROP_FPS)  # a video that does not say when a frame is shown says 0
    return last + 1 / rate if last is not None and rate > 0 else None


def _is_cut(path: Path, announced: int) -> bool:
    """Tells whether a video holds all of its frames, and says itself that some of them are not to be shown.

    Telephones and editors cut a video by an edit list, which leaves the frames that are cut off in the file.
    """
    with _opened(path, "ignore_editlist;1") as video:
        held = 0
        while _grab(video, path):
            held += 1
    return held >= _WHOLE * announced


def rate(path: Path) -> float:
    """Returns the frames a second of a video, 25 if it does not say."""
    with _opened(path) as video:
        said = float(video.get(cv2.CAP_PROP_FPS))
    return said if 0 < said <= 1000 else _FRAMES_A_SECOND


class Writer:
    """Writes an `.mp4`, frame by frame.

    Args:
        path: The file.
        frames_a_second: Its speed.
        size: (width, height) of every frame.

    Raises:
        StorageError: If it cannot be written.
    """

    def __init__(self, path: Path, frames_a_second: float, size: tuple[int, int]) -> None:
        self._size = (size[0] - size[0] % 2, size[1] - size[1] % 2)  # the codec wants even sides
        self._video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), frames_a_second, self._size)
        if not self._video.isOpened():
            raise StorageError(f"{path} cannot be written as a video of {size[0]}x{size[1]} pixels.")

    def add(self, image: Image.Image) -> None:
        """Adds a frame."""
        width, height = self._size
        self._video.write(np.ascontiguousarray(np.asarray(image)[:height, :width, ::-1]))

    def close(self) -> None:
        """Completes the file."""
        self._video.release()


@contextmanager
def _opened(path: Path, option: str = "") -> Iterator[cv2.VideoCapture]:
    usual = os.environ[_OPTIONS]
    os.environ[_OPTIONS] = "|".join(filter(None, (usual, option)))
    try:
        video = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    finally:
        os.environ[_OPTIONS] = usual
    try:
        if not video.isOpened():
            raise DataError(f"{path} is no video that can be read.")
        width, height = (int(video.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if Image.MAX_IMAGE_PIXELS is not None and width * height > Image.MAX_IMAGE_PIXELS:
            raise DataError(f"{path}: frames of {width}x{height} pixels are more than {Image.MAX_IMAGE_PIXELS:,}.")
        yield video
    finally:
        video.release()
