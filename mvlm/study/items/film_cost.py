"""What each representation of a film costs: frames that are drawn, pictures that are encoded, what is kept of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mvlm.faces.corpora.items import evenly_spaced
from mvlm.faces.views import GREY
from mvlm.faces.windows import CUTS
from mvlm.report.results import Part
from mvlm.samples import Rendering
from mvlm.settings import Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.embeddings import COPIES, sized_prompts
from mvlm.study.films import FILMS, IMAGE
from mvlm.study.plan import present

if TYPE_CHECKING:
    import pandas as pd

    from mvlm.faces.corpora.items import Sequence as Recording

ON = ("BP4D", "BU-4DFE")
# Columns of the CSV, with their units.
COLUMNS = {
    "corpus": "name",
    "film": "what of a film is encoded",
    "data_kind": "twin, sample or supplied",
    "films": "sequences that take part",
    "frames": "read and drawn of a film, mean",
    "pictures": "encoded of a film and of each of its augmented copies, mean, all views",
    "views": "GB of pictures that are kept, uncompressed",
    "embeddings": "GB of embeddings that are kept, before pooling where there is any",
    "profile": "smoke, quick or full",
}


def cost_of_films(settings: Settings | None = None) -> pd.DataFrame:
    """One row for each corpus of films at hand and each representation, with `COLUMNS`, from the index alone.

    Args:
        settings: None reads them from the environment.
    """
    import pandas as pd

    chosen = Settings.from_environment() if settings is None else settings
    how, rows = Rendering.of(chosen), []
    for experiment in present([BENCHMARKS[name] for name in ON], chosen):
        size, prompts = sized_prompts(experiment.benchmark.emotions, chosen)
        known = {item.name: item for item in experiment.corpus.items}
        recordings = [known[name] for name in experiment.samples.names]
        for film in (IMAGE, *FILMS):
            cuts = FILMS[film].cuts if film != IMAGE else (IMAGE,)
            cuts = [list(_windows(recordings, cut, how.frames)) for cut in cuts]
            kept = len(recordings) * len(how.yaws) * sum(max(map(len, each)) for each in cuts)  # an array has one width
            colours = 1 if film != IMAGE and how.channel in GREY else 3
            rows.append({
                "corpus": experiment.corpus.name, "film": film, "data_kind": experiment.kind, "films": len(recordings),
                "frames": float(sum(np.mean([len(np.unique(of)) for of in each]) for each in cuts)),
                "pictures": float(len(how.yaws) * sum(np.mean([len(of) for of in each]) for each in cuts)),
                "views": kept * size**2 * colours / 1e9,
                "embeddings": kept * len(COPIES) * prompts.text.shape[1] * 4 / 1e9,
                "profile": chosen.profile,
            })  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _windows(recordings: Sequence[Recording], cut: str, frames: int | None) -> Iterator[np.ndarray]:
    """Of each film, the places (W, K) of its windows' frames; one window is that of the one image."""
    for recording in recordings:
        length = len(recording.frames)
        try:
            yield evenly_spaced(length, frames)[None] if cut == IMAGE else CUTS[cut](length, recording.fps, frames)
        except ValueError:  # too short for a window: drawing it says so
            yield np.zeros((0, 1), int)


def render_cost(frame: pd.DataFrame) -> list[Part]:
    """Render the costs from their CSV."""
    import pandas as pd

    cells = [
        {"Corpus": f"{row['corpus']} ({row['data_kind']})", "What of a film is encoded": row["film"],
         "frames drawn of a film": f"{row['frames']:.1f}", "pictures encoded": f"{row['pictures']:.1f}",
         "GB of views": f"{row['views']:.3f}", "GB of embeddings": f"{row['embeddings']:.3f}"}
        for row in frame.to_dict("records")
    ]  # fmt: skip
    first = frame.drop_duplicates("corpus").to_dict("records")
    sizes = "; ".join(f"{row['corpus']} {row['films']} films" for row in first)
    note = (
        f"Means over films, profile {frame['profile'].iloc[0]}; {sizes}. Another pooling of the same windows draws and "
        "encodes nothing again."
    )
    return [Part("What each representation costs", pd.DataFrame(cells), note)]
