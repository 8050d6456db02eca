"""A film in short windows, each one picture that is encoded by itself; what is encoded is pooled afterwards.

One dynamic image of a whole film (`mvlm.faces.dynamics`) keeps what grows from its beginning to its end. A posed
expression does. Spontaneous ones come several times at any moment, and what is linear in the frames adds them up to
nothing. Encoded before they are pooled, by something that is not linear, they need not cancel. So does DGIN, whose
protocol the paper follows: short windows slide over the film, and what is made of each is pooled. Two cuts of a film:

"windows"  runs of `FRAMES` frames within `SECONDS`, evenly placed, half as many as the one image has frames; each
           becomes one dynamic image.
"frames"   the very frames that the one image pools, each a still: what is lost by pooling them before the encoder, and
           nothing else, lies between the two.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Sequence as Several
from typing import TYPE_CHECKING

import numpy as np

from mvlm.faces import views
from mvlm.faces.corpora.items import evenly_spaced
from mvlm.faces.dynamics import dynamic_image
from mvlm.faces.tracking import Track

if TYPE_CHECKING:
    from mvlm.faces.corpora.corpus import Corpus
    from mvlm.faces.corpora.items import Sequence

SECONDS = 1.0  # of a window
FRAMES, FEWEST = 5, 4  # of a window: as many, evenly spaced, or after bad ones are left out at least so many


def windows(length: int, fps: float, frames: int | None) -> np.ndarray:
    """Windows of a film as places of their frames, (W, K), both increasing; K is `FRAMES`, or the whole short film's.

    Args:
        length: frames of the film.
        fps: frames in a second.
        frames: of the film's one image, of which W is half, or fewer where a film is too short for as many different
            ones; None: as many windows as follow one another without a gap.

    Raises:
        ValueError: a window would have fewer than `FEWEST` frames.
    """
    span = min(length, round(SECONDS * fps))
    if span < FEWEST:
        raise ValueError(
            f"{length} frames at {fps:g} per second: expected at least {FEWEST} within {SECONDS:g} s, found {span}"
        )
    room = length - span + 1
    starts = np.arange(0, room, span) if frames is None else evenly_spaced(room, max(1, frames // 2))
    return starts[:, None] + evenly_spaced(span, FRAMES)


def stills(length: int, fps: float, frames: int | None) -> np.ndarray:  # noqa: ARG001 - as of windows
    """The frames of a film's one image as windows of one frame each, (W, 1); arguments as of `windows`."""
    return evenly_spaced(length, frames)[:, None]


CUTS: dict[str, Callable[[int, float, int | None], np.ndarray]] = {"windows": windows, "frames": stills}


def project_windows(
    corpus: Corpus,
    sequence: Sequence,
    places: np.ndarray,
    yaws: Several[float] = views.YAWS,
    size: int = 64,
    *,
    channel: str = "shaded",
) -> tuple[np.ndarray, dict[str, str]]:
    """The dynamic image of each view of each window; the views follow the head through all windows.

    No more of the film is in memory than the windows have frames. One frame's dynamic image is the frame.

    Args:
        corpus: what reads the frames, a corpus or a twin.
        sequence: one of its sequences.
        places: (W, K) of its frames, see `CUTS`.
        yaws, size, channel: as of `mvlm.faces.views.project`.

    Returns:
        (W, V, size, size, C) uint8, C being 1 where the channel is grey, else 3; black where fewer than `FEWEST` frames
        of a window (or all K, if K is less) can be read and shown. And the frames that were left out, as
        "F001_Angry, frame 7", each with the reason.

    Raises:
        ValueError: no window has enough frames; it names all that were left out.
    """
    track, shown, bad = Track(), {}, {}
    colours = 1 if channel in views.GREY else 3
    for place in np.unique(places).tolist():
        frame = sequence.frames[place]
        try:
            mesh = corpus.read_frame(sequence, place)
            picture = views.project(mesh, yaws=yaws, size=size, channel=channel, pose=track(mesh))
        except (OSError, ValueError) as error:
            told = frame.path is None or frame.path.name in str(error)
            bad[f"{sequence.name}, frame {frame.number}"] = str(error) if told else f"{frame.path}: {error}"
            continue
        shown[place] = picture[..., :colours]
    pictures = np.zeros((len(places), len(yaws), size, size, colours), np.uint8)
    fewest = min(FEWEST, places.shape[1])
    for window, wanted in zip(pictures, places.tolist(), strict=True):
        frames = [shown[place] for place in wanted if place in shown]
        if len(frames) >= fewest:
            window[:] = dynamic_image(np.stack(frames))
    if not pictures.any():
        reasons = "; ".join(f"{name.rpartition(', ')[2]}: {reason}" for name, reason in bad.items())
        wanted = f"expected a window with at least {fewest} of {places.shape[1]} frames"
        raise ValueError(f"{wanted}, found none ({reasons})")
    return pictures, bad
