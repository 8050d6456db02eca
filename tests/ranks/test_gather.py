"""Real ranks against one process: every gradient equal, and two widespread wrong gathers told apart from it."""

import pytest
import torch
import torch.distributed as dist
from torch import nn

from mvlm import losses
from mvlm.losses import chunks
from mvlm.ranks import group
from mvlm.ranks.gather import gather, in_order
from mvlm.study.items import ways_to_gather
from mvlm.study.items.ways_to_gather import KeepOwnSlice, put_back

ROWS, VIEWS, WIDTH = 8, 3, 4
# The ranks hold different numbers of negative pairs, so that a mean per rank would not be the mean over all.
LABELS = torch.tensor([0, 0, 0, 1, 2, 1, 0, 2])
SUBJECTS = torch.tensor([5, 6, 5, 6, 7, 7, 8, 5])
TOLERANCE = 1e-10
READINGS = [
    losses.Readings(),
    losses.Readings("4D", "6B", "8B"),
    losses.Readings("4E", "6D", "8D"),
    losses.Readings("4A", "6C", "8C"),
]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.image = nn.Linear(6, WIDTH, dtype=torch.float64)
        self.text = nn.Linear(6, WIDTH, dtype=torch.float64)
        self.log_temperature = nn.Parameter(torch.tensor(-0.4, dtype=torch.float64))
        self.scale = nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
        self.bias = nn.Parameter(torch.tensor(-1.0, dtype=torch.float64))
        self.query = nn.Parameter(torch.linspace(-1, 1, WIDTH, dtype=torch.float64))

    def forward(self, images, texts, labels, subjects, readings, gather=losses.identity, share=losses.identity):
        """The objective; `gather` brings the other ranks' rows into it, `share` puts them beside its own before it."""
        return losses.objective(
            share(self.image(images)),
            share(self.text(texts)),
            temperature=self.log_temperature.exp(),
            labels=share(labels),
            reading=losses.Reading(readings),
            learnt=losses.Learnt(self.scale, self.bias, self.query),
            subjects=share(subjects),
            gather=gather,
        ).total


def inputs():
    """The rows of all ranks: images, texts, labels, subjects."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(ROWS, VIEWS, 6, generator=generator, dtype=torch.float64)
    return images, torch.randn(ROWS, 6, generator=generator, dtype=torch.float64), LABELS, SUBJECTS


def own_inputs():
    return [x.chunk(dist.get_world_size())[dist.get_rank()] for x in inputs()]


GATHERS = {"exact": {"gather": gather}, "A": {"share": put_back}, "F": {"gather": KeepOwnSlice.apply}}


def gradients(loss, model):
    """Gradients of what the loss depends on: {name of the parameter: gradient}, and the loss itself."""
    model.zero_grad()
    loss.backward()
    found = {name.removeprefix("module."): p.grad for name, p in model.named_parameters() if p.grad is not None}
    return {"loss": loss.detach(), **{name: gradient.clone() for name, gradient in found.items()}}


def on_ranks(readings, gather, entries):
    """Gradients as DDP averages them, with the mean of the ranks' losses."""
    model = nn.parallel.DistributedDataParallel(Model(), find_unused_parameters=True)
    whole, chunks.ENTRIES = chunks.ENTRIES, entries
    try:
        found = gradients(model(*own_inputs(), readings, **GATHERS[gather]), model)
    finally:
        chunks.ENTRIES = whole
    dist.all_reduce(found["loss"])
    found["loss"] /= dist.get_world_size()
    return found


def in_one_process(readings):
    model = Model()
    return gradients(model(*inputs(), readings), model)


def errors(got, expected):
    """Largest deviation per parameter; a comparison of norms would pass mode F. DDP fills what is unused with zeros."""
    assert set(expected) <= set(got) and not any(got[name].any() for name in set(got) - set(expected))
    return {name: float((got[name] - expected[name]).abs().max()) for name in expected}


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("entries", [chunks.ENTRIES, 40], ids=["whole", "chunks"])
@pytest.mark.parametrize("readings", READINGS, ids="-".join)
def test_gradients_of_ranks_are_those_of_one_process(ranks, readings, entries, size):
    expected = in_one_process(readings)
    assert {"image.weight", "text.weight", "log_temperature", "scale", "bias"} <= set(expected)
    assert all(gradient.any() for gradient in expected.values())
    for got in ranks.run(on_ranks, readings, "exact", entries, size=size):
        assert max(errors(got, expected).values()) < TOLERANCE


@pytest.mark.parametrize("size", [2, 4])
@pytest.mark.parametrize("mutant", ["A", "F"])
def test_wrong_gathers_fail_the_same_comparison(ranks, mutant, size):
    expected = in_one_process(losses.Readings())
    for got in ranks.run(on_ranks, losses.Readings(), mutant, chunks.ENTRIES, size=size):
        wrong = errors(got, expected)
        assert wrong["image.weight"] > 1e-3 and wrong["text.weight"] > 1e-3
        assert wrong["loss"] < TOLERANCE and wrong["log_temperature"] < TOLERANCE  # what hides them


def measured(way):
    return ways_to_gather.compared(way, ways_to_gather.averaged(way))


@pytest.mark.parametrize("size", [2, 4])
def test_the_ways_that_are_in_use(ranks, size):
    """Sizes along the right gradient, of encoder and temperature; cosines tell F and C from a matter of scale."""
    expected = {"A": (1 / size, 1), "B": (1, size), "G": (1 / size, 1)} | dict.fromkeys("DEHI", (1, 1))
    for way in ways_to_gather.WAYS:
        for row in ranks.run(measured, way, size=size):
            assert row["exact"] == (way in "DEHI")
            assert row["loss_size"] == pytest.approx(size if way == "B" else 1)
            if way in expected:
                assert (row["encoder_size"], row["temperature_size"]) == pytest.approx(expected[way], abs=1e-10)
                assert row["encoder_cosine"] == pytest.approx(1)
            else:  # hardly too short, and wrong
                assert 0.9 < row["encoder_size"] < 1.1 and 0.9 < row["encoder_cosine"] < 0.999
                assert row["temperature_size"] == pytest.approx(1)


def gathered():
    return gather(torch.full((1, 2), dist.get_rank()).T).tolist()


def test_rows_come_in_the_order_of_ranks(ranks):
    assert ranks.run(gathered, size=4) == [[[0], [0], [1], [1], [2], [2], [3], [3]]] * 4


def unequal():
    try:
        gather(torch.ones(4 - dist.get_rank(), 2))
    except ValueError as error:
        return str(error)


def test_unequal_batches_are_an_error_on_every_rank(ranks):
    for said in ranks.run(unequal, size=2):
        assert said.endswith("same size, got [4, 3]")


def test_without_a_process_group_the_rows_are_all_rows():
    x = torch.ones(3, 2, requires_grad=True)
    assert gather(x) is x


def ordered(total):
    rank, size = dist.get_rank(), dist.get_world_size()
    places = torch.arange(rank, total, size)
    return in_order(places.double()[:, None] * torch.tensor([1.0, 10.0]), places, total).tolist()


def test_rows_of_unequal_shares_come_in_the_order_of_samples(ranks):
    expected = [[float(n), 10.0 * n] for n in range(7)]
    assert ranks.run(ordered, 7, size=3) == [expected] * 3
    alone = torch.tensor([1, 0])
    assert in_order(torch.tensor([[5.0], [6.0]]), alone, 2).tolist() == [[6.0], [5.0]]
    with pytest.raises(ValueError, match="every place of 0 to 2 once"):
        in_order(torch.ones(2, 1), alone, 3)


def first_of(failing):
    def compute():
        assert group.number() == 0
        if failing:
            raise ValueError("no cluster")
        return {"classes": [2, 1]}

    try:
        return group.from_first(compute)
    except (ValueError, RuntimeError) as error:
        return f"{type(error).__name__}: {error}"


def test_what_rank_0_computes_is_everyones_and_so_is_its_error(ranks):
    assert ranks.run(first_of, False, size=2) == [{"classes": [2, 1]}] * 2
    said = ["ValueError: no cluster", "RuntimeError: rank 0: ValueError: no cluster"]
    assert ranks.run(first_of, True, size=2) == said
    assert group.from_first(lambda: 3) == 3 and group.count() == 1
