"""Films by windows: pooling after the encoder, embeddings by content, records beside those of the one image.

More than 20 s: imports of torch, and a few runs.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import mvlm.settings
from mvlm.cache import workers
from mvlm.faces import dynamics, views, windows
from mvlm.faces.corpora.items import Frame, Sequence
from mvlm.samples import Rendering
from mvlm.settings import Settings
from mvlm.study import embeddings, films, full_profile, plan, runs
from mvlm.study.benchmarks import BASIC, BENCHMARKS
from mvlm.study.films import FILMS, filmed, pooled, together
from mvlm.study.methods import METHODS
from tests.faces.test_windows import Follower
from tests.study.test_runs import FakeModel

QUICK = Settings(jobs=1)
# No window of a second has four of the three frames that are left, but the one dynamic image has two of them.
ALL_BUT_THREE = tuple(f"F002_fear {place}" for place in range(30) if place not in (1, 3, 5))


def test_pooling_against_loops():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(2, 3, 4, 2, 5))  # A, N, W, V, D
    rows[0, 1, 2] = np.nan  # windows that are missing
    rows[:, 2, 1:] = np.nan  # one of four remains
    for pool in ("mean", "maximum"):
        found = pooled(rows, pool)
        assert found.shape == (2, 3, 2, 5)
        for a, n, v in np.ndindex(2, 3, 2):
            there = [rows[a, n, w, v] for w in range(4) if not np.isnan(rows[a, n, w, v]).any()]
            vector = [
                sum(row[d] for row in there) / len(there) if pool == "mean" else max(row[d] for row in there)
                for d in range(5)
            ]
            np.testing.assert_allclose(found[a, n, v], np.array(vector) / np.sqrt(np.dot(vector, vector)), atol=1e-12)


def test_pooling_of_one_window_is_that_window_and_of_none_an_error():
    row = np.array([[[0.6, 0.8]]])
    for pool in ("mean", "maximum"):
        np.testing.assert_allclose(pooled(row, pool), row[0])
    with pytest.raises(ValueError, match=r"\(2, 1, 1, 2\): a sample has no window"):
        pooled(np.array([[[[0.6, 0.8]]], [[[np.nan, np.nan]]]]), "mean")
    with pytest.raises(ValueError, match="pool 'median': expected mean or maximum"):
        pooled(row, "median")


def test_pooling_as_written_down():
    rows = np.array([[[1.0, 0.0]], [[0.0, 1.0]], [[np.nan, np.nan]], [[-1.0, 0.0]]])  # W 4, V 1, D 2
    np.testing.assert_allclose(pooled(rows, "mean"), [[0.0, 1.0]])
    np.testing.assert_allclose(pooled(rows, "maximum"), [[0.5**0.5, 0.5**0.5]])
    both = together([rows[None], np.array([[[[1.0, 0.0]]]])], "mean")  # cuts weigh the same, however many windows
    np.testing.assert_allclose(both, [[[0.5**0.5, 0.5**0.5]]], atol=1e-7)
    assert both.dtype == np.float32


@dataclass(frozen=True)
class Films:
    """Films of coloured noise, which an emotion tints in some frames; a "mesh" is what is needed to paint it."""

    name: str = "BU-4DFE"
    kind: str = "twin"
    subjects: int = 6
    frames: int = 30
    bad: tuple[str, ...] = ()
    sequences: tuple[Sequence, ...] | None = None
    scans: tuple[()] = ()
    files: tuple[()] = ()
    unknown: tuple[()] = ()
    dropped: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        if self.sequences is None:
            object.__setattr__(self, "sequences", self.index())

    @property
    def fingerprint(self) -> str:
        return f"{self.name} {self.subjects} {self.frames} {self.bad}"

    def index(self) -> tuple[Sequence, ...]:
        shots = tuple(Frame(number, Path(f"{number:03d}.wrl")) for number in range(self.frames))
        return tuple(
            Sequence(f"F{number:03d}_{emotion}", f"F{number:03d}", emotion, emotion, shots, 25.0)
            for number in range(1, self.subjects + 1)
            for emotion in BASIC
        )

    @property
    def items(self) -> tuple[Sequence, ...]:
        return self.sequences

    def read_frame(self, sequence: Sequence, place: int) -> tuple[str, int]:
        if f"{sequence.name} {place}" in self.bad:
            raise ValueError(f"{place:03d}.wrl: cut short")
        return sequence.name, place


def paint(mesh, yaws=views.YAWS, size=8, *, channel="shaded", pose=None):  # noqa: ARG001 - as of project
    name, place = mesh
    rng = np.random.default_rng(int.from_bytes(name.encode(), "little") + place)
    tint = np.random.default_rng(BASIC.index(name[5:])).uniform(-60, 60, (len(yaws), 1, 1, 1))
    grey = 128 + tint * (place % 10) / 10 + rng.normal(0, 30, (len(yaws), size, size, 1))
    return np.repeat(np.clip(grey, 1, 255).astype(np.uint8), 3, axis=-1)


@pytest.fixture
def corpora(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Films]:
    """Fakes in place of corpora, ray casting and model, and a folder of runs of its own; counts what is painted."""
    known = {name: Films(name) for name in ("BU-4DFE", "BP4D")}
    known["painted"] = []

    def project(mesh, *how, **ways):
        known["painted"].append(mesh)
        return paint(mesh, *how, **ways)

    monkeypatch.setattr(plan, "open_corpus", lambda name, _root=None: known[name])
    monkeypatch.setattr(views, "project", project)
    for module in (dynamics, windows):
        monkeypatch.setattr(module, "Track", Follower)
    monkeypatch.setattr(embeddings, "cached_model", lambda *_: FakeModel())
    monkeypatch.setattr(films, "cached_model", lambda *_: FakeModel())
    for module in (embeddings, films, plan):
        monkeypatch.setattr(module, "model_key", lambda _: "fake")
    monkeypatch.setattr(runs, "cheaper", lambda _: {"strengths": (1.0,), "steps": 2})
    monkeypatch.setattr(plan, "FOLDS", 2)
    monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path)
    return known


def test_embeddings_are_those_of_the_windows_pooled(corpora):
    corpus = corpora["BU-4DFE"]
    every, prompts = filmed(corpus, "windows+frames", BASIC, QUICK)
    rows = every.views()
    assert rows.shape == (4, 36, 3, 16) and rows.dtype == np.float32 and prompts.text.shape[1] == 16
    assert every.names.tolist() == [sequence.name for sequence in corpus.sequences]
    of = {}
    for cut, count in (("windows", 6), ("frames", 16)):  # a film of thirty frames has six different windows
        folder, samples = films.windows(corpus, cut, BASIC, QUICK)
        kept = np.load(folder / films.ROWS)
        assert kept.shape == (36, 4, count, 3, 16) and samples.images.shape == (36, count, 3, 8, 8, 1)
        picture = np.repeat(samples.images[7], 3, axis=-1)
        np.testing.assert_allclose(kept[7, 0], FakeModel().encode_views(picture).numpy(), atol=1e-6)
        mirrored = FakeModel().encode_views(embeddings.augmented(picture, 1, None, Rendering())).numpy()
        np.testing.assert_allclose(kept[7, 1], mirrored, atol=1e-6)
        of[cut] = np.moveaxis(kept, 1, 0)
    np.testing.assert_allclose(rows, together(list(of.values()), "mean"), atol=1e-6)
    painted = len(corpora["painted"])
    for film in FILMS:  # nothing is drawn or encoded again
        assert filmed(corpus, film, BASIC, QUICK)[0].views().shape == rows.shape
    assert len(corpora["painted"]) == painted
    assert len({filmed(corpus, film, BASIC, QUICK)[0].file for film in FILMS}) == len(FILMS)


def test_encoding_cut_short_is_taken_up(corpora, monkeypatch):
    corpus, whole, done = corpora["BP4D"], films._encoded, []

    def interrupted(task):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(task[1])
        return whole(task)

    with monkeypatch.context() as patch:
        patch.setattr(films, "_encoded", interrupted)
        with pytest.raises(KeyboardInterrupt):
            filmed(corpus, "windows", BASIC, QUICK)
    assert not list((mvlm.settings.RUNS / "cache/embeddings").glob("[!.]*/rows.npy"))
    painted, again = len(corpora["painted"]), []
    monkeypatch.setattr(films, "_encoded", lambda task: again.append(task[1]) or whole(task))
    found = filmed(corpus, "windows", BASIC, QUICK)[0].views()
    assert not set(done) & set(again) and again and len(corpora["painted"]) == painted
    monkeypatch.setattr(mvlm.settings, "RUNS", mvlm.settings.RUNS / "elsewhere")
    np.testing.assert_array_equal(filmed(corpus, "windows", BASIC, QUICK)[0].views(), found)


def test_drawing_cut_short_is_taken_up(corpora, monkeypatch):
    corpus = corpora["BP4D"]

    def interrupted(mesh, *how, **ways):
        if mesh[0] == "F003_anger":
            raise KeyboardInterrupt
        return paint(mesh, *how, **ways)

    with monkeypatch.context() as patch:
        patch.setattr(views, "project", interrupted)
        with pytest.raises(KeyboardInterrupt):
            filmed(corpus, "windows", BASIC, QUICK)
    filmed(corpus, "windows", BASIC, QUICK)
    assert {name for name, _ in corpora["painted"]} == {s.name for s in corpus.sequences if s.subject > "F002"}


def test_a_missing_window_has_no_part_and_a_film_without_any_is_bad(corpora):
    lost = [f"F001_anger {place}" for place in (0, 6)]  # the first window alone has both
    corpus = replace(corpora["BU-4DFE"], bad=(*lost, *ALL_BUT_THREE))
    with pytest.raises(ValueError, match="1 of 36 sequences and 2 frames of others are bad"):
        filmed(corpus, "windows", BASIC, QUICK)
    chosen = replace(QUICK, skip_bad=True)
    every, _ = filmed(corpus, "windows", BASIC, chosen)
    folder, samples = films.windows(corpus, "windows", BASIC, chosen)
    rows = np.load(folder / films.ROWS)
    assert len(every.names) == 35 and "F002_fear" not in every.names and np.isnan(rows[8]).all()
    assert np.isnan(rows[0, :, 0]).all() and not np.isnan(rows[0, :, 1:]).any()
    np.testing.assert_allclose(every.views()[:, 0], pooled(rows[0, :, 1:], "mean"), atol=1e-6)
    both, _ = filmed(corpus, "windows+frames", BASIC, chosen)
    assert both.names.tolist() == every.names.tolist()


@pytest.mark.usefixtures("corpora")
def test_records_of_films_stand_beside_those_of_the_one_image():
    methods = ("baseline", "baseline-windows", "baseline-frames", "subject-centred-windows+frames")
    frame = runs.run(("BU-4DFE", "BU-4DFE-to-BP4D"), methods, QUICK)
    assert frame["method"].tolist() == [name for name in methods for _ in range(2)] + list(methods)
    of = frame[frame["benchmark"] == "BU-4DFE"].groupby("method")
    said = {name: sum(group["zero_shot"], []) for name, group in of}
    assert len({tuple(each) for each in said.values()}) == len(methods)
    assert {tuple(sum(group["names"], [])) for _, group in of} == {tuple(sum(frame["names"][:2], []))}
    known = frame.set_index("method")["knows"]
    assert set(known["subject-centred-windows+frames"]) == {"subjects"} and set(known["baseline-frames"]) == {"nothing"}


@pytest.mark.usefixtures("corpora")
def test_addresses_move_with_what_of_a_film_is_encoded_and_for_that_alone(monkeypatch):
    def path(method: str) -> Path:
        (part,) = plan.present([BENCHMARKS["BU-4DFE-to-BP4D"]], QUICK)
        cell = plan.Cell(METHODS[method], 0, 2, 0)
        return plan.record_path(part, cell, runs.RUN, plan.run_source(cell.method, runs.RUN, "quick"))

    names = ("baseline", "baseline-windows", "baseline-windows-max", "baseline-frames", "baseline-windows+frames")
    before = {name: path(name) for name in names}
    assert len(set(before.values())) == len(names)

    def moved() -> set[str]:
        return {name for name in names if path(name) != before[name]}

    real = plan.sources
    for cut, of in (("windows", {*names[1:3], names[4]}), ("frames", {*names[3:]})):

        def otherwise(corpus: Films, film: str, cut: str = cut) -> dict[str, object]:
            return real(corpus, film) | ({"views": "drawn otherwise"} if cut in FILMS[film].cuts else {})

        with monkeypatch.context() as patch:
            patch.setattr(plan, "sources", otherwise)
            assert moved() == of
    monkeypatch.setattr(plan, "view_source", lambda _: "the one image otherwise")
    monkeypatch.setattr(plan, "image_source", lambda: "encoded otherwise")
    assert moved() == {"baseline"}
    still = plan.Experiment(BENCHMARKS["BU-3DFE-I"], SimpleNamespace(sequences=()), None, None, {"a": 1}, {})
    assert plan._content(still, "windows") == {"a": 1}


def test_a_film_that_only_its_one_image_can_show_is_named(corpora):
    corpora["BU-4DFE"] = replace(corpora["BU-4DFE"], kind="supplied", bad=ALL_BUT_THREE)
    chosen = replace(QUICK, skip_bad=True)
    runs.run(("BU-4DFE",), ("baseline",), chosen)
    with pytest.raises(ValueError, match="of 1 sequences whose one dynamic image can be made, windows cannot be shown"):
        runs.run(("BU-4DFE",), ("baseline-windows",), chosen)


def test_frames_that_windows_alone_go_without_are_listed_beside_the_results(corpora):
    corpora["BU-4DFE"] = replace(corpora["BU-4DFE"], kind="supplied", bad=("F003_anger 2", "F001_fear 29"))
    chosen = replace(QUICK, skip_bad=True)
    listed = chosen.results_folder("supplied") / "skipped.csv"
    both = ["F001_fear, frame 29", "F003_anger, frame 2"]
    for method, frames in {"baseline": both[:1], "baseline-windows": both}.items():
        runs.run(("BU-4DFE",), (method,), chosen)
        lines = listed.read_text().splitlines()
        assert [line.split('"')[1] for line in lines[1:]] == frames and lines[1].endswith("029.wrl: cut short")


@pytest.mark.usefixtures("corpora")
def test_the_full_profile_refuses_them_in_words():
    (part,) = plan.present([BENCHMARKS["BU-4DFE"]], QUICK)
    cell = plan.Cell(METHODS["baseline-frames"], 0, 2, 0)
    asked = plan.Planned(part, cell, ["F001"], ["F002"], Path("nowhere"))
    with pytest.raises(ValueError, match="PROFILE=full trains .*; baseline-frames is of PROFILE=quick"):
        full_profile.compute([asked], replace(QUICK, profile="full"))


def test_its_cost_is_said_before(corpora, monkeypatch):
    said, whole = [], workers.each

    def each(*of, **how):
        said.append((how["title"], how.get("cost")))
        return whole(*of, **how)

    monkeypatch.setattr(workers, "each", each)
    filmed(corpora["BU-4DFE"], "windows", BASIC, QUICK)
    assert ("views of BU-4DFE, windows", "36 sequences of up to 30 frames, 0.0 GB") in said
    assert ("embeddings of BU-4DFE, windows", "36 sequences of 6 windows, 0.0 GB") in said
