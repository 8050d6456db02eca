"""What the equations refuse: every message names the argument and prints what came."""

import math

import pytest
import torch

from mvlm import losses

V = torch.randn(6, 3, 5, generator=torch.Generator().manual_seed(0))
T = torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 0, 1, 0])


def read(reading):
    return losses.objective(V, T, temperature=1.0, labels=LABELS, reading=reading)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: losses.contrastive(V, T, temperature=1.0), r"image .*\(B, D\).*\(6, 3, 5\)"),
        (lambda: losses.contrastive(T[:4], T, temperature=1.0), r"\(4, 5\) and \(6, 5\)"),
        (lambda: losses.contrastive(T, T, temperature=0.0), "temperature .* 0.0"),
        (lambda: losses.contrastive(T, T, temperature=torch.tensor(-0.1)), "temperature .*-0.1"),
        (lambda: losses.contrastive(T, T, temperature=torch.ones(2)), "temperature .*one"),
        (lambda: losses.contrastive(T, T, temperature=math.nan), "temperature .*nan"),
        (lambda: losses.contrastive(T, T, temperature=1.0, groups=LABELS[:5]), r"groups .*\(6,\).*\(5,\)"),
        (lambda: losses.contrastive(T.long(), T, temperature=1.0), "image .*int64"),
        (lambda: losses.contrastive(T * math.nan, T, temperature=1.0), r"image .*row at \(0,\)"),
        (lambda: losses.multiview(V, T, temperature=1.0, reading="4F"), "4F.*4A, 4B, 4C, 4D"),
        (lambda: losses.multiview(V, T, temperature=1.0, reading="4E"), r"query of shape \(5,\), got None"),
        (lambda: losses.multiview(V, T, temperature=1.0, reading="4E", query=T), r"query .*got \(6, 5\)"),
        (lambda: losses.positive_loss(V, reading="8A"), r"'8A' of equation \(6\), expected one of 6A, 6B, 6C, 6D"),
        (lambda: losses.negative_loss(V, labels=LABELS, reading="6A"), "'6A' of equation .*8A, 8B, 8C, 8D"),
        (lambda: losses.positive_loss(V, reading="6B"), "6B .*temperature, got None"),
        (lambda: losses.positive_loss(V, reading="6B", temperature=-1.0), "temperature .*-1.0"),
        (lambda: losses.positive_loss(V, scale=math.nan), "scale .*nan"),
        (lambda: losses.negative_loss(V, labels=LABELS, bias=torch.ones(2)), "bias .*one"),
        (lambda: losses.multiview(V, T[:, :4], temperature=1.0), r"\(6, 3, 5\) and \(6, 4\)"),
        (lambda: losses.multiview(torch.stack([T, -T], 1), T, temperature=1.0), r"mean of the views .*\(0,\)"),
        (lambda: losses.positive_loss(T), r"views .*\(B, V, D\).*\(6, 5\)"),
        (lambda: losses.positive_loss(V[:, :1]), r"two views.*\(6, 1, 5\)"),
        (lambda: losses.positive_loss(V * torch.tensor([1.0, 0, 1])[:, None]), r"row at \(0, 1\)"),
        (lambda: losses.negative_loss(V, labels=LABELS.double()), "labels .*float64"),
        (lambda: losses.negative_loss(V, labels=LABELS, subjects=LABELS[:2]), r"subjects .*\(2,\)"),
        (lambda: losses.negative_loss(V[:0], labels=LABELS[:0]), r"views .*\(0, 3, 5\)"),
        (lambda: losses.objective(V, T, temperature=1.0, labels=LABELS, use=("pair",)), "pairs, .*got .*'pair'"),
        (lambda: losses.objective(V, T, temperature=1.0, labels=LABELS, use=()), "use must name"),
        (lambda: read(losses.Reading(weights=losses.Weights(negative=math.inf))), "weight of negative .*inf"),
        (lambda: read(losses.Reading(losses.Readings("4E"))), r"query of shape \(5,\), got None"),
        (lambda: read(losses.Reading(other_subjects=True)), "subjects, got None"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
