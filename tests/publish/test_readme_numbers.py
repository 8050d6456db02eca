"""Numbers in sentences of README and summary are those of results: each quote, its file, the row it is read from."""

import csv
import re

import pytest

from mvlm.settings import RESULTS, ROOT

AGAIN = {"pretrained_on": "still and moving faces, trained again", "measure": "zero-shot"}
WORDLESS = {"pretrained_on": "still and moving faces, no emotion words", "asked_about": "BU-3DFE-I"}
PAIRS = {"method": "full-pairs", "against": "baseline"}
QUOTES = (
    (
        "gains {difference:.1f} points [{low:.1f}, {high:.1f}]",
        "tables/table2-differences", {"method": "pseudo-labels"},
    ),
    ("more often than prompts ({labels_right:.0f} % against", "tables/table2-differences", {"method": "pseudo-labels"}),
    ("against {labels_right:.0f} %) and every cluster", "tables/table2-differences", {"method": "baseline"}),
    ("names swap, {labels_right:.0f} % of its labels are right", "tables/table2-differences", {"method": "full"}),
    ("would tell {accuracy:.0f} % of the films", "figures/dynamic-ceiling", {"corpus": "BP4D", "pooling": "mean"}),
    ("and {accuracy:.0f} % once they are", "figures/dynamic-ceiling", {"corpus": "BP4D", "pooling": "harmonic"}),
    (
        "a linear probe of what the model sees tells {accuracy:.0f} %",
        "tables/films", {"benchmark": "BP4D", "method": "baseline", "measure": "probe"},
    ),
    (
        "(5)-(8) alone gain {value:.1f} points [{low:.1f}, {high:.1f}] on BU-3DFE-I",
        "tables/summary", PAIRS | {"benchmark": "BU-3DFE-I"},
    ),
    ("and {value:.1f} [{low:.1f}, {high:.1f}] on BU-4DFE", "tables/summary", PAIRS | {"benchmark": "BU-4DFE"}),
    (
        "{difference:+.1f} [{low:.1f}, {high:.1f}] on BU-3DFE-I",
        "tables/readings", {"benchmark": "BU-3DFE-I", "method": "full-6B-8B"},
    ),
    (
        "each encoded by itself, keep {accuracy:.0f} of the 79 %",
        "tables/films",
        {"benchmark": "BP4D", "film": "frames", "layer": "true action units", "measure": "probe"},
    ),
    (
        "({difference:+.1f} points [{low:.1f}, {high:+.1f}])",
        "tables/films-differences",
        {"benchmark": "BP4D", "method": "subject-centred-windows+frames", "measure": "probe, subject-centred"},
    ),
    (
        "without moving faces it reads {value:.0f} % of posed films",
        "tables/foundation",
        {"pretrained_on": "still faces alone", "asked_about": "BU-4DFE", "measure": "zero-shot"},
    ),
    (
        "in its captions {value:.0f} % of BU-3DFE-I",
        "tables/foundation",
        WORDLESS | {"measure": "zero-shot"},
    ),
    (
        "though a linear probe still reads {value:.0f}.",
        "tables/foundation",
        WORDLESS | {"measure": "linear probe"},
    ),
    ("it reads {value:.0f} % of the films, but", "tables/foundation", AGAIN | {"asked_about": "BU-4DFE"}),
    ("but {value:.0f} of BU-3DFE-I, and", "tables/foundation", AGAIN | {"asked_about": "BU-3DFE-I"}),
    ("and {value:.0f} of Bosphorus where", "tables/foundation", AGAIN | {"asked_about": "Bosphorus"}),
    (
        "{value:.1f} points on posed films by pseudo-labels",
        "tables/foundation",
        AGAIN | {"asked_about": "BU-4DFE", "method": "+ pseudo-labels", "measure": "zero-shot, above the frozen model"},
    ),
    (
        "the person has {percent:.0f} % of the variance",
        "figures/person-shares",
        {"benchmark": "BU-3DFE-I", "face": "anny", "removed": "nothing", "measure": "variance", "kind": "person"},
    ),
    (
        "the emotion {percent:.0f} ([measured]",
        "figures/person-shares",
        {"benchmark": "BU-3DFE-I", "face": "anny", "removed": "nothing", "measure": "variance", "kind": "emotion"},
    ),
    (
        "it is called too seldom: {called:.0f} % of the scans at rest of BU-3DFE",
        "tables/at-rest", {"corpus": "BU-3DFE", "shown": "at rest", "chosen": "True"},
    ),
    (
        "and {called:.0f} % of Bosphorus are",
        "tables/at-rest", {"corpus": "Bosphorus", "shown": "at rest", "chosen": "True"},
    ),
    (
        "and {called:.0f} % of the faintest expressions",
        "tables/at-rest", {"corpus": "BU-3DFE", "shown": "level 1", "chosen": "True"},
    ),
)  # fmt: skip


@pytest.mark.parametrize(("quote", "name", "row"), QUOTES, ids=[quote for quote, *_ in QUOTES])
def test_a_number_of_the_readme_is_that_of_its_file(quote: str, name: str, row: dict[str, str]):
    with (RESULTS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        found = [each for each in csv.DictReader(file) if row.items() <= each.items()]
    said = {quote.format(**{key: float(each[key]) for key in re.findall(r"{(\w+):", quote)}) for each in found}
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    (expected,) = said
    assert expected in readme


def test_the_summary_says_how_far_two_trainings_of_one_recipe_lie_apart():
    with (RESULTS / "tables" / "foundation.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["data_kind"] == "twin" and row["measure"] == "zero-shot"]
    shipped, again = (
        {row["asked_about"]: float(row["value"]) for row in rows if row["pretrained_on"] == title}
        for title in ("still and moving faces", AGAIN["pretrained_on"])
    )
    apart = max(abs(shipped[about] - again[about]) for about in shipped)
    summary = " ".join((ROOT / "REPRODUCIBILITY.md").read_text(encoding="utf-8").split())
    assert f"reads the twins by up to {apart:.0f} points otherwise" in summary
