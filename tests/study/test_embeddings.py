"""Embeddings that are kept with their augmented copies, and those that are looked at once."""

import numpy as np

import mvlm.settings
from mvlm.settings import Settings
from mvlm.study.benchmarks import BASIC
from mvlm.study.embeddings import frozen, plain
from mvlm.twins.twin import Twin


def test_views_that_are_looked_at_once_are_the_plain_copy_of_the_kept_ones(monkeypatch, tmp_path):
    monkeypatch.setattr(mvlm.settings, "RUNS", tmp_path)
    twin, chosen = Twin("BU-3DFE"), Settings(jobs=1)
    subjects = sorted({item.subject for item in twin.items})[:3]  # 72 scans, more than a worker takes at once
    samples, views, prompts = plain(twin, BASIC, chosen, subjects)
    assert not list(tmp_path.rglob("embeddings/*.npy"))
    every, same = frozen(twin, BASIC, chosen, subjects)
    assert views.shape == (72, 3, 128) and samples.names.tolist() == every.names.tolist()
    np.testing.assert_array_equal(views, every.views()[0])
    assert not np.array_equal(views, every.views()[1])
    np.testing.assert_array_equal(prompts.text, same.text)
