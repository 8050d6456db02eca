"""Films in windows: which frames, what becomes of bad ones, and that the one dynamic image is a case of it."""

import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mvlm.faces import dynamics, views, windows
from mvlm.faces.corpora.items import Frame, Sequence, evenly_spaced
from mvlm.faces.dynamics import dynamic_image, project_sequence
from mvlm.faces.windows import CUTS, FEWEST, FRAMES, project_windows

VIEWS, SIZE = 3, 8


@dataclass(frozen=True)
class Film:
    """A corpus whose meshes are numbers of frames, some of which cannot be read."""

    bad: tuple[int, ...] = ()

    def read_frame(self, sequence: Sequence, place: int) -> int:
        number = sequence.frames[place].number
        if number in self.bad:
            raise ValueError(f"{sequence.frames[place].path}: cut short")
        return number


def film(frames: int) -> Sequence:
    shots = tuple(Frame(number, Path(f"{number:03d}.wrl")) for number in range(frames))
    return Sequence("F001_T1", "F001", "happiness", "T1", shots, 25.0)


def picture(mesh: int, size: int = SIZE) -> np.ndarray:
    grey = np.random.default_rng(mesh).integers(1, 256, (VIEWS, size, size, 1), np.uint8)
    return np.repeat(grey, 3, axis=-1)


class Follower:
    """In place of a pose, the first frame that it was shown and the one that it is shown."""

    first: int | None = None

    def __call__(self, mesh: int) -> tuple[int, int]:
        self.first = mesh if self.first is None else self.first
        return self.first, mesh


@pytest.fixture
def poses(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Random pictures in place of ray casting; the poses that were asked for."""
    asked = []

    def project(mesh, yaws=views.YAWS, size=SIZE, *, channel="shaded", pose=None):  # noqa: ARG001 - as of project
        asked.append(pose)
        return picture(mesh, size)

    monkeypatch.setattr(views, "project", project)
    for module in (dynamics, windows):
        monkeypatch.setattr(module, "Track", Follower)
    return asked


def naive(length: int, fps: float, count: int) -> list[list[int]]:
    """Windows of one second, a loop each: the first at the start, the last at the end, the others between."""
    span = min(length, round(fps))
    found = []
    for number in range(count):
        start = number * (length - span) // (count - 1)
        window = [start + step * (span - 1) // (min(FRAMES, span) - 1) for step in range(min(FRAMES, span))]
        if window not in found:
            found.append(window)
    return found


@pytest.mark.parametrize(
    "length, fps", [(490, 25.0), (90, 25.0), (27, 25.0), (25, 25.0), (60, 60.0), (9, 25.0), (4, 4.0)]
)
def test_windows_are_evenly_placed_and_last_a_second(length: int, fps: float):
    found = CUTS["windows"](length, fps, 16)
    assert found.tolist() == naive(length, fps, 8)
    assert (np.diff(found, axis=1) > 0).all() and found[0, 0] == 0 and found.max() == length - 1
    assert (np.ptp(found, axis=1) / fps < 1).all()


def test_windows_as_written_down():
    assert CUTS["windows"](100, 25.0, 16)[[0, 1, -1]].tolist() == [
        [0, 6, 12, 18, 24], [10, 16, 22, 28, 34], [75, 81, 87, 93, 99]
    ]  # fmt: skip
    assert CUTS["windows"](100, 25.0, 4).tolist() == [[0, 6, 12, 18, 24], [75, 81, 87, 93, 99]]
    assert CUTS["windows"](12, 5.0, None).tolist() == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]  # one after the other
    assert CUTS["windows"](6, 25.0, 16).tolist() == [[0, 1, 2, 3, 5]]  # all of a film that is shorter
    assert CUTS["windows"](4, 25.0, 16).tolist() == [[0, 1, 2, 3]]
    assert CUTS["frames"](100, 25.0, 4).tolist() == [[0], [33], [66], [99]]
    assert CUTS["frames"](1, 25.0, 16).tolist() == [[0]] and len(CUTS["frames"](490, 25.0, None)) == 490


@pytest.mark.parametrize("length, fps, found", [(3, 25.0, 3), (1, 25.0, 1), (500, 3.0, 3)])
def test_a_window_of_fewer_than_four_frames_is_refused(length: int, fps: float, found: int):
    with pytest.raises(ValueError, match=rf"{length} frames at {fps:g} per second: expected at least 4 .* {found}$"):
        CUTS["windows"](length, fps, 16)


def test_each_window_is_a_dynamic_image_and_all_follow_the_head_from_the_first_frame(poses):
    places = CUTS["windows"](60, 25.0, 8)
    shown, bad = project_windows(Film(), film(60), places, size=SIZE)
    assert shown.shape == (4, VIEWS, SIZE, SIZE, 1) and not bad
    for window, wanted in zip(shown, places, strict=True):
        frames = np.stack([picture(int(place))[..., :1] for place in wanted])
        np.testing.assert_array_equal(window, dynamic_image(frames))
    wanted = np.unique(places).tolist()
    assert poses == [(0, place) for place in wanted]  # in the order of time, each once


@pytest.mark.usefixtures("poses")
def test_frames_are_the_very_pictures_and_one_window_of_all_is_the_one_image():
    places = evenly_spaced(40, 16)
    stills, _ = project_windows(Film(), film(40), CUTS["frames"](40, 25.0, 16), size=SIZE)
    np.testing.assert_array_equal(stills, np.stack([picture(int(place))[..., :1] for place in places]))
    whole, _ = project_windows(Film(), film(40), places[None], size=SIZE)
    image, _ = project_sequence(Film(), film(40), size=SIZE, count=16)
    np.testing.assert_array_equal(np.repeat(whole[0], 3, axis=-1), image)
    alone, _ = project_windows(Film(), film(1), CUTS["frames"](1, 25.0, 16), size=SIZE)
    np.testing.assert_array_equal(alone, picture(0)[None, ..., :1])


@pytest.mark.usefixtures("poses")
def test_a_channel_of_colours_keeps_them():
    shown, _ = project_windows(Film(), film(30), CUTS["windows"](30, 25.0, 4), size=SIZE, channel="normals")
    assert shown.shape == (2, VIEWS, SIZE, SIZE, 3)


@pytest.mark.usefixtures("poses")
def test_a_window_goes_without_a_bad_frame_and_is_black_below_four():
    places = CUTS["windows"](100, 25.0, 4)
    shown, bad = project_windows(Film(bad=(6, 81, 93)), film(100), places, size=SIZE)
    assert list(bad) == [f"F001_T1, frame {number}" for number in (6, 81, 93)]
    assert bad["F001_T1, frame 6"] == "006.wrl: cut short"
    kept = np.stack([picture(place)[..., :1] for place in (0, 12, 18, 24)])
    np.testing.assert_array_equal(shown[0], dynamic_image(kept))
    assert len(kept) == FEWEST and not shown[1].any()
    middle, _ = project_windows(Film(bad=(33,)), film(100), CUTS["frames"](100, 25.0, 4), size=SIZE)
    assert middle.any(axis=(1, 2, 3, 4)).tolist() == [True, False, True, True]
    with pytest.raises(ValueError, match=r"a window with at least 4 of 5 frames, found none \(frame 6: 006.wrl:"):
        project_windows(Film(bad=(6, 12, 81, 93)), film(100), places, size=SIZE)
    with pytest.raises(ValueError, match="expected a window with at least 1 of 1 frames, found none"):
        project_windows(Film(bad=(0,)), film(1), np.array([[0]]), size=SIZE)


@pytest.mark.usefixtures("poses")
def test_memory_does_not_grow_with_the_film():
    def peak(frames: int) -> int:
        sequence, places = film(frames), CUTS["windows"](frames, 25.0, 16)
        tracemalloc.start()
        project_windows(Film(), sequence, places, size=64)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    short = peak(250)
    assert peak(2000) < 1.05 * short < 12e6  # forty frames of three views, and what a window's image takes
