"""The evaluation protocol on one page: `python protocol.py`, with numpy alone, gives two rows of Table I again.

It reads `embeddings.npz` beside it, what the frozen model sees of the twin of Bosphorus (`embeddings.json` says how it
was made), and shares no line with the package: whoever doubts a number of ours finds here all that it is made of.

1. A sample is one scan in V views; its row is the normalised mean of the views' unit embeddings.
2. Subjects, not scans, are cut into ten folds. What is fitted is fitted on the nine others, without a label.
3. A test row gets the class whose prompts are nearest: cosine with the normalised mean of the prompts of each class.
4. Accuracy is the mean over the folds; its spread, the standard deviation over them.
5. The interval is of that mean if other people had been scanned: whole subjects are drawn with replacement.
"""

import sys
from pathlib import Path

import numpy as np

FOLDS, DRAWS, SEED = 10, 10_000, 0


def unit(x: np.ndarray) -> np.ndarray:
    """Rows at length 1."""
    x = x.astype(np.float64)
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def fold_of(subjects: np.ndarray) -> np.ndarray:
    """(N,) the fold in which each sample is tested; all samples of a subject are in one."""
    people = np.random.default_rng(SEED).permutation(np.unique(subjects))
    parts = np.array_split(people, FOLDS)  # whose sizes differ by at most one
    return np.array([next(fold for fold, part in enumerate(parts) if who in part) for who in subjects])


def predicted(rows: np.ndarray, prototypes: np.ndarray, fold: np.ndarray, centred: bool) -> np.ndarray:
    """(N,) the class of each sample, told when its fold is tested; centred: without the training subjects' mean."""
    classes = np.empty(len(rows), int)
    for test in (fold == number for number in range(FOLDS)):
        seen, texts = rows[test], prototypes
        if centred:
            seen, texts = seen - rows[~test].mean(0), texts - texts.mean(0)
        classes[test] = (unit(seen) @ unit(texts).T).argmax(1)
    return classes


def accuracy(right: np.ndarray, fold: np.ndarray, subjects: np.ndarray) -> tuple[float, float, float, float]:
    """Mean and deviation over folds, and the ends of the 95 % interval over subjects, in percent."""
    sizes = np.bincount(fold)
    of_folds = np.bincount(fold, right) / sizes
    person = np.unique(subjects, return_inverse=True)[1]
    weight = 1 / sizes[fold]  # of a sample: folds count alike, however many samples they have
    score, total = np.bincount(person, weight * right), np.bincount(person, weight)
    people = len(total)
    drawn = np.random.default_rng(SEED).multinomial(people, np.full(people, 1 / people), size=DRAWS)
    low, high = np.percentile((drawn @ score) / (drawn @ total), [2.5, 97.5])
    return 100 * of_folds.mean(), 100 * of_folds.std(ddof=1), 100 * low, 100 * high


def main(path: Path) -> None:
    with np.load(path) as kept:  # images (N, V, D), subjects (N,), labels (N,), text (P, D), prompt_labels (P,)
        images, subjects, labels, text, prompt_labels = (kept[name] for name in kept.files)
    rows = unit(unit(images).mean(1))
    prototypes = unit(np.stack([unit(text)[prompt_labels == c].mean(0) for c in np.unique(labels)]))
    fold = fold_of(subjects)
    for title, centred in (("Baseline", False), ("Baseline, centred", True)):
        right = predicted(rows, prototypes, fold, centred) == labels
        print("{}: {:.1f} ± {:.1f} [{:.1f}, {:.1f}]".format(title, *accuracy(right, fold, subjects)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("embeddings.npz"))
