"""Every committed notebook runs at PROFILE=smoke through the runner, and keeps what it promises.

More than 20 s: two dozen notebooks, with every method of the study on every benchmark. One runs in a kernel of its
own; the cells of the others in this process, where what they import is there already. All share one cache of records.
"""

import atexit
import functools
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import ModuleType

import matplotlib
import pandas as pd
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure

from mvlm.cache import keys
from mvlm.publish import notebooks
from mvlm.publish.declared import NOTEBOOKS
from mvlm.publish.notebooks import run_notebook
from mvlm.settings import ROOT, VARIABLES
from mvlm.study import embeddings
from mvlm.study.benchmarks import TABLES
from mvlm.study.items import micro
from mvlm.study.items.foundation import MEASURES, PROTOCOLS, cards
from mvlm.study.items.summary import FOUNDATION, LEVELS, QUESTIONS, studied
from mvlm.study.items.summary_inspections import KNOWS, LABELS, NAMES, ON, VIEWS
from mvlm.study.methods import READINGS, TABLE_METHODS
from mvlm.twins.export import export
from mvlm.twins.twin import Twin

pytestmark = pytest.mark.usefixtures("drawn_once", "few_draws")


def execute_here(name: str, folder: Path, parameters: dict, executed: Path) -> None:
    """In place of a kernel: the cells in this process, and the notebook as it is for its page."""
    text = (folder / f"{name}.ipynb").read_text(encoding="utf-8")
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance(user_module=ModuleType("cells"))  # a module of another name than `__main__`
    atexit.unregister(shell.atexit_operations)  # each shell would look for all garbage at the end, most of a second
    shell.display_formatter.active_types = ["text/plain"]  # pictures are drawn for files, not once more for a page
    with matplotlib.rc_context():
        for cell in json.loads(text)["cells"]:
            if cell["cell_type"] == "code":
                shell.run_cell("".join(cell["source"])).raise_error()
            if "parameters" in cell["metadata"].get("tags", []):
                shell.user_ns.update(parameters)
    executed.parent.mkdir(parents=True, exist_ok=True)
    executed.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def known() -> Iterator[None]:
    """What every notebook asks anew is found once: the package's code, and the hash of the weights."""
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((keys, "package_at"), (embeddings, "file_hash")):
            patch.setattr(module, name, functools.cache(getattr(module, name)))
        yield


@pytest.fixture
def smoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a notebook at smoke size into a folder of its own; returns its outcome and that folder."""

    drawn = Figure.savefig

    def cheaply(figure: Figure, to: Path | BytesIO, **how):  # nobody looks at these; drawn once, as pixels
        if isinstance(to, Path) and to.suffix == ".pdf":
            to.write_bytes(b"%PDF")
            return
        figure.set_layout_engine(None)
        drawn(figure, to, **how | {"dpi": 40})

    monkeypatch.setattr(Figure, "savefig", cheaply)

    def run(name: str, parameters: dict | None = None, *, kernel: bool = False, **settings: str):
        if not kernel:
            monkeypatch.setattr(notebooks, "_execute", execute_here)
        for variable in VARIABLES:
            monkeypatch.delenv(variable, raising=False)
        for variable, value in {"PROFILE": "smoke", "JOBS": "1", **settings}.items():
            monkeypatch.setenv(variable, value)
        results = tmp_path / "results"
        return run_notebook(name, parameters, results=results, runs=tmp_path / "runs"), results

    return run


def test_no_notebook_is_left_out():
    tests = [Path(__file__), ROOT / "tests/study/items/test_fig4_fig5.py"]
    text = "\n".join(path.read_text(encoding="utf-8") for path in tests)
    assert [path.stem for path in NOTEBOOKS.glob("*.ipynb") if f'"{path.stem}"' not in text] == []


def test_audit(smoke):
    outcome, results = smoke("00-audit")
    claims = pd.read_csv(results / "tables/audit.csv", keep_default_na=False)
    assert outcome.ran and len(claims) == 44
    assert "| 40 | III · Tables I-III |" in (results / "tables/audit.md").read_text()
    assert set(pd.read_csv(results / "figures/audit.csv")["panel"]) == {"margin", "people", "speed-up", "epoch"}


def test_faces_and_views(smoke):
    outcome, results = smoke("01-faces-and-views", {"SIZE": 32})
    assert outcome.ran and {path.suffix for path in outcome.outputs} == {".png", ".pdf", ".csv", ".json"}
    scans = pd.read_csv(results / "figures/faces-expressions.csv")
    assert len(scans) == 21 and scans["emotion"].nunique() == 7
    about = json.loads((results / "figures/faces-expressions.json").read_text())
    assert about["data_kind"] == "twin" and about["twin_version"] == Twin("BU-3DFE").version


def test_dynamic_images(smoke):
    outcome, results = smoke("07-dynamic-images", {"SIZE": 24, "COUNTS": [2, 4], "LONGEST": 8, "PEOPLE": 4})
    assert outcome.ran and len(outcome.outputs) == 24
    turned = pd.read_csv(results / "figures/dynamic-following.csv").groupby("corpus")["most"].max()
    assert turned["BP4D"] > turned["BU-4DFE"]
    ceiling = pd.read_csv(results / "figures/dynamic-ceiling.csv")
    assert len(ceiling) == 6 and ceiling["n"].tolist() == [24] * 3 + [32] * 3
    found = pd.read_csv(results / "figures/dynamic-convergence.csv")
    whole = found[found["count"] == found["frames"]]
    assert len(found) == 18 and len(whole) == 6 and (whole["correlation"] > 1 - 1e-9).all()
    forms = pd.read_csv(results / "figures/dynamic-forms.csv")
    assert (forms.loc[forms["form"] == "harmonic", "correlation"] > 0.9).all()


def test_loss_by_hand(smoke):
    outcome, results = smoke("03-loss-by-hand")
    curves = pd.read_csv(results / "figures/loss-by-hand.csv")
    assert outcome.ran and list(curves["degrees"]) == list(range(-180, 181, 4))


def test_gradients(smoke):
    _, results = smoke("04-gradients", {"PEOPLE": 2, "STEPS": 3})
    watched = pd.read_csv(results / "figures/gradients-training.csv")
    assert set(watched["temperature"]) == {"learnt", "τ = 1", "τ = 0.07", "τ = 0.01"}
    assert set(watched["step"]) == {0, 1, 2}
    assert json.loads((results / "figures/gradients-training.json").read_text())["data_kind"] == "twin"


def test_readings(smoke):
    outcome, results = smoke("05-readings")
    table = pd.read_csv(results / "tables/readings.csv")
    assert outcome.ran and set(table["method"]) == set(READINGS) and set(table["data_kind"]) == {"twin"}
    assert set(table["benchmark"]) == {"Bosphorus"} and set(table["folds"]) == {2}
    assert json.loads((results / "figures/readings.json").read_text())["notebook"] == "05-readings"


def test_ranks(smoke):
    _, results = smoke("06-ranks", {"RANKS": [2]})
    ways = pd.read_csv(results / "figures/ranks-gathers.csv").set_index("way")
    assert set(ways.index[ways["exact"]]) == set("DEHI") and ways.loc["A", "encoder_size"] == 0.5


def test_model(smoke, tmp_path: Path):
    spread = {"mean": 0.5, "low": 0.4, "high": 0.6, "n": 12, "subjects": 2}
    card = {"sha256": "0" * 64, "head": "", "twin_version": 2, "recipe": {"sequences": 4}}
    card |= {"held_out": {"dynamic": dict.fromkeys(MEASURES, 0.5)}, "twins": {"BP4D": dict.fromkeys(PROTOCOLS, spread)}}
    (tmp_path / "without-sequences.json").write_text(json.dumps(card))
    _, results = smoke("02-model", {"CARDS": str(tmp_path)})
    table = pd.read_csv(results / "tables/foundation.csv")
    assert set(table["pretrained_on"]) == {"still faces alone"} and set(table["value"]) == {50}
    assert (results / "figures/foundation.png").is_file()


def test_at_rest(smoke):
    outcome, results = smoke("18-at-rest")
    table = pd.read_csv(results / "tables/at-rest.csv")
    assert outcome.ran and set(table["corpus"]) == {"BU-3DFE", "Bosphorus"} and set(table["subjects"]) == {6}
    assert json.loads((results / "figures/at-rest.json").read_text())["data_kind"] == "twin"


def test_identity(smoke):
    outcome, results = smoke("09-identity", {"SEEDS": [0]})
    assert outcome.ran and len(outcome.outputs) == (13 + 4) * 4  # figures and tables
    shares = pd.read_csv(results / "figures/person-shares.csv")
    assert set(shares["seen"]) == {"yes", "no"} and set(shares["benchmark"]) == {"BU-3DFE-I", "Bosphorus", "BU-4DFE"}
    assert set(pd.read_csv(results / "figures/person-steps.csv").groupby("step").size()) == {36}
    starts = pd.read_csv(results / "figures/person-starts.csv")
    assert starts["series"].nunique() == 3 and starts["profile"].unique().tolist() == ["smoke"]


def test_dials(smoke):
    _, results = smoke("08-dials")
    table = pd.read_csv(results / "figures/dials.csv")
    assert set(table["benchmark"]) == {"BU-3DFE-II", "BU-4DFE", "BP4D"} and set(table["profile"]) == {"smoke"}
    assert set(table["value"]) == {0.5, 1, 2} and set(table["data_kind"]) == {"twin"}


@pytest.mark.parametrize(("item", "printed"), [("table1", 17), ("table2", 15), ("table3", 12)])
def test_tables(smoke, item: str, printed: int):
    notebook = {"table1": "10-table1", "table2": "11-table2", "table3": "12-table3"}[item]
    outcome, results = smoke(notebook, kernel=item == "table2")
    table = pd.read_csv(results / f"tables/{item}.csv", keep_default_na=False, na_values=[""])
    ours = table["source"] == "measured"
    methods = {*TABLE_METHODS, *(method for _, method in TABLES[item].further)}
    assert set(table.loc[ours, "method"]) == methods and set(table.loc[ours, "profile"]) == {"smoke"}
    assert set(table.loc[ours, "benchmark"]) == set(TABLES[item].benchmarks)
    assert set(table.loc[ours, "data_kind"]) == {"twin"} and (~ours).sum() == printed
    assert table.loc[ours, "paper"].isna().all() and table.loc[~ours, "mean"].isna().all()  # no column is shared
    about = json.loads((results / f"tables/{item}.json").read_text())
    assert about["data_kind"] == "twin" and about["content_key"] and set(about["supervision"]) == methods
    assert outcome.page.is_file()


def test_figures_3_and_6(smoke):
    _, results = smoke("20-fig3-fig6")
    for item, measured, ours in (("fig3", "mean", 4 * 7), ("fig6", "difference", 3 * 7)):
        frame = pd.read_csv(results / f"figures/{item}.csv", keep_default_na=False, na_values=[""])
        assert frame["source"].value_counts()["measured"] == ours and frame["asked"].nunique() == 8
        assert frame[["paper", measured]].notna().sum(axis=1).max() == 1  # no row has both
        about = json.loads((results / f"figures/{item}.json").read_text())
        assert about["data_kind"] == "twin" and about["content_key"]
    assert frame.loc[frame["paper"].notna(), ["benchmark", "method", "paper", "qualifier"]].to_numpy().tolist() == [
        ["BU-3DFE-I", "full", 8, "over"]
    ]


def test_summary(smoke):
    _, results = smoke("13-summary")
    frame = pd.read_csv(results / "tables/summary.csv", keep_default_na=False, na_values=[""])
    asked = {question.title for question in QUESTIONS}
    assert set(frame["question"]) == asked | {LEVELS, VIEWS, LABELS, KNOWS, NAMES, FOUNDATION}
    assert set(frame["method"].dropna()) == set(studied())
    assert set(frame.loc[frame["question"] == VIEWS, "at"]) == {"front", "left", "right", "fused"}
    assert set(frame.loc[frame["question"] == LABELS, "at"]) == {"1 %", "5 %", "10 %", "100 %"}
    assert set(frame.loc[frame["question"].isin([VIEWS, LABELS, KNOWS, NAMES]), "benchmark"]) == set(ON)
    assert set(frame.loc[frame["question"] == FOUNDATION, "title"]) == set(cards())
    assert len(list((results / "figures").glob("summary*.png"))) == 4


def test_distance(smoke):
    outcome, results = smoke("15-distance")
    table = pd.read_csv(results / "tables/seen-or-not.csv")
    assert outcome.ran and set(table.groupby(["benchmark", "method", "protocol"])["seen"].nunique()) == {2}
    true = table[table["method"] == "oracle"]
    assert len(true) == 6 and (true["labels_right"] == 100).all()


def test_micro_expressions(smoke, monkeypatch: pytest.MonkeyPatch):
    for what in ("WINDOWS", "FRAMES"):  # the frames that are left name what is kept of them
        monkeypatch.setattr(micro, what, 2)
    outcome, results = smoke("19-micro-expressions")
    cues = pd.read_csv(results / "tables/film-cues.csv").set_index("cue")
    assert outcome.ran and set(cues["data_kind"]) == {"twin"} and cues.loc["coded", "source"].startswith("absent")
    scores = pd.read_csv(results / "tables/micro.csv")
    assert len(scores) == 2 * (4 * 5 + 1) and set(scores["subjects"]) == {6} and set(scores["profile"]) == {"smoke"}
    assert set(scores.loc[scores["way"].str.startswith("apex"), "knows"]) == {"apex", "subjects, apex"}
    about = json.loads((results / "figures/micro-confusions.json").read_text())
    assert about["folds"] == {"4DME-3": 6, "4DME-5": 6} and about["data_kind"] == "twin"


def test_transfer(smoke, tmp_path: Path):
    export(Twin("BU-3DFE"), tmp_path / "data", subjects=6)
    outcome, results = smoke("14-transfer", DATA=str(tmp_path / "data"))
    table = pd.read_csv(results / "tables/transfer.csv")
    assert outcome.ran and set(table["subjects"]) == {3} and set(table["data_kind"]) == {"supplied"}
    assert {"zero-shot", "adapted, inductive", "adapted, transductive"} <= set(table["protocol"])
    assert ((table["low"] <= table["mean"] + 1e-9) & (table["mean"] <= table["high"] + 1e-9)).all()


def test_deviations(smoke):
    outcome, results = smoke("90-deviations")
    silences = pd.read_csv(results / "tables/deviations.csv", keep_default_na=False)
    assert outcome.ran and "BP4D: classes" in set(silences["topic"]) and (silences["choice"] != "").all()
    assert "multiview = '4B'" in (results / "tables/deviations.md").read_text()


def test_films(smoke):
    outcome, results = smoke("17-films")
    assert outcome.ran and len(outcome.outputs) == 32
    frame = pd.read_csv(results / "tables/films.csv")
    assert frame.groupby("benchmark")["film"].nunique().to_dict() == {"BP4D": 7, "BU-4DFE": 7, "BU-4DFE-to-BP4D": 5}
    assert set(frame.loc[frame["layer"] == "true action units", "film"]) >= {"image", "windows", "frames"}
    cost = pd.read_csv(results / "tables/films-cost.csv").set_index(["corpus", "film"])
    assert cost.loc[("BP4D", "windows"), "frames"] == 10 and cost.loc[("BP4D", "frames"), "pictures"] == 12
    looked = pd.read_csv(results / "figures/films-heat.csv")
    assert looked.groupby("name")["window"].nunique().tolist() == [2] * 8
    moments = pd.read_csv(results / "figures/films-moments.csv").groupby(["benchmark", "film"])["moment"].max()
    assert moments.to_dict() == {(b, f): m for b in ("BP4D", "BU-4DFE") for f, m in (("windows", 2), ("frames", 4))}
    about = json.loads((results / "tables/films.json").read_text())
    assert about["knows"]["subject-centred-frames"] == "subjects" and about["supervision"]["baseline-windows"] == "none"


def test_where_the_model_looks(smoke):
    outcome, results = smoke("22-fig7")
    assert outcome.ran and len(outcome.outputs) == 12
    sheet = pd.read_csv(results / "figures/fig7.csv")
    assert len(sheet) == 18 and sheet["emotion"].nunique() == 6 and sheet["name"].str.startswith("F001").all()
    checks = pd.read_csv(results / "figures/fig7-checks.csv")
    assert checks["measure"].value_counts().to_dict() == {
        "randomisation": 6, "removal": 4, "consistency": 3, "accuracy": 2
    }  # fmt: skip
    about = json.loads((results / "figures/fig7-regions.json").read_text())
    assert about["trained_on"] == "BP4D" and about["shown"] == "BU-4DFE" and about["data_kind"] == "twin"
