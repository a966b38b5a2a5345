"""Sources are predicted as the model takes them: pictures one by one, videos as clips, and nothing else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answers import NAMES
from drawn_faces import found_faces, photo
from made_videos import write_video

from fer_exp.data.faces.search import boxes
from fer_exp.data.inputs import Spec, Specs
from fer_exp.errors import ConfigError
from fer_exp.predict import clips, sources, videos, work
from fer_exp.run.trained import Classifier

CLIP = {"frames": Spec("frames", "clip", (4, 24, 24, 1), 10.0)}
QUIET = work.Progress(lambda count: None, lambda: None)


def classifier(specs: Specs) -> tuple[Classifier, list[dict[str, np.ndarray]]]:
    """A model that names the first class of whatever it is asked, and what it was asked."""
    seen: list[dict[str, np.ndarray]] = []

    def predict(rows: Any) -> np.ndarray:
        seen.append(rows)
        return np.tile(np.array([0.5, 0.3, 0.2], np.float32), (len(next(iter(rows.values()))), 1))

    return Classifier("made", specs, NAMES, predict, None, None, "made"), seen


def test_a_video_is_predicted_clip_by_clip_and_what_is_no_video_is_told(tmp_path: Path) -> None:
    write_video(tmp_path / "b.mp4")
    for name in ("a.png", "c.mp4"):
        (tmp_path / name).touch()
    model, seen = classifier(CLIP)
    outcome = work.run(sources.find([str(tmp_path)])[0], model, "none", None, 2, QUIET)
    assert [(one.index, one.boxes) for one in outcome.seen] == [(3, (None,)), (5, (None,)), (7, (None,)), (9, (None,))]
    assert outcome.seen[0].name.endswith("b.mp4 frame 3")
    assert [rows["frames"].shape for rows in seen] == [(4, 4, 24, 24, 1)]
    np.testing.assert_allclose(seen[0]["frames"][1, :, 0, 0, 0], [40, 60, 80, 100], atol=3)
    assert [Path(failure.name).name for failure in outcome.failures] == ["a.png", "c.mp4"]
    assert outcome.failures[0].reason == "it is no video, and the model takes clips of 4 frames"


def test_a_frame_is_searched_once_although_it_is_in_several_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = videos.Writer(tmp_path / "film.mp4", 10, (400, 300))
    for _ in range(6):
        writer.add(photo(found_faces()[0]))
    writer.close()
    searched: list[object] = []
    monkeypatch.setattr(clips.search, "boxes", lambda image: searched.append(image) or boxes(image))
    model, _ = classifier(CLIP)
    outcome = work.run(sources.find([str(tmp_path / "film.mp4")])[0], model, "haar", 1, 1, QUIET)
    assert [one.index for one in outcome.seen] == [3, 4, 5]
    assert all(box is not None and box.width > 80 for one in outcome.seen for box in one.boxes)
    assert len(searched) == 6


@pytest.mark.parametrize(
    ("specs", "received"),
    [
        ({"voice": Spec("voice", "sound", (40,))}, "made, which takes sound 40."),
        (
            {**CLIP, "voice": Spec("voice", "sound", (40,))},
            "made, which takes frames (clip 4x24x24x1), voice (sound 40).",
        ),
    ],
)
def test_a_model_of_something_else_is_refused(specs: Specs, received: str) -> None:
    with pytest.raises(ConfigError) as caught:
        work.run([], classifier(specs)[0], "none", None, 1, QUIET)
    assert f"`model` must take one image or one clip to predict files. Received: {received}" in str(caught.value)
