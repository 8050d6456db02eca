"""Cards of the twins: what each of them is, where its figures come from, and what it is not."""

from typing import NamedTuple


class Card(NamedTuple):
    """subjects, items   counts
    shows             which expressions, and how they run in time
    sensor            what the scanner does to them
    sources           published; everything else is this project's own choice
    is_not            what a result on this twin does not say
    """

    subjects: str
    items: str
    shows: str
    sensor: str
    sources: str
    is_not: str


_ANNY = (
    "not a real person: shapes that artists modelled, mixed by age, sex and ancestry; what a person and an expression"
    " do to a face nearly adds up"
)
_FORMULA = (
    "not a real person: one parametric head, in shape, skin and muscles of less variety than people have; ancestries"
    " are not drawn"
)
_EMFACS = "Du et al. 2014 (units), Cordaro et al. 2018 (a person's own quarter), Ekman et al. 1981 (asymmetry)"
CARDS = {
    "BU-3DFE": Card(
        subjects="100 (56 F, 44 M)",
        items="2,500 scans: neutral, and 6 emotions at 4 levels",
        shows="posed at the apex, intensities 0.4 to 1 of FACS A-E = 0.2-1; a person keeps their units and adds own",
        sensor="stereo photogrammetry: 0.2 mm RMS, few holes, 4 degrees of pose; 83 landmarks, 1 mm",
        sources=f"Yin et al. 2006 (protocol, sensor); {_EMFACS}",
        is_not=_ANNY,
    ),
    "Bosphorus": Card(
        subjects="105 (45 F, 60 M), of whom 65 show all six emotions",
        items="neutral, two single action units, and 453 scans of emotions; of the 40 who do not show all, everybody"
        " smiles and few do more; one smiles twice",
        shows="posed at the apex, one strong take, otherwise as BU-3DFE",
        sensor="structured light from one viewpoint: a depth grid of 2.6 mm, 0.3 mm noise, holes where the view is"
        " hidden; 22 landmarks, 1 mm",
        sources=f"Savran et al. 2008 (protocol, sensor); {_EMFACS}",
        is_not=f"{_ANNY}; without the real corpus' turned and occluded scans; its grid is coarser than the real one",
    ),
    "BU-4DFE": Card(
        subjects="101 (58 F, 43 M)",
        items="606 sequences of 60 to 126 frames at 25 per second, about 100 on average",
        shows="posed: neutral - low - high - low - neutral, one slow burst; blinks",
        sensor="passive stereo, 0.2 mm RMS; every frame triangulated and cropped by itself; 83 landmarks in each",
        sources="Yin et al. 2008 (protocol, sensor), Flash & Hogan 1985 (curves), Bentivoglio et al. 1997 (blinks);"
        f" {_EMFACS}",
        is_not=f"{_ANNY}; real frames have about 35,000 vertices, these 4,400; a person's picture is the same in all"
        " frames",
    ),
    "BP4D": Card(
        subjects="41 (23 F, 18 M)",
        items="328 sequences, 8 tasks, as many frames as people coded in each task: 90 to 768 at 25 per second",
        shows="spontaneous: irregular bursts of a part of the person's units at A-C, one every 2.5 s, among so many"
        " units of another cause that a coder sees each as often as in BP4D; speech in T1, T2, T4 and T7, blinks, more"
        " when talking; the task is the class",
        sensor="passive stereo, 0.2 mm RMS; the head sways by 5 degrees; no landmarks; AU codes from the true units",
        sources="Zhang et al. 2014 (protocol), Valstar et al. 2015 (intensities), Durán & Fernández-Dols 2021 (partial"
        " displays), Schmidt et al. 2006 and Ekman & Friesen 1982 (timing), Chandrasekaran et al. 2009 (speech),"
        " Keltner 1995 (embarrassment), Prkachin & Solomon 2008 (pain), Bentivoglio et al. 1997 (blinks); base rates as"
        " papers on units count them",
        is_not=f"{_ANNY}; whom a task does not move shows its emotion all the same; nobody leaves the picture",
    ),
    "4DME": Card(
        subjects="41",
        items="267 clips of 42 to 66 frames at 60 per second; positive 55, negative 142, surprise 30, repression 9,"
        " others 31",
        shows="micro-expressions: one burst of 0.17 to 0.5 s at A-B of one to three units",
        sensor="as BU-4DFE; no landmarks",
        sources="Li et al. 2022 (protocol), Yan et al. 2013 (durations), Yan et al. 2014 (units of the categories)",
        is_not=f"{_ANNY}; native names are not public, so it is a manifest with .ply files; one category a clip; its"
        " action units come from CASME II, not from 4DME",
    ),
}


def card(name: str, face: str) -> Card:
    """The card of a twin as a face draws it; `CARDS` has those of "anny"."""
    shown = CARDS[name]
    return shown if face == "anny" else shown._replace(is_not=shown.is_not.replace(_ANNY, _FORMULA))
