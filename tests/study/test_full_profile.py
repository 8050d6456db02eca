"""The full profile on the smoke twin: from views to record, killed and taken up, on two ranks and alone.

More than 20 s: ranks are started to be killed, and towers are trained in two rounds, whole and taken up.
"""

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mvlm.settings
from mvlm import weights
from mvlm.measures.explain import grad_cam
from mvlm.model import load_model
from mvlm.ranks import group
from mvlm.ranks.launch import Devices, RankError, launch
from mvlm.settings import Settings, Training
from mvlm.study import full_profile, plan, runs
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.grid import main
from mvlm.study.methods import METHODS
from mvlm.training import checkpoints

TWO = Devices("cpu", 2, 2)
QUICK = replace(METHODS["full"], rounds=2)
SETTINGS = Training(epochs=2, batch=8, rate=1e-3, save=2)


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_vit: str):
    """What ranks are told about the first fold of the smoke twin of Bosphorus, by a method, below a folder."""
    chosen = Settings(profile="smoke", model=tiny_vit, training=SETTINGS, devices="cpu")

    def tell(method=QUICK, folder=tmp_path, chosen=chosen):
        monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path)  # one cache of views
        (part,) = plan.present([BENCHMARKS["Bosphorus"]], chosen)
        split = plan.split_subjects(part, chosen)[0]
        cell = plan.Cell(method, 0, 2, 0)
        sent = []
        monkeypatch.setattr(full_profile, "launch", lambda *told: sent.append(told))
        path = folder / "records" / "run.json"
        full_profile.compute([plan.Planned(part, cell, *split, path)], chosen)
        ((name, arguments, planned),) = sent
        assert name == "mvlm.study.full_profile:execute" and planned.ranks == 1
        return json.loads(json.dumps(arguments["runs"]))

    return tell


def killed(told: list[dict], folder: str) -> None:
    """Runs, until rank 1 is killed in the second round, in the middle of its first epoch, past a checkpoint."""
    trained = checkpoints.Saving.on_train_batch_end

    def end(saving, trainer, module, *rest):
        trained(saving, trainer, module, *rest)
        if saving.folder.name == "round-2" and module.first + trainer.global_step == 2:
            trainer.strategy.barrier()
            Path(folder, f"{group.number()}.pid").write_text(str(os.getpid()))
            if group.number() == 1:
                os.kill(os.getpid(), signal.SIGKILL)

    checkpoints.Saving.on_train_batch_end = end
    full_profile.execute(told, "cpu")


def test_a_run_that_lost_a_rank_is_taken_up_and_ends_as_if_it_had_not(told, ranks, tmp_path: Path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    ranks.run(full_profile.execute, told(folder=whole), "cpu", size=2)
    (run,) = told(folder=cut)
    with pytest.raises(RankError, match="rank 1 of 2 was ended by SIGKILL"):
        launch("tests.study.test_full_profile:killed", {"told": [run], "folder": str(tmp_path)}, TWO, threads=1)
    assert not Path(run["record"]).exists()
    left = [path.name for path in (cut / "checkpoints/run/round-2").glob("step-*")]
    assert left == ["step-0000002"]
    ranks.run(full_profile.execute, [run], "cpu", size=2)
    one, two = (json.loads((folder / "records/run.json").read_text()) for folder in (whole, cut))
    assert one == two and not list(cut.rglob("step-*"))
    logs = sorted(str(path.parent.relative_to(cut / "logs")) for path in cut.rglob("events.*"))
    parts = ("round-1/from-step-0", "round-2/from-step-0", "round-2/from-step-2")
    assert logs == [f"Bosphorus-full-run/{part}" for part in parts]
    assert len(one["weights"]) == 64 and len(one["cluster_sizes"]) == 2 and len(one["change"]) == 1

    model = load_model()  # of another kind: the weights of the run are refused there
    with pytest.raises(ValueError, match="weights do not fit"):
        weights.fill(model.clip, "this model", cut / "weights/run.safetensors")
    model = load_model(run["model"])
    before = weights.digest(model.clip)
    weights.fill(model.clip, "this model", cut / "weights/run.safetensors")
    assert before != weights.digest(model.clip) == one["weights"]
    images = np.load(run["fold"]["test"]["file"])[run["fold"]["test"]["rows"][:2]]
    heat = grad_cam(model, images, run["fold"]["emotions"])
    assert heat.heat.shape == images.shape[:4] and np.isfinite(heat.logits).all() and heat.mass.max() > 0


@pytest.mark.parametrize("name", ["baseline", "relabelled-shares"])
def test_a_record_says_what_that_of_the_cheap_profile_says(told, tmp_path: Path, name: str):
    (run,) = told(METHODS[name])
    full_profile.execute([run], "cpu")
    record = json.loads(Path(run["record"]).read_text())
    fields = """benchmark method fold folds seed supervision knows data_kind fingerprint model profile
        names subjects emotions zero_shot knn probe cluster among_shown ari nmi naming change pseudo_labels
        cluster_sizes weights""".split()
    assert list(record) == fields and record["weights"] is None and record["change"] == []
    assert len(record["names"]) == len(record["zero_shot"]) == len(run["fold"]["test"]["rows"])
    assert not set(run["fold"]["train"]["subjects"]) & set(record["subjects"]) and not (tmp_path / "weights").exists()
    stamp = Path(run["record"]).stat().st_mtime_ns
    full_profile.execute([run], "cpu")
    assert Path(run["record"]).stat().st_mtime_ns == stamp


@pytest.mark.parametrize("name", ["pseudo-labels", "instance", "full-relabelled-shares"])
def test_no_true_label_reaches_the_weights(told, tmp_path: Path, name: str):
    (run,) = told(METHODS[name], folder=tmp_path / "true")
    (other,) = told(METHODS[name], folder=tmp_path / "permuted")
    other["fold"]["train"]["emotions"] = other["fold"]["train"]["emotions"][::-1]
    full_profile.execute([run, other], "cpu")
    one, two = (json.loads(Path(of["record"]).read_text()) for of in (run, other))
    assert one["weights"] == two["weights"] is not None and one["zero_shot"] == two["zero_shot"]


@pytest.mark.parametrize("name", ["soft", "full-4A", "barlow-twins", "transductive", "impersonal-who"])
def test_a_method_of_the_quick_profile_alone_is_refused(told, name: str):
    with pytest.raises(ValueError, match=f"PROFILE=full trains the methods of the tables; {name} is of PROFILE=quick"):
        told(METHODS[name])


def test_records_of_other_settings_are_others(tiny_vit: str):
    def path(**changed):
        chosen = replace(Settings(profile="full", training=Training()), **changed)
        (part,) = plan.present([BENCHMARKS["Bosphorus"]], chosen)
        source = plan.run_source(QUICK, runs.RUN, chosen.profile)
        return plan.record_path(part, plan.Cell(QUICK, 0, 10, 0), runs.RUN, source)

    assert path() == path(devices="cpu:2") == path(training=Training(save=7))
    assert len({path(), path(profile="quick"), path(training=Training(epochs=7)), path(model=tiny_vit)}) == 4


def test_a_batch_that_ranks_cannot_share_is_said_before_any_work():
    chosen = Settings(profile="full", devices="cpu:2", training=Training(batch=9))
    with pytest.raises(ValueError, match="TRAINING=batch=9: expected a multiple of the 2 ranks"):
        full_profile.compute([], chosen)


def test_ranks_are_told_the_tables(capsys: pytest.CaptureFixture):
    assert main(["table9"]) == 2
    assert "no table table9; usage: python -m mvlm.study.grid TABLE" in capsys.readouterr().err
