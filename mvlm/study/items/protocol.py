"""What the script of the evaluation protocol reads, `results/protocol/protocol.py`: frozen embeddings of one twin.

The script stands alone, and so does its folder. The smallest benchmark of Table I is kept for it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mvlm.cache.files import write, write_text
from mvlm.cache.keys import file_hash
from mvlm.samples import catalogue, open_corpus
from mvlm.settings import RESULTS, Settings
from mvlm.study.benchmarks import BENCHMARKS
from mvlm.study.embeddings import frozen, image_source, model_key

FOLDER = RESULTS / "protocol"
BENCHMARK = "Bosphorus"
ARRAYS = {
    "images": "(N, V, D) float32, unit embeddings of the views of each sample by the frozen model",
    "subjects": "(N,) who is shown",
    "labels": "(N,) the class that is shown, by its place among the emotions",
    "text": "(P, D) float32, unit embeddings of the prompts",
    "prompt_labels": "(P,) the class that each prompt describes",
}


def export(settings: Settings, folder: Path = FOLDER) -> list[Path]:
    """Write `embeddings.npz` with `ARRAYS`, and what they depend on as `embeddings.json`; the two paths.

    Raises ValueError for settings other than the default's: a number of Table I is to come out.
    """
    if settings.results_folder(settings.data_kind()) != RESULTS:
        raise ValueError("expected no DATA, PROFILE, MODEL or PRETRAINED: the script reproduces a number of results/")
    known = BENCHMARKS[BENCHMARK]
    corpus = open_corpus(known.corpus)
    samples = catalogue(corpus)
    every, prompts = frozen(corpus, known.emotions, settings)
    own = every.named(samples.names[known.select(samples)])
    values = own.views()[0], own.subjects, known.labels(own.emotions), prompts.text, prompts.classes
    arrays = dict(zip(ARRAYS, values, strict=True))
    path = folder / "embeddings.npz"
    write(path, lambda file: np.savez(file, **arrays))
    about = {
        "item": "embeddings",
        "made_by": "python -m mvlm.study.items.reproducibility",
        "benchmark": f"{BENCHMARK}: {known.rule}",
        "emotions": known.emotions,
        "data_kind": corpus.kind,
        "fingerprints": {known.corpus: corpus.fingerprint},
        "model": model_key(settings),
        "source": image_source(),
        "arrays": {name: f"{ARRAYS[name]}; {' x '.join(map(str, values.shape))}" for name, values in arrays.items()},
        "sha256": file_hash(path),
    }
    write_text(path.with_suffix(".json"), json.dumps(about, indent=2, sort_keys=True, ensure_ascii=False) + "\n")
    return [path, path.with_suffix(".json")]
