"""A verdict in words and as a picture, and what the model is and is not."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from mvlm.classify.verdicts import Verdict
from mvlm.faces.corpora.items import EMOTIONS
from mvlm.faces.views import view_names
from mvlm.settings import MODEL, Settings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BAR = 30  # characters of 100 %
LINES, LINE = 4, 0.16  # lines of words below a picture of the usual height, and inches that each further one takes
WITHOUT, PLAIN = "with the person removed", "plain"
ABOUT = (
    "{name} compares the shape of a face with sentences such as \u201ca smiling face\u201d{origin} {choice} "
    "The numbers say which words fit best, in the eyes of this model. They do not measure what anybody feels."
)
# Whether rest is asked beside the emotions, as here, or is one of the words, as on the live page.
BESIDE = (
    "It always chooses among {count} emotions (six where the person is removed), also for a face at rest; whether it "
    "is at rest is a question of its own, often answered wrongly."
)
AMONG = (
    "It chooses among {count} emotions and a face at rest (six emotions alone where the person is removed); whether a "
    "face is at rest is often answered wrongly."
)
ORIGIN = {MODEL: " and has learnt from synthetic faces alone, so that on scanned ones it may well be wrong."}
REST = "It may be at rest, and show none of these (beside them, rest has {:.0f} %)."
LOST = "No face was recognised by its shape; it was taken as it lies, frontal and upright: the answer may mean nothing."


def report(verdict: Verdict) -> str:
    """Probabilities in percent with bars, the largest first; the plain ones beside, where the others are in doubt."""
    looked = verdict.looked
    lines = [
        f"{looked.name} ({looked.kind})",
        *(f"  {title}\n{_bars(of)}" if title else _bars(of) for title, of in _shares(verdict)),
    ]
    return "\n".join([*lines, *(f"  {remark}" for remark in remarks(verdict))])


def _shares(verdict: Verdict) -> list[tuple[str, np.ndarray]]:
    """What to show of a verdict: titles, empty where there is no other, and probabilities of the first emotions."""
    if verdict.without is None:
        return [("", verdict.probabilities)]
    shown = [(WITHOUT, verdict.without)]
    return [*shown, (PLAIN, verdict.probabilities)] if verdict.doubts else shown


def _bars(probabilities: np.ndarray) -> str:
    lines = []
    for place in np.argsort(-probabilities, kind="stable"):
        share = float(probabilities[place])
        lines.append(f"  {EMOTIONS[place]:<14}{100 * share:5.1f} %  {'#' * round(BAR * share)}".rstrip())
    return "\n".join(lines)


def remarks(verdict: Verdict) -> tuple[str, ...]:
    """What else to say of a verdict, a sentence or two each: of rest, of persons, of a face that was not found."""
    rest = (REST.format(100 * verdict.rest),) if verdict.at_rest else ()
    return (*rest, *verdict.doubts, *((LOST,) if verdict.looked.lost else ()))


def about(name: str, choice: str = BESIDE) -> str:
    """What the model is and what it is not, in words for whoever sees a number; `choice` is `BESIDE` or `AMONG`."""
    origin = ORIGIN.get(name, ". It was made for photographs; nobody has said how it does on shaded scans.")
    return ABOUT.format(name=name, origin=origin, choice=choice.format(count=len(EMOTIONS)))


def draw(verdict: Verdict, chosen: Settings) -> Figure:
    """A page: the views, their heat below, bars of the probabilities beside them, and words on what it all means."""
    import textwrap

    from matplotlib.figure import Figure

    count = len(chosen.yaws)
    wide, tall = 2.0 * count + 4.4, 5.4
    words = textwrap.wrap(" ".join([*remarks(verdict), about(chosen.model)]), round(17.5 * wide))
    more = LINE * max(0, len(words) - LINES)  # the page grows with what is to be said

    def up(share: float) -> float:
        return (share * tall + more) / (tall + more)

    figure = Figure(figsize=(wide, tall + more), facecolor="white")
    grid = figure.add_gridspec(
        2, count + 1, width_ratios=[*[1] * count, 1.25], left=0.015, right=0.965, top=up(0.84), bottom=up(0.17),
        wspace=0.04, hspace=0.04,
    )  # fmt: skip
    for i, name in enumerate(view_names(chosen.yaws)):
        plain, hot = (figure.add_subplot(grid[row, i]) for row in (0, 1))
        plain.set_title(name, fontsize=9, color="0.3", pad=4)
        plain.imshow(verdict.looked.shown[i])
        hot.imshow(heated(verdict.looked.shown[i], verdict.heat[i]))
        for axes in (plain, hot):
            axes.set_axis_off()
    shares = _shares(verdict)
    for row, (title, of) in enumerate(shares):
        _draw_bars(figure.add_subplot(grid[row if len(shares) > 1 else slice(None), count]), of, title)
    figure.text(0.02, up(0.95), verdict.looked.name, fontsize=13, weight="bold", va="center")
    figure.text(0.02, up(0.905), verdict.looked.kind, fontsize=9, color="0.35", va="center")
    below = f"below: what in the views speaks for {verdict.best} (gradient times activation, as in HiResCAM)"
    figure.text(0.02, up(0.142), below, fontsize=9, color="0.35", va="center")
    figure.text(0.02, up(0.115), "\n".join(words), fontsize=8, color="0.25", va="top", linespacing=1.4)
    return figure


def heated(shown: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A view (H, H, 3) uint8 in grey under its heat (h, h) in [0, 1], which covers it the more the hotter: the same."""
    from matplotlib import colormaps
    from PIL import Image

    over = Image.fromarray(heat.astype(np.float32)).resize(shown.shape[:2], Image.Resampling.BILINEAR)
    over = np.asarray(over).clip(0, 1)[..., None]
    colour = 255 * colormaps["inferno"](over[..., 0])[..., :3]
    opaque = 0.75 * over**0.7
    return np.rint(opaque * colour + (1 - opaque) * shown.mean(-1, keepdims=True)).astype(np.uint8)


def _draw_bars(bars: Axes, probabilities: np.ndarray, title: str) -> None:
    order = np.argsort(probabilities, kind="stable")
    percent = 100 * probabilities[order]
    colours = ["#9aa5b1"] * (len(order) - 1) + ["#c8553d"]
    bars.barh([EMOTIONS[place] for place in order], percent, color=colours, height=0.62)
    for row, value in enumerate(percent):
        bars.text(value + 1.5, row, f"{value:.0f} %", va="center", fontsize=9, color="0.2")
    bars.set(xlim=(0, 115), xticks=[])
    bars.set_title(title, fontsize=9, color="0.3", pad=4)
    bars.tick_params(length=0, labelsize=9.5)
    bars.spines[:].set_visible(False)
    box = bars.get_position()
    bars.set_position([box.x0 + 0.105, box.y0, box.width - 0.105, box.height])


def picture(verdict: Verdict, chosen: Settings) -> bytes:
    """The page of `draw` as PNG."""
    written = io.BytesIO()
    draw(verdict, chosen).savefig(written, format="png", dpi=130, metadata={"Software": None})
    return written.getvalue()
