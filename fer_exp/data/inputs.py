"""What an example consists of: one or more inputs, each with a name, a kind and a shape.

A data set gives inputs, a model takes them, and everything between hands them on as a mapping by name. To add a kind,
add it to `Kind` and `KINDS`, say in `shown` how a person sees it, and in `fer_exp.fit.by_kind` which operations on
images are for it too.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeVar, get_args

import numpy as np

from fer_exp.data import stored_rows
from fer_exp.data.stored_rows import Rows

Given = TypeVar("Given")
Kind = Literal["image", "clip", "sound"]

_NAME = re.compile(r"[A-Za-z]\w{0,99}", re.ASCII)  # that Keras, files and Python's arguments take
_HIGHEST_RATE = 1_000_000  # values a second: no recorder is faster

Inputs = Mapping[str, Rows]
"""Name of each input -> its rows, (n, ...); n is the same for all."""


@dataclass(frozen=True)
class About:
    """What all inputs of a kind have in common.

    Attributes:
        axes: Name of each axis of one row.
        dtype: NumPy's name of the type of the values.
        limits: Smallest and largest value.
        channels: Sizes that the last axis may have; None for any.
    """

    axes: tuple[str, ...]
    dtype: str
    limits: tuple[float, float]
    channels: tuple[int, ...] | None = None


KINDS: Mapping[Kind, About] = {
    "image": About(("height", "width", "channels"), "uint8", (0, 255), (1, 3)),
    "clip": About(("frames", "height", "width", "channels"), "uint8", (0, 255), (1, 3)),
    "sound": About(("samples",), "float32", (-1, 1)),
}


@dataclass(frozen=True)
class Spec:
    """One input of a model, without its values.

    Attributes:
        name: Of the input, the same in the data set, in the batches, in Keras and in files.
        kind: What it is.
        shape: Of one row: an image (height, width, channels), a clip (frames, height, width, channels), a sound
            (samples,).
        rate: Frames or samples a second; None where nobody said.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...]
    rate: float | None = None

    @property
    def about(self) -> About:
        """What it has in common with others of its kind."""
        return KINDS[self.kind]

    @property
    def sentence(self) -> str:
        """What it is, for people: `clip 12x48x48x1`."""
        return f"{self.kind} {'x'.join(map(str, self.shape))}"

    def fits(self) -> bool:
        """Tells whether the shape is one that its kind has."""
        about = self.about
        if len(self.shape) != len(about.axes) or min(self.shape) < 1:
            return False
        return about.channels is None or self.shape[-1] in about.channels


Specs = Mapping[str, Spec]
"""Name of each input -> what it is."""


def image(shape: tuple[int, int, int]) -> dict[str, Spec]:
    """Returns the inputs of who takes an image (height, width, channels) and nothing else."""
    return {"image": Spec("image", "image", shape)}


def only(specs: Specs, kind: Kind) -> Spec:
    """Returns the only input of a kind.

    Args:
        specs: What a data set gives.
        kind: What is wanted.

    Raises:
        ValueError: If there is none, or more than one.
    """
    found = [spec for spec in specs.values() if spec.kind == kind]
    if len(found) != 1:
        raise ValueError(f"`inputs` must hold one {kind}. Received: {sentence(specs)}.")
    return found[0]


def sentence(specs: Specs) -> str:
    """Returns what inputs are, for people: `image 48x48x1`, or `face (image 48x48x1), voice (sound 16000)`."""
    if len(specs) == 1:
        return next(iter(specs.values())).sentence
    return ", ".join(f"{name} ({spec.sentence})" for name, spec in specs.items())


def described(specs: Specs) -> str:
    """Returns what inputs are, for people who read of data: `48x48, grey`, `clip of 12 frames 48x48, grey`."""
    return "; ".join(_described(spec, len(specs) > 1) for spec in specs.values())


def _described(spec: Spec, is_named: bool) -> str:
    if spec.kind == "sound":
        text = f"sound of {spec.shape[0]:,} samples"
    else:
        *frames, height, width, channels = spec.shape
        text = (
            f"{f'clip of {frames[0]} frames ' if frames else ''}{height}x{width}, {'grey' if channels == 1 else 'RGB'}"
        )
    if spec.rate is not None:
        text += f", {spec.rate:g} a second"
    return f"{spec.name}: {text}" if is_named else text


def one(specs: Specs) -> str:
    """Returns what a row is called, for people: `an image`, `a clip`, `a sound`; of several inputs `a row`."""
    return with_article(next(iter(specs.values())).kind if len(specs) == 1 else "row")


def with_article(noun: str) -> str:
    """Returns `an image`, `a clip` ..."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def as_plain(specs: Specs) -> dict[str, dict[str, Any]]:
    """Returns inputs as what JSON can hold; see `from_plain`."""
    return {
        name: {key: value for key, value in asdict(spec).items() if key != "name" and value is not None}
        for name, spec in specs.items()
    }


def from_plain(plain: Any) -> dict[str, Spec]:
    """Returns inputs that JSON held, which may come from anywhere.

    Raises:
        ValueError: If it is not what `as_plain` returns; the message says why.
    """
    try:
        found = {name: _spec(str(name), one) for name, one in plain.items()}
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"inputs must have a name, a kind and a shape ({type(error).__name__}: {error})") from error
    if not found or not all(spec.fits() for spec in found.values()):
        raise ValueError(f"inputs must have the shape of their kind. Received: {sentence(found) if found else 'none'}")
    return found


def _spec(name: str, plain: Mapping[str, Any]) -> Spec:
    kind, shape, rate = plain["kind"], plain["shape"], plain.get("rate")
    if kind not in get_args(Kind) or not _NAME.fullmatch(name):
        raise ValueError(f"there is no kind {kind!r}, or no input can be called {name!r}"[:200])
    if not isinstance(shape, list) or any(type(size) is not int for size in shape):
        raise ValueError("a shape is a list of whole numbers")
    if rate is not None and (type(rate) not in (int, float) or not 0 < rate <= _HIGHEST_RATE):  # NaN fails it
        raise ValueError(f"a rate is a number above 0, at most {_HIGHEST_RATE:,}")
    return Spec(name, kind, tuple(shape), None if rate is None else float(rate))


def matched(given: Mapping[str, Given], names: Iterable[str]) -> dict[str, Given]:
    """Returns what is given by the names that somebody else has for it.

    One input is the other's, whatever the two call it: earlier versions and other programs may call it otherwise.

    Args:
        given: By names of its own.
        names: Of the other.

    Raises:
        KeyError: If there are several inputs, and one of the names is not among those given.
    """
    names = list(names)
    if len(names) == len(given) == 1:
        return dict(zip(names, given.values(), strict=True))
    return {name: given[name] for name in names}


def count(inputs: Inputs) -> int:
    """Returns the number of rows."""
    return len(next(iter(inputs.values())))


def take(inputs: Inputs, rows: np.ndarray | slice) -> dict[str, Rows]:
    """Chooses rows of every input, without reading what lies on disk."""
    return {name: stored_rows.take(values, rows) for name, values in inputs.items()}


def read(inputs: Inputs, rows: np.ndarray | slice) -> dict[str, np.ndarray]:
    """Reads rows of every input into memory, (k, ...) each."""
    return {name: values[rows] for name, values in inputs.items()}


def chunks(inputs: Inputs, size: int | None = None) -> Iterator[dict[str, np.ndarray]]:
    """Yields the rows of every input in order, `size` at a time; None takes 16 MiB of the largest at a time."""
    if size is None:
        size = min(stored_rows.rows_in_chunk(values) for values in inputs.values())
    for start in range(0, count(inputs), size):
        yield read(inputs, slice(start, start + size))


def concatenate(parts: Sequence[Inputs]) -> dict[str, Rows]:
    """Puts the rows of every input together in order; what lies on disk is not read."""
    return {name: stored_rows.concatenate([part[name] for part in parts]) for name in parts[0]}
