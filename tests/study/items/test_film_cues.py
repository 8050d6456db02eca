"""What tells a task without expressions: lengths from tables without any mesh, speech and motion that were planted."""

import numpy as np
import pytest

from mvlm.faces.corpora.items import CODES
from mvlm.settings import Settings
from mvlm.study.items import film_cues, film_cues_measured
from mvlm.study.items.film_cues_measured import Cues, corpus_cues, follow, rhythm, sway, twin_cues
from mvlm.study.plan import AbsentError
from mvlm.twins.sensors import rotation
from mvlm.twins.timing import Burst
from mvlm.twins.twin import Dials, Twin, head_motion

TASKS = list(CODES["BP4D"])
SMOKE = Settings(profile="smoke")


def write_tables(folder, subjects=("F001", "F002", "M001", "M002"), late=400):
    """AU_OCC of films whose coded span tells the task; some rows of each are not coded."""
    folder.mkdir(parents=True)
    for number, subject in enumerate(subjects):
        for place, task in enumerate(TASKS):
            coded = [f"{late + row},0,1" for row in range(20 + 40 * place + number)]
            lines = ["0,1,2", f"{late - 2},9,9", f"{late - 1},9,9", *coded]
            (folder / f"{subject}_{task}.csv").write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("inside", ["BP4D/AUCoding/AU_OCC", "bp4d_spontaneous/AUCoding/AU_OCC", "AUCoding/AU_OCC"])
def test_lengths_come_from_the_tables_alone(tmp_path, inside):
    write_tables(tmp_path / "data" / inside)
    found = corpus_cues(Settings(profile="smoke", data=tmp_path / "data"))
    assert set(found.values) == {"coded"} and found.data_kind == "supplied" and found.fingerprint
    assert found.values["coded"]["F001_T1"].tolist() == [20] and found.values["coded"]["M001_T8"].tolist() == [302]
    assert found.absent == {"length": "no meshes", "motion": "no meshes",
                            "speech": "nothing under DATA tells when somebody speaks"}  # fmt: skip
    said = film_cues.told(found, SMOKE)
    frame = film_cues.cue_table(found, said).set_index("cue")
    assert list(frame.index) == ["length", "coded", "speech", "motion"]  # of one cue there is nothing to put together
    row = frame.loc["coded"]
    assert (row["n"], row["subjects"], row["folds"], row["chance"]) == (32, 4, 2, 12.5) and row["accuracy"] > 40
    assert frame.loc["motion", "source"] == "absent: no meshes" and np.isnan(frame.loc["motion", "accuracy"])
    assert "twin" not in film_cues.render_cues(frame.reset_index())[0].note


def test_the_command_prints_the_length_row(tmp_path, monkeypatch, capsys):
    write_tables(tmp_path / "data/BP4D/AUCoding/AU_OCC")
    monkeypatch.setenv("DATA", str(tmp_path / "data"))
    monkeypatch.setenv("PROFILE", "smoke")
    monkeypatch.setattr("mvlm.settings.RUNS", tmp_path / "runs")
    assert film_cues.main() == 0
    out = capsys.readouterr().out
    assert "| Length of the coded span | frames that AU_OCC codes |" in out and "32 of 4 subjects" in out
    assert (tmp_path / "runs/results/supplied-smoke-mvlm-tiny/tables/film-cues.csv").is_file()
    monkeypatch.setenv("DATA", str(tmp_path / "runs/results"))
    assert film_cues.main() == 1
    assert "expected BP4D, its meshes or AUCoding/AU_OCC, found neither" in capsys.readouterr().err


def test_bad_tables_are_listed_together_or_left_out(tmp_path):
    folder = tmp_path / "AUCoding/AU_OCC"
    write_tables(folder)
    (folder / "F001_T3.csv").write_text("0,1\n1,7\n")
    (folder / "M002_T8.csv").write_text("")
    with pytest.raises(ValueError, match=r"2 files or films are bad[\s\S]*F001_T3.csv, line 2[\s\S]*M002_T8.csv"):
        corpus_cues(Settings(data=tmp_path))
    found = corpus_cues(Settings(data=tmp_path, skip_bad=True))
    assert len(found.values["coded"]) == 30 and set(found.bad) == {"F001_T3", "M002_T8"}


def test_too_few_subjects_and_nothing_at_all_are_errors(tmp_path):
    write_tables(tmp_path / "AUCoding/AU_OCC", subjects=("F001", "M001"))
    with pytest.raises(ValueError, match="Length of the coded span: 2 subjects have it, expected 4 or more"):
        film_cues.told(corpus_cues(Settings(data=tmp_path)), SMOKE)
    (tmp_path / "other/empty").mkdir(parents=True)
    with pytest.raises(AbsentError, match="found neither"):
        corpus_cues(Settings(data=tmp_path / "other/empty"))


def test_rhythm_counts_syllables_and_runs_of_them():
    def syllable(start, length=0.25):
        return Burst({25: (0.3, 0.3), 26: (0.2, 0.2)}, start, 0.45 * length, 0.1 * length, 0.45 * length)

    smile = Burst({12: (0.8, 0.8), 25: (0.5, 0.5), 26: (0.3, 0.3)}, 1.0, 0.5, 0.5, 0.5)  # opens the mouth, too slowly
    blink = Burst({43: (1.0, 1.0)}, 2.0, 0.08, 0.03, 0.15)
    said = [syllable(2.0), syllable(2.25), syllable(6.0)]
    share, rate, runs = rhythm([smile, said[2], blink, said[0], said[1]], 10.0)
    assert (share, rate, runs) == pytest.approx((0.075, 4.0, 12.0))
    assert rhythm([smile, blink], 10.0).tolist() == [0, 0, 0]
    assert rhythm([syllable(9.9)], 10.0)[0] == pytest.approx(0.01)  # what is said after the end is not in the film


def test_sway_is_motion_and_not_how_the_head_is_held():
    t = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    turns = np.array([rotation(6 * np.sin(x), 0, 0) for x in t])
    positions = np.stack([3 * np.cos(t), 0 * t, 50 + 0 * t], 1)
    found = sway(turns, positions)
    np.testing.assert_allclose(found, [0, 6 / 2**0.5, 0, 3 / 2**0.5, 0, 0], atol=1e-3)
    held = rotation(0, 0, 25)
    np.testing.assert_allclose(sway(turns @ held, positions + 9), found, atol=1e-3)  # another rest: the same motion
    assert sway(turns[:1], positions[:1]).tolist() == [0] * 6


def test_a_followed_head_sways_as_the_twin_says():
    twin = Twin("BP4D")
    film = twin.sequences[1]
    exact = sway(*map(np.array, zip(*(head_motion(twin, film).at(place / film.fps)
                                      for place in film_cues_measured._watched(film)), strict=True)))  # fmt: skip
    assert exact[:3].max() > 2  # degrees
    np.testing.assert_allclose(follow(twin, film)[:3], exact[:3], atol=0.6)


def test_a_twin_tells_by_what_was_put_in_and_says_so():
    found = twin_cues(Twin("BP4D"), SMOKE)
    assert set(found.values) == {"length", "speech", "motion"} and set(found.absent) == {"coded"}
    assert all(len(films) == 48 for films in found.values.values())
    frame = film_cues.cue_table(found, film_cues.told(found, SMOKE))
    assert set(frame["data_kind"]) == {"twin"} and frame["numbers"].max() == 1 + 3 + 6
    (part,) = film_cues.render_cues(frame)
    assert "only what this project's assumptions contain" in part.note and "absent" in set(part.cells["Accuracy"])
    silent = twin_cues(Twin("BP4D", Dials(speech=0.0)), SMOKE)
    assert not np.any(list(silent.values["speech"].values()))
    drawing = film_cues.draw_cues(frame, film_cues.recalls(found, film_cues.told(found, SMOKE)))
    assert list(drawing.columns) == list(drawing.frame) and len(drawing.frame) == 4 * 8


def test_the_probe_sees_no_film_of_those_it_is_asked_about():
    rng = np.random.default_rng(0)
    names = [f"F{who:03d}_{task}" for who in range(12) for task in TASKS]
    noise = {name: rng.normal(size=1) for name in names}
    own = {name: np.array([float(TASKS.index(name[5:])), 1.0]) for name in names}
    found = Cues("supplied", "f", {"length": noise, "coded": own}, {}, dict.fromkeys(("length", "coded"), "made up"))
    said = film_cues.told(found, Settings())
    assert said.groupby("cue")["name"].agg(lambda each: sorted(each) == sorted(names)).all()
    assert said.groupby(["cue", "subject"])["fold"].nunique().eq(1).all()
    right = (said["task"] == said["said"]).groupby(said["cue"]).mean()
    assert right["length"] < 0.3 and right["coded"] > 0.6
