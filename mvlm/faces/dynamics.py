"""Frames of a sequence -> one dynamic image, by rank pooling: a weighted sum of frames that orders them in time.

Let V_t be the mean of the frames 1..t. Rank pooling (Fernando et al. 2015; Bilen et al., CVPR 2016) looks for the d
whose scores <d, V_t> grow with t, and takes this d, which has the shape of a frame, as the summary of the sequence.

"harmonic"  the first step of its gradient descent, in closed form: sum_t (2t - T - 1) V_t, so frame t weighs
            2(T - t + 1) - (T + 1)(H_T - H_{t-1}), H the harmonic numbers. The default.
"linear"    the same with frames in place of their running means: frame t weighs 2t - T - 1.
"ranksvm"   the minimum of  REGULARISATION / 2 |d|^2 + 2 / (T (T - 1)) sum_{q > t} max(0, 1 - <d, V_q - V_t>).

The weights of every form sum to 0, so that whatever rests vanishes; a single frame stands for itself, with weight 1.
The variant that replaces the pairs by a linear support-vector regression of V_t on t, after a signed square root and
a division by the norm, is nonlinear in the frames: what rests does not vanish. It is a peer in the benchmarks only.
"""

from __future__ import annotations

from collections.abc import Sequence as Several
from typing import TYPE_CHECKING

import numpy as np

from mvlm.faces import views
from mvlm.faces.corpora.items import evenly_spaced
from mvlm.faces.tracking import Track
from mvlm.settings import nearest

if TYPE_CHECKING:
    from mvlm.faces.corpora.corpus import Corpus
    from mvlm.faces.corpora.items import Sequence

FORMS = ("harmonic", "linear", "ranksvm")
REGULARISATION = 1.0  # of "ranksvm", on frames scaled so that the mean square of |V_q - V_t| over pairs is 1
ROUNDS, TOLERANCE = 100_000, 1e-6  # of its solver
BLOCK = 1 << 16  # pixels that are turned into numbers at once
REST = 128  # grey of a dynamic image where nothing moves
SHARE = 0.98  # share of the face's pixels that a dynamic image shows without clipping
FAINTEST = 12.0  # grey levels; motion below is not stretched to full contrast: it is noise
FEWEST = 2  # frames that show a motion


def pooling_weights(count: int, form: str = "harmonic") -> np.ndarray:
    """Weights (T,) of frames 1..T in the closed forms "harmonic" and "linear"; they sum to 0, but for T = 1.

    Raises:
        ValueError: no frame, or another form.
    """
    if form not in ("harmonic", "linear"):
        raise ValueError(f"form {form!r}: expected harmonic or linear, whose weights do not depend on the frames")
    if count < 1:
        raise ValueError(f"{count} frames: expected at least one")
    if count == 1:
        return np.ones(1)
    t = np.arange(1, count + 1)
    if form == "linear":
        return 2.0 * t - count - 1
    return 2.0 * (count - t + 1) - (count + 1) * np.cumsum(1 / t[::-1])[::-1]


def rank_pool(frames: np.ndarray, form: str = "harmonic") -> np.ndarray:
    """Pool frames (T, ...) of any numbers over time to one (...) float32 array; see the module for the forms.

    Raises:
        ValueError: no frame, or no such form.
    """
    frames = np.asarray(frames)
    if form not in FORMS:
        near = nearest(form, FORMS)
        raise ValueError(f"form {form!r}: expected one of {', '.join(FORMS)}; did you mean {near!r}?")
    if frames.ndim == 0 or len(frames) == 0:
        raise ValueError(f"frames of shape {frames.shape}: expected (T, ...) with at least one")
    return _weighted(frames, _weights(frames, form))


def dynamic_image(frames: np.ndarray, form: str = "harmonic") -> np.ndarray:
    """One picture of a sequence, per view: brighter than `REST` where it became brighter in time, darker where darker.

    Between background (0) and skin lies the largest step of all, and it would drown the face. So before pooling it is
    filled in where it says nothing about an expression. A pixel that is background in one frame, but not in the frames
    before and after it, is a hole in the scan, and takes their mean; the first and the last of at least three frames
    have one neighbour. A pixel outside the face's outline in some frames takes its mean over the others: as the weights
    sum to 0, it then shows how the skin there changed while it was in view, not that the outline moved with the head.
    What is absent for longer inside the outline, as in an open mouth, is motion, and stays.

    The pooled sum is divided by half the sum of |weights|: it is then the grey of the later frames less that of the
    earlier ones, whatever their number. One factor for all views stretches it about `REST`, such that `SHARE` of the
    face's pixels fit without clipping, but motion below `FAINTEST` levels stays faint. The 8-bit export of the
    published code stretches from minimum to maximum instead: there a single pixel rules the contrast, and the grey of
    rest differs from sequence to sequence.

    Args:
        frames: (T, V, H, W, C) uint8 views, background 0.
        form: one of `FORMS`.

    Returns:
        (V, H, W, C) uint8. A single frame is returned as it is, having no motion to show.

    Raises:
        ValueError: no frame, or no such form.
    """
    frames = np.asarray(frames)
    if len(frames) == 1:
        return frames[0].copy()
    filled = _filled(frames)
    weights = _weights(filled, form)
    pooled = _weighted(filled, weights) / max(np.abs(weights).sum() / 2, 1e-12)
    face = filled.any(axis=(0, -1))
    spread = np.quantile(np.abs(pooled[face]), SHARE) if face.any() else 0.0
    return np.rint(np.clip(REST + 127 / max(spread, FAINTEST) * pooled, 1, 255)).astype(np.uint8)


def project_sequence(
    corpus: Corpus,
    sequence: Sequence,
    yaws: Several[float] = views.YAWS,
    size: int = 64,
    *,
    channel: str = "shaded",
    count: int | None = None,
    form: str = "harmonic",
) -> tuple[np.ndarray, dict[str, str]]:
    """The dynamic image of each view of a sequence; the views follow the head (`mvlm.faces.tracking`).

    A frame that cannot be read or shown is left out, so long as two remain (one, of a sequence of one).

    Args:
        corpus: what reads the frames, a corpus or a twin.
        sequence: one of its sequences.
        yaws, size, channel: as of `mvlm.faces.views.project`.
        count: evenly spaced frames to take; None takes all.
        form: one of `FORMS`.

    Returns:
        (V, size, size, 3) uint8, and the frames that were left out, as "F001_Angry, frame 7", each with the reason.

    Raises:
        ValueError: too few frames; it names all that were left out.
    """
    places = evenly_spaced(len(sequence.frames), count)
    track, shown, bad = Track(), [], {}
    for place in places:
        frame = sequence.frames[place]
        try:
            mesh = corpus.read_frame(sequence, int(place))
            picture = views.project(mesh, yaws=yaws, size=size, channel=channel, pose=track(mesh))
        except (OSError, ValueError) as error:
            told = frame.path is None or frame.path.name in str(error)
            bad[f"{sequence.name}, frame {frame.number}"] = str(error) if told else f"{frame.path}: {error}"
            continue
        shown.append(picture[..., :1] if channel in views.GREY else picture)
    fewest = min(FEWEST, len(places))
    if len(shown) < fewest:
        reasons = "; ".join(f"{name.rpartition(', ')[2]}: {reason}" for name, reason in bad.items())
        raise ValueError(f"expected at least {fewest} of {len(places)} frames, found {len(shown)} ({reasons})")
    picture = dynamic_image(np.stack(shown), form)
    return np.repeat(picture, 3, axis=-1) if channel in views.GREY else picture, bad


def _weights(frames: np.ndarray, form: str) -> np.ndarray:
    if len(frames) == 1:
        return np.ones(1)
    return _svm_weights(frames) if form == "ranksvm" else pooling_weights(len(frames), form)


def _svm_weights(frames: np.ndarray) -> np.ndarray:
    """Weights (T,) of frames (T, ...) whose sum is the minimum of "ranksvm"; 0 if nothing moves.

    The minimum lies in the span of the V_t, so that T numbers stand for a frame: coordinates in which products of the
    V_t are what they were. There it is a support-vector machine without intercept on the T (T - 1) / 2 differences.
    """
    from sklearn.svm import LinearSVC

    count = len(frames)
    flat = frames.reshape(count, -1)
    products = np.zeros((count, count))
    for start in range(0, flat.shape[1], BLOCK):
        part = flat[:, start : start + BLOCK].astype(np.float64)
        part -= part.mean(axis=0)  # what rests is in no difference
        products += part @ part.T
    running = np.tri(count) / np.arange(1, count + 1)[:, None]
    values, vectors = np.linalg.eigh(running @ products @ running.T)
    spans = np.sqrt(np.clip(values, 0, None))
    means = vectors * spans  # (T, T): V_t in T coordinates
    later, earlier = np.tril_indices(count, -1)
    pairs = means[later] - means[earlier]
    scale = np.sqrt((pairs**2).sum(1).mean())
    if scale == 0:
        return np.zeros(count)
    # The solver wants two classes: every pair once as it is and once reversed, each at half the cost.
    cost = 1 / (REGULARISATION * count * (count - 1))
    solver = LinearSVC(
        loss="hinge", dual=True, C=cost, fit_intercept=False, tol=TOLERANCE, max_iter=ROUNDS, random_state=0
    )
    solver.fit(np.concatenate([pairs, -pairs]) / scale, np.repeat([1, -1], len(pairs)))
    # d = sum of beta_t V_t, by the directions that the frames have.
    kept = spans > 1e-9 * spans.max()
    beta = vectors[:, kept] @ (solver.coef_[0][kept] / spans[kept])
    weights = running.T @ beta
    return weights - weights.mean()  # of centred frames, so that the mean frame drops out


def _weighted(frames: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(...) float32 sum of frames (T, ...), a block of pixels at a time: frames stay bytes, a block becomes numbers."""
    flat = frames.reshape(len(frames), -1)
    pooled = np.empty(flat.shape[1], np.float32)
    for start in range(0, flat.shape[1], BLOCK):
        # In double precision, or the order of the sum would show in the last bit of a picture.
        pooled[start : start + BLOCK] = weights @ flat[:, start : start + BLOCK].astype(np.float64)
    return pooled.reshape(frames.shape[1:])


def _filled(frames: np.ndarray) -> np.ndarray:
    """Frames (T, V, H, W, C) without holes of one frame and without a moving outline; see `dynamic_image`."""
    seen = frames.any(axis=-1)
    filled = frames.copy()
    if len(frames) > 2:  # of two frames nobody can say which is the odd one
        before, after = np.arange(len(frames)) - 1, np.arange(len(frames)) + 1
        before[0], after[-1] = 1, len(frames) - 2
        t, *where = np.nonzero(~seen & seen[before] & seen[after])
        around = [frames[(times[t], *where)].astype(np.uint16) for times in (before, after)]
        filled[(t, *where)] = (around[0] + around[1]) // 2
        seen[(t, *where)] = True
    outside = _outside(seen)
    partly = outside.any(axis=0) & seen.any(axis=0)
    shown, column = seen[:, partly], filled[:, partly]
    mean = column.sum(axis=0) / shown.sum(axis=0)[:, None]  # background adds 0
    filled[:, partly] = np.where(outside[:, partly, None], np.rint(mean).astype(np.uint8), column)
    return filled


def _outside(seen: np.ndarray) -> np.ndarray:
    """Of (T, V, H, W) masks of faces, the background that hangs together with a border of the picture."""
    from scipy.ndimage import label

    within = np.zeros((3, 3, 3, 3), bool)
    within[1, 1] = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
    names, count = label(~seen, within)
    outer = np.zeros(count + 1, bool)
    for side in (names[..., 0, :], names[..., -1, :], names[..., 0], names[..., -1]):
        outer[side] = True
    outer[0] = False
    return outer[names]
