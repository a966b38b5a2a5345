"""Draws grey cartoon faces from numbers: soft-edged shapes on a pixel grid, for many images at once.

Called by `dataset.synthetic`; `looks` decides what the numbers are. Knows no label, no random generator and no split.

Face coordinates: x to the right and y down, the image spans -1..1, the head is centred at the origin. Every parameter
is a float32 array (n, 1, 1). Pixels see only + - * / and sqrt, which are exact in IEEE arithmetic and so give the
same bytes on every machine; exp or pow would differ between processors.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

Parameters = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Grid:
    """Where each pixel lies in the coordinates of its own face; all arrays are float32.

    Attributes:
        x: (n, size, size), turned with the head's roll, before its yaw.
        y: (n, size, size).
        u: Distance from the face's midline after yaw, (n, size, size): draws both eyes and brows in one go.
        side: -1 left of the midline, 1 right of it.
        pixel: Width of a pixel, (n, 1, 1).
    """

    x: np.ndarray
    y: np.ndarray
    u: np.ndarray
    side: np.ndarray
    pixel: np.ndarray

    def fill(self, distance: np.ndarray, softness: float = 1.0) -> np.ndarray:
        """Returns a mask that is 1 where `distance` is negative, with an edge `softness` pixels wide."""
        mask = distance * (-1 / (softness * self.pixel))
        mask += 0.5
        return np.clip(mask, 0, 1, out=mask)


def draw(p: Parameters, clutter: np.ndarray, size: int) -> np.ndarray:
    """Draws one face per row of the parameters.

    Args:
        p: Parameters by name, as `looks` samples them, each (n, 1, 1) float32.
        clutter: Values of a coarse random grid behind the head, -1..1, float32 (n, cells, cells).
        size: Height and width of the images in pixels.

    Returns:
        float32 (n, size, size), 0 black, 1 white; not clipped.
    """
    grid = _pose(p, size)
    canvas = p["background"] + p["clutter"] * _enlarge(clutter, size)
    _draw_head(canvas, grid, p)
    _draw_creases(canvas, grid, p)
    _draw_nose(canvas, grid, p)
    _draw_mouth(canvas, grid, p)
    _draw_eyes(canvas, grid, p)
    _draw_brows(canvas, grid, p)
    canvas += p["blur"] * (_blurred(_blurred(canvas)) - canvas)
    return p["brightness"] + p["contrast"] * (canvas - 0.5)


def _pose(p: Parameters, size: int) -> Grid:
    axis = ((np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1).astype(np.float32)
    across, down = axis[None, None, :] - p["shift_x"], axis[None, :, None] - p["shift_y"]
    cosine, sine = np.cos(p["roll"]) / p["scale"], np.sin(p["roll"]) / p["scale"]
    x = across * cosine + down * sine
    y = down * cosine - across * sine
    turned = x - 0.35 * p["yaw"]
    turned *= 1 + 0.5 * p["yaw"] * turned  # the far half of the face looks narrower
    return Grid(x, y, np.abs(turned), np.sign(turned), (2 / size) / p["scale"])


def _paint(canvas: np.ndarray, mask: np.ndarray, tone: np.ndarray | float) -> None:
    canvas += mask * (tone - canvas)


def _bump(*offsets: np.ndarray) -> np.ndarray:
    """A smooth hill: 1 where all offsets are 0, 0 beyond distance 1."""
    height = 1 - sum(offset * offset for offset in offsets)
    np.clip(height, 0, 1, out=height)
    return height * height


def _enlarge(cells: np.ndarray, size: int) -> np.ndarray:
    """Stretches (n, cells, cells) to (n, size, size), bilinearly."""
    place = np.linspace(0, cells.shape[1] - 1.001, size).astype(np.float32)
    low = place.astype(np.int64)
    share = place - low
    rows = cells[:, low] * (1 - share)[:, None] + cells[:, low + 1] * share[:, None]  # (n, size, cells)
    return rows[:, :, low] * (1 - share) + rows[:, :, low + 1] * share


def _blurred(images: np.ndarray) -> np.ndarray:
    """The binomial filter 1-2-1 along both axes, edges repeated."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = 0.25 * (padded[:, :-2] + padded[:, 2:]) + 0.5 * padded[:, 1:-1]
    return 0.25 * (rows[:, :, :-2] + rows[:, :, 2:]) + 0.5 * rows[:, :, 1:-1]


def _draw_head(canvas: np.ndarray, g: Grid, p: Parameters) -> None:
    """Hair behind the head, neck, clothes, ears, the lit head, hair on the forehead, beard."""
    width, height = p["face_width"], p["face_height"] + 0.05 * p["mouth_open"]
    outline = np.abs(g.x)
    hair = p["skin"] * (1 - p["hair_dark"])
    back = np.sqrt((g.x / (1.16 * width)) ** 2 + ((g.y + 0.1) / (1.06 * p["face_height"])) ** 2) - 1
    falls = np.maximum(outline - 1.16 * width, np.maximum(-0.1 - g.y, g.y - p["hair_length"]))
    _paint(canvas, g.fill(np.minimum(back * width, falls), 1.5) * p["hair"], hair)
    _paint(canvas, g.fill(np.maximum(outline - 0.55 * width, 0.5 - g.y)), 0.62 * p["skin"])
    _paint(canvas, g.fill(0.98 - g.y + 0.3 * (outline - 0.25) ** 2, 1.5), p["clothes"])
    ear = np.sqrt(((outline - 0.98 * width) / 0.09) ** 2 + ((g.y - p["eye_y"] - 0.12) / 0.17) ** 2) - 1
    _paint(canvas, g.fill(0.09 * ear), 0.75 * p["skin"])

    across, down = g.x / width, g.y / height
    below = np.maximum(down, 0)
    across *= 1 + p["jaw"] * below * below
    radius = across * across + down * down
    front = np.sqrt(np.clip(1 - radius, 0, 1))
    light = 0.5 + 0.5 * front + p["light_x"] * across + p["light_y"] * down
    head = g.fill((np.sqrt(radius) - 1) * width)
    _paint(canvas, head, p["skin"] * light)
    fringe = g.fill(g.y - p["hairline"] + p["parting"] * g.x - 0.35 * across * across, 2.5)
    _paint(canvas, fringe * head * p["hair"], hair * light)
    stubble = g.fill(p["mouth_y"] - 0.14 - g.y - 0.9 * np.maximum(g.u - 0.3, 0) + 0.06 * (g.u < 0.1), 5)
    _paint(canvas, stubble * head * p["beard"], hair)


def _draw_creases(canvas: np.ndarray, g: Grid, p: Parameters) -> None:
    """Shadows that the muscles throw: eye sockets, forehead, frown, cheeks, folds beside nose and mouth."""
    eye_x, eye_y, mouth_y = p["eye_x"], p["eye_y"], p["mouth_y"]
    shade = 0.3 * p["socket"] * _bump((g.u - 0.9 * eye_x) / 0.26, (g.y - eye_y + 0.03) / 0.2)
    raised = np.maximum(p["brow_raise"], 0) + 0.4 * np.maximum(p["brow_inner"], 0)
    for place in (0.31, 0.4):
        line = (g.y - eye_y + place + 0.06 * p["brow_raise"] - 0.15 * g.u * g.u) / 0.03
        shade += 0.16 * raised * _bump(line, g.u / 0.35)
    knit = np.maximum(p["brow_knit"], 0)
    shade += 0.34 * knit * _bump((g.u - 0.045) / 0.035, (g.y - eye_y + 0.15) / 0.13)
    wrinkle = np.maximum(p["nose_wrinkle"], 0)
    for place in (-0.02, 0.06):
        shade += 0.36 * wrinkle * _bump((g.y - eye_y - place - 0.5 * g.u) / 0.035, g.u / 0.15)
    cheek = np.maximum(p["cheek"], 0)
    shade += (0.24 * cheek) * _bump((g.y - eye_y - 0.13 + 0.08 * cheek) / 0.04, (g.u - eye_x) / 0.17)
    shade -= 0.2 * cheek * _bump((g.u - 1.1 * eye_x) / 0.18, (g.y - eye_y - 0.27) / 0.13)
    fold = (g.u - 0.13 - 0.55 * (g.y - 0.5 * (eye_y + mouth_y)) - 0.04 * p["mouth_width"]) / 0.04
    deep = p["age"] + 0.26 * cheek + 0.3 * wrinkle
    shade += deep * _bump(fold, (g.y - 0.65 * mouth_y - 0.35 * eye_y - 0.1) / 0.2)
    shade += 0.22 * _bump(g.u / 0.17, (g.y - mouth_y - 0.17 - 0.16 * np.maximum(p["mouth_open"], 0)) / 0.06)
    canvas *= 1 - shade


def _draw_nose(canvas: np.ndarray, g: Grid, p: Parameters) -> None:
    length = 0.6 * (p["mouth_y"] - p["eye_y"]) - 0.03 * p["nose_wrinkle"]
    tip, wide = p["eye_y"] + length, p["nose_width"]
    along = (g.y - p["eye_y"] - 0.5 * length) / (0.62 * length)
    lit_side = g.side * np.sign(p["light_x"])
    canvas *= 1 - 0.16 * (1 - 0.8 * lit_side) * _bump((g.u - 0.6 * wide) / 0.06, along)
    canvas *= 1 + 0.14 * _bump(g.u / 0.06, along) + 0.1 * _bump(g.u / wide, (g.y - tip + 0.04) / 0.07)
    wing = _bump((g.u - wide) / 0.04, (g.y - tip + 0.03) / 0.08)
    nostril = _bump((g.u - 0.55 * wide) / 0.06, (g.y - tip - 0.02) / 0.045)
    canvas *= 1 - 0.3 * wing - 0.65 * nostril


def _draw_mouth(canvas: np.ndarray, g: Grid, p: Parameters) -> None:
    half_width = p["mouth_size"] * (1 + 0.35 * p["mouth_width"])
    across = g.u * g.side / half_width
    arch = 1 - across * across
    corner, gape = p["mouth_corner"], np.maximum(p["mouth_open"], 0)
    middle = p["mouth_y"] + corner * (0.14 * arch - 0.08) - 0.07 * p["asymmetry"] * across
    upper = middle - arch * (0.07 * gape + 0.05 * p["upper_lip"])
    lower = middle + arch * (0.24 * gape + 0.012)
    thickness = p["lips"] * (1 - 0.7 * np.clip(p["lip_press"], 0, 1))
    lip = np.maximum(upper - 0.8 * thickness * arch - g.y, g.y - lower - thickness * arch)
    _paint(canvas, g.fill(lip) * p["lip_dark"], 0.45 * p["skin"])
    inside = g.fill(np.maximum(upper - g.y, g.y - lower), 1.2)
    _paint(canvas, inside, 0.16 * p["skin"])
    teeth = np.clip(p["teeth"], 0, 1)
    bite = g.fill(g.y - upper - (0.05 + 0.08 * gape) * arch * teeth)
    _paint(canvas, inside * bite * np.minimum(3 * teeth * (gape + 0.8 * p["upper_lip"]), 0.95), 0.88)
    line = (g.y - middle) / (0.035 + 0.012 * p["lip_press"])
    closed = np.clip(1 - 3 * gape, 0, 1)
    canvas *= 1 - 0.6 * closed * _bump(line, across / 1.08)
    canvas *= 1 - 0.35 * _bump((np.abs(across) - 1) * half_width / 0.06, (g.y - middle) / 0.06)


def _draw_eyes(canvas: np.ndarray, g: Grid, p: Parameters) -> None:
    offset = g.u - p["eye_x"]
    arch = 1 - (offset / p["eye_size"]) ** 2
    opening = np.maximum(p["eye_height"] * (1 + 0.75 * p["eye_open"]), 0.012)
    upper = p["eye_y"] - opening * arch
    lower = p["eye_y"] + arch * (0.6 * p["eye_height"] * (1 + 0.2 * p["eye_open"] - 0.75 * p["lower_lid"]))
    eye = g.fill(np.maximum(upper - g.y, g.y - lower))
    _paint(canvas, eye, 0.35 + 0.58 * p["skin"])
    sideways = offset - g.side * p["gaze_x"]
    upward = g.y - p["eye_y"] + 0.012 - p["gaze_y"]
    iris = np.sqrt(sideways * sideways + upward * upward) - 0.072
    _paint(canvas, g.fill(iris) * eye, p["iris"])
    canvas += 0.45 * eye * _bump((sideways - 0.025 * g.side) / 0.04, (upward + 0.03) / 0.04)
    lash = (g.y - upper + 0.01) / 0.042
    canvas *= 1 - 0.7 * _bump(lash, offset / (1.15 * p["eye_size"]))
    canvas *= 1 - 0.25 * _bump((g.y - lower - 0.015) / 0.035, offset / p["eye_size"])
    lens = np.sqrt((offset / 0.21) ** 2 + ((g.y - p["eye_y"] - 0.01) / 0.17) ** 2) - 1
    bridge = np.maximum(np.abs(g.y - p["eye_y"] + 0.04) - 0.012, g.u - p["eye_x"] + 0.2)
    frame = np.minimum(np.abs(lens) * 0.18 - 0.014, bridge)
    _paint(canvas, g.fill(frame) * p["glasses"], 0.12)


def _draw_brows(canvas: np.ndarray, g: Grid, p: Parameters) -> None:
    centre = p["eye_x"] + 0.01 - 0.035 * p["brow_knit"]
    along = (g.u - centre) / 0.19  # -1 at the inner end, 1 at the outer end
    rise = p["brow_gap"] + 0.085 * p["brow_raise"] + 0.055 * p["brow_inner"] * (0.2 - along)
    arch = p["brow_arch"] * (1 + 0.5 * p["brow_raise"])
    middle = p["eye_y"] - rise + arch * (along - 0.2) ** 2
    thickness = p["brow_size"] * (1 - 0.45 * np.maximum(along, -0.2))
    brow = np.maximum(np.abs(g.y - middle) - thickness, (np.abs(along) - 1) * 0.19)
    _paint(canvas, g.fill(brow, 1.4) * 0.9, 0.75 * p["skin"] * (1 - p["brow_dark"]))
