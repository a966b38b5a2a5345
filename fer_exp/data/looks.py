"""How a drawn face looks: what its muscles do in each expression, what makes a person, and pose, light and camera.

Called by `dataset.synthetic`, which decides how many faces there are and of which classes; `drawing` draws them.

Source: the expressions follow the action units of Ekman, Friesen and Hager, "Facial Action Coding System", 2002.
"""

import numpy as np

from fer_exp.data.emotions import EMOTIONS

# What the muscles do at full strength, 0 at rest; two typical looks of each expression, and every face is a mixture.
_EXPRESSIONS: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "angry": (
        dict(brow_raise=-0.9, brow_inner=-1.0, brow_knit=1.0, eye_open=-0.1, lower_lid=0.5, mouth_width=-0.2,
             mouth_corner=-0.3, lip_press=1.0, nose_wrinkle=0.2),
        dict(brow_raise=-0.9, brow_inner=-1.0, brow_knit=1.0, eye_open=0.1, lower_lid=0.5, mouth_width=0.3,
             mouth_corner=-0.35, mouth_open=0.45, teeth=1.0, upper_lip=0.3, nose_wrinkle=0.4),
    ),
    "disgust": (
        dict(brow_raise=-0.5, brow_inner=-0.5, brow_knit=0.5, eye_open=-0.5, lower_lid=0.7, mouth_corner=-0.6,
             upper_lip=0.8, nose_wrinkle=1.0, cheek=0.4, asymmetry=0.8, teeth=0.3),
        dict(brow_raise=-0.6, brow_inner=-0.6, brow_knit=0.6, eye_open=-0.6, lower_lid=0.8, mouth_corner=-0.5,
             mouth_open=0.35, teeth=0.8, upper_lip=1.0, nose_wrinkle=1.0, cheek=0.5, asymmetry=0.5),
    ),
    "fear": (
        dict(brow_raise=0.7, brow_inner=0.9, brow_knit=0.8, eye_open=0.9, mouth_width=0.6, mouth_corner=-0.45,
             mouth_open=0.3, teeth=0.8),
        dict(brow_raise=0.8, brow_inner=0.7, brow_knit=0.7, eye_open=1.0, mouth_width=0.3, mouth_corner=-0.3,
             mouth_open=0.6, teeth=0.4),
    ),
    "happy": (
        dict(eye_open=-0.2, lower_lid=0.5, mouth_width=0.6, mouth_corner=0.9, cheek=0.8),
        dict(brow_raise=0.1, eye_open=-0.3, lower_lid=0.6, mouth_width=0.8, mouth_corner=1.0, mouth_open=0.5,
             teeth=1.0, cheek=1.0),
    ),
    "sad": (
        dict(brow_raise=0.1, brow_inner=1.1, brow_knit=0.5, eye_open=-0.4, mouth_width=-0.1, mouth_corner=-1.0,
             lip_press=0.2),
        dict(brow_inner=0.9, brow_knit=0.3, eye_open=-0.7, mouth_corner=-0.7, mouth_open=0.1),
    ),
    "surprise": (
        dict(brow_raise=1.1, eye_open=1.0, mouth_width=-0.45, mouth_open=1.0),
        dict(brow_raise=0.9, eye_open=0.8, mouth_width=-0.25, mouth_open=0.6, teeth=0.2),
    ),
    "neutral": ({}, {}),
}  # fmt: skip
_MUSCLES = sorted({muscle for looks in _EXPRESSIONS.values() for look in looks for muscle in look})

# Lowest and highest value of what makes a person, in half images where it is a length; drawn uniformly.
_IDENTITY: dict[str, tuple[float, float]] = dict(
    face_width=(0.58, 0.72), face_height=(0.8, 0.92), jaw=(0.0, 0.32), skin=(0.42, 0.88), age=(0.0, 0.16),
    socket=(0.2, 0.9), eye_x=(0.25, 0.31), eye_y=(-0.2, -0.1), eye_size=(0.125, 0.16), eye_height=(0.062, 0.085),
    iris=(0.06, 0.28), brow_gap=(0.17, 0.215), brow_arch=(0.01, 0.05), brow_size=(0.02, 0.042),
    brow_dark=(0.35, 0.9), nose_width=(0.075, 0.12), mouth_y=(0.4, 0.49), mouth_size=(0.2, 0.26),
    lips=(0.03, 0.065), lip_dark=(0.25, 0.75), hair_dark=(0.3, 0.92), hairline=(-0.72, -0.48),
    parting=(-0.3, 0.3), clothes=(0.1, 0.9), background=(0.15, 0.85),
)  # fmt: skip

# Share of the persons that have it.
_ATTRIBUTES: dict[str, float] = dict(hair=0.92, beard=0.2, glasses=0.14, long_hair=0.4)

# Value in an easy image, and the largest departure from it at difficulty 1; drawn uniformly around the value.
SCENE: dict[str, tuple[float, float]] = dict(
    shift_x=(0.0, 0.16), shift_y=(0.0, 0.16), roll=(0.0, 0.4), scale=(0.97, 0.17), yaw=(0.0, 0.5), gaze_x=(0.0, 0.07),
    gaze_y=(0.0, 0.03), light_x=(0.0, 0.5), light_y=(-0.05, 0.25), contrast=(0.9, 0.4), brightness=(0.5, 0.15),
    clutter=(0.1, 0.2), blur=(0.4, 0.6), noise=(0.03, 0.05),
)  # fmt: skip


def identity(count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Samples persons.

    Args:
        count: Number of persons.
        rng: Draws them.

    Returns:
        Parameter name -> (count,).
    """
    look: dict[str, np.ndarray] = {name: rng.uniform(low, high, count) for name, (low, high) in _IDENTITY.items()}
    has = {name: rng.random(count) < share for name, share in _ATTRIBUTES.items()}
    look |= {"hair": 1.0 * has["hair"], "glasses": 0.85 * has["glasses"]}
    look["beard"] = rng.uniform(0.3, 0.8, count) * (has["beard"] & ~has["long_hair"])
    look["hair_length"] = np.where(has["long_hair"], rng.uniform(0.4, 1.0, count), -0.1)
    return look


def scene(count: int, difficulty: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Samples pose, light and camera.

    Args:
        count: Number of images.
        difficulty: From 0 to 1.
        rng: Draws them.

    Returns:
        Parameter name -> (count,).
    """
    return {
        name: value + difficulty * departure * rng.uniform(-1, 1, count) for name, (value, departure) in SCENE.items()
    }


def expression(labels: np.ndarray, difficulty: float, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Samples the muscles' activity, weaker and less pure the higher the difficulty.

    Args:
        labels: int (n,), which expression of `EMOTIONS` each face shows.
        difficulty: From 0 to 1.
        rng: Draws them.

    Returns:
        Name of the muscle -> (n,).
    """
    looks = np.array([[[look.get(name, 0.0) for name in _MUSCLES] for look in _EXPRESSIONS[emotion]]
                      for emotion in EMOTIONS])  # (class, 2, muscle)  # fmt: skip
    shape = (len(labels), len(_MUSCLES))
    mixture = rng.random((len(labels), 1))
    activity = looks[labels, 0] * mixture + looks[labels, 1] * (1 - mixture)
    activity *= 1.1 - difficulty * rng.uniform(0.0, 1.5, (len(labels), 1))
    activity *= 1 - difficulty * rng.uniform(0.0, 0.8, shape)
    activity += difficulty * rng.normal(0.0, 0.3, shape)
    muscles = dict(zip(_MUSCLES, activity.T, strict=True))
    muscles["asymmetry"] = muscles["asymmetry"] * rng.choice([-1.0, 1.0], len(labels))
    return muscles
