"""What a user may set, and what a wrong value says."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from mvlm.settings import RESULTS, ROOT, RUNS, VARIABLES, YAWS, Settings, Training


def test_nothing_set_is_the_default_on_twins():
    settings = Settings.from_environment({})
    assert (settings.data, settings.profile, settings.model, settings.pretrained) == (None, "quick", "mvlm-tiny", None)
    assert settings.jobs >= 1 and settings.scheduler is None and not settings.skip_bad
    assert (settings.channel, settings.yaws) == ("shaded", YAWS)
    assert settings.data_kind() == "twin"
    assert settings.results_folder("twin") == RESULTS == ROOT / "results"


def test_an_empty_value_is_no_value():
    assert Settings.from_environment(dict.fromkeys(VARIABLES, "")) == Settings.from_environment({})


def test_every_variable_is_read(tmp_path: Path):
    settings = Settings.from_environment(
        {
            "DATA": str(tmp_path),
            "PROFILE": "full",
            "MODEL": "ViT-B-32-quickgelu",
            "PRETRAINED": "openai",
            "JOBS": "3",
            "SCHEDULER": "tcp://node:8786",
            "SKIP_BAD": "1",
            "CHANNEL": "depth",
            "YAWS": "0, 20,-20",
        }
    )
    assert settings == Settings(
        tmp_path.resolve(), "full", "ViT-B-32-quickgelu", "openai", 3, "tcp://node:8786", True,
        "depth", (0.0, 20.0, -20.0),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("variable", "value", "nearest"),
    [
        ("PROFILE", "quik", "PROFILE=quick"),
        ("PROFILE", "Full", "PROFILE=full"),
        ("MODEL", "ViT-B32-quickgelu", "MODEL=ViT-B-32-quickgelu"),
        ("MODEL", "mvlm_tiny", "MODEL=mvlm-tiny"),
        ("JOBS", "many", "JOBS="),
        ("JOBS", "0", "1 or more"),
        ("SKIP_BAD", "yes", "SKIP_BAD="),
        ("CHANNEL", "normal", "CHANNEL=normals"),
        ("YAWS", "front", "such as YAWS=0,30,-30"),
        ("YAWS", "0,45", "mirror image"),
        ("YAWS", "45,-45,0", "the front first"),
        ("YAWS", "0,120,-120", "up to 90"),
        ("YAWS", "0,nan,-nan", "expected degrees"),
        ("YAWS", "0,30,-30,0", "none twice"),
        ("DEVICES", "gpu", "DEVICES=cpu:2"),
        ("DEVICES", "0", "expected a number"),
    ],
)
def test_a_wrong_value_names_the_nearest_right_one(variable: str, value: str, nearest: str):
    with pytest.raises(ValueError, match=f"^{variable}={value}: .*{nearest}"):
        Settings.from_environment({variable: value})


def test_a_missing_data_folder_names_the_nearest_one(tmp_path: Path):
    (tmp_path / "corpora").mkdir()
    with pytest.raises(FileNotFoundError, match="did you mean DATA=.*corpora"):
        Settings.from_environment({"DATA": str(tmp_path / "corpara")})
    with pytest.raises(FileNotFoundError, match="no such folder; expected the root of the corpora$"):
        Settings.from_environment({"DATA": str(tmp_path / "far" / "away")})


def test_truth_files_tell_the_sample_corpora_from_supplied_ones(tmp_path: Path):
    settings = Settings(data=tmp_path)
    assert settings.data_kind() == "supplied"
    (tmp_path / "BU-3DFE.truth.json").write_text("{}")
    assert settings.data_kind() == Settings(data=tmp_path / "BU-3DFE").data_kind() == "sample"


@pytest.mark.parametrize(
    ("settings", "kind", "folder"),
    [
        (Settings(), "sample", "sample-quick-mvlm-tiny"),
        (Settings(), "supplied", "supplied-quick-mvlm-tiny"),
        (Settings(profile="smoke"), "twin", "twin-smoke-mvlm-tiny"),
        (Settings(pretrained="mine.safetensors"), "twin", "twin-quick-mvlm-tiny"),
        (Settings(channel="depth"), "twin", "twin-quick-mvlm-tiny-depth"),
        (Settings(channel="texture", yaws=(0.0, 20.0, -20.0)), "twin", "twin-quick-mvlm-tiny-texture-0+20-20"),
        (Settings(model="hf-hub:someone/a model"), "twin", "twin-quick-hf-hub_someone_a_model"),
    ],
)
def test_only_the_default_writes_the_committed_results(settings: Settings, kind: str, folder: str):
    assert settings.results_folder(kind) == RUNS / "results" / folder


@pytest.mark.parametrize("name", ["ViT-B-16-SigLIP", "roberta-ViT-B-32", "local-dir:{folder}"])
def test_a_model_that_reads_by_transformers_says_so_at_once(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "open_clip_config.json").write_text('{"model_cfg": {"text_cfg": {"hf_tokenizer_name": "x/y"}}}')
    found = {"transformers": None}
    monkeypatch.setattr("mvlm.settings.find_spec", lambda name: found.get(name, find_spec(name)))
    name = name.format(folder=tmp_path)
    with pytest.raises(ValueError, match=f"MODEL={name} reads text by the package transformers.*pip install transf"):
        Settings.from_environment({"MODEL": name, "PRETRAINED": "random"})
    assert Settings.from_environment({"MODEL": "ViT-B-32"}).model == "ViT-B-32"
    found["transformers"] = find_spec("json")
    assert Settings.from_environment({"MODEL": name}).model == name


def test_jobs_scheduler_and_skipping_leave_results_where_they_are():
    assert Settings(jobs=7, scheduler="tcp://node:8786", skip_bad=True).results_folder("twin") == RESULTS


def test_devices_and_training_are_read_and_leave_results_where_they_are():
    settings = Settings.from_environment(
        {"DEVICES": "cpu:2", "TRAINING": "epochs=3, image=2 checkpointing=1 rate=1e-4"}
    )
    assert settings.devices == "cpu:2"
    assert settings.training == Training(epochs=3, image="2", checkpointing=True, rate=1e-4)
    assert settings.results_folder("twin") == RESULTS
    assert "save" not in settings.training.content() and settings.training.content()["epochs"] == 3


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("epoch=3", "TRAINING=epoch=3: expected epochs=VALUE"),
        ("epochs", "TRAINING=epochs: expected epochs=VALUE"),
        ("epochs=many", "TRAINING=epochs=many: expected epochs= int, such as epochs=20"),
        ("checkpointing=yes", "expected checkpointing= 0 or 1"),
        ("batch=1", "TRAINING=batch=1: expected 2 or more"),
        ("rate=-1", "TRAINING=rate=-1.0: expected a number from 0"),
        ("rate=nan", "TRAINING=rate=nan: expected a number from 0"),
        ("image=some", "TRAINING=image=some: expected all, none, or a number of blocks"),
        ("precision=fp32", "did you mean precision=float32?"),
    ],
)
def test_a_wrong_setting_of_training_says_what_was_expected(value: str, said: str):
    with pytest.raises(ValueError, match=re.escape(said)):
        Settings.from_environment({"TRAINING": value})
