"""Two real ranks against one process: every gradient equal, and two widespread wrong gathers told apart from it."""

import pytest
import torch
import torch.distributed as dist
from torch import nn

from mvlm import distributed, losses

RANKS, BATCH, VIEWS = 2, 4, 3
# The ranks hold different numbers of negative pairs, so that a mean per rank would not be the mean over all.
LABELS = torch.tensor([0, 0, 0, 1, 2, 1, 0, 2])
SUBJECTS = torch.tensor([5, 6, 5, 6, 7, 7, 8, 5])
TOLERANCE = 1e-10


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.image = nn.Linear(6, 4, dtype=torch.float64)
        self.text = nn.Linear(6, 4, dtype=torch.float64)
        self.log_temperature = nn.Parameter(torch.tensor(-0.4, dtype=torch.float64))

    def forward(self, images, texts):
        return self.image(images), self.text(texts), self.log_temperature.exp()


def inputs():
    generator = torch.Generator().manual_seed(1)
    rows = RANKS * BATCH
    images = torch.randn(rows, VIEWS, 6, generator=generator, dtype=torch.float64)
    return images, torch.randn(rows, 6, generator=generator, dtype=torch.float64)


def objective(images, texts, labels, subjects, *, model, gather=losses.identity):
    views, text, temperature = model(images, texts)
    return losses.objective(
        views, text, temperature=temperature, labels=labels, subjects=subjects, readings=losses.Readings("4D"), gather=gather
    ).total


class KeepOwnSlice(torch.autograd.Function):
    """Mode F: the gradients of the other ranks for this rank's rows are lost."""

    @staticmethod
    def forward(_ctx, x):
        parts = [torch.empty_like(x) for _ in range(RANKS)]
        dist.all_gather(parts, x.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(_ctx, grad):
        return grad.chunk(RANKS)[dist.get_rank()]


def mode_a(images, texts, labels, subjects, *, model):
    """Mode A: every rank takes the loss of all rows, in which only its own carry a gradient."""

    def put_back(x):
        parts = list(KeepOwnSlice.apply(x.detach()).chunk(RANKS))
        parts[dist.get_rank()] = x
        return torch.cat(parts)

    views, text, temperature = model(images, texts)
    ids = {"labels": KeepOwnSlice.apply(labels), "subjects": KeepOwnSlice.apply(subjects)}
    return losses.objective(put_back(views), put_back(text), temperature=temperature, readings=losses.Readings("4D"), **ids).total


def gradients(loss, model):
    model.zero_grad()
    loss.backward()
    return {name.removeprefix("module."): p.grad.clone() for name, p in model.named_parameters()}


def work(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=RANKS)
    torch.set_num_threads(1)
    own = [x.chunk(RANKS)[rank] for x in (*inputs(), LABELS, SUBJECTS)]
    model = nn.parallel.DistributedDataParallel(Model())
    result = {
        "exact": gradients(objective(*own, model=model, gather=distributed.gather), model),
        "A": gradients(mode_a(*own, model=model), model),
        "F": gradients(objective(*own, model=model, gather=KeepOwnSlice.apply), model),
        "order": distributed.gather(torch.full((1, 2), rank).T),
    }
    loss = objective(*own, model=model, gather=distributed.gather).detach()
    dist.all_reduce(loss)
    result["loss"] = loss / RANKS
    try:
        distributed.gather(torch.ones(BATCH - rank, 2))
    except ValueError as error:
        result["unequal"] = str(error)
    torch.save(result, f"{folder}/{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    torch.multiprocessing.spawn(work, args=(str(folder),), nprocs=RANKS)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(RANKS)]


@pytest.fixture(scope="module")
def one_process():
    model = Model()
    loss = objective(*inputs(), LABELS, SUBJECTS, model=model)
    return loss.detach(), gradients(loss, model)


def error(got, expected):
    """Largest deviation per parameter; a comparison of norms would pass mode F."""
    assert set(got) == set(expected)
    return {name: float((got[name] - expected[name]).abs().max()) for name in expected}


def test_gradients_of_two_ranks_are_those_of_one_process(ranks, one_process):
    loss, expected = one_process
    assert all(grad.any() for grad in expected.values())
    for rank in ranks:
        assert max(error(rank["exact"], expected).values()) < TOLERANCE
        assert abs(rank["loss"] - loss) < TOLERANCE


@pytest.mark.parametrize("mutant", ["A", "F"])
def test_wrong_gathers_fail_the_same_comparison(ranks, one_process, mutant):
    _, expected = one_process
    for rank in ranks:
        wrong = error(rank[mutant], expected)
        assert wrong["image.weight"] > 1e-3 and wrong["text.weight"] > 1e-3
        assert wrong["log_temperature"] < TOLERANCE  # what hides them: loss and temperature are right


def test_rows_come_in_the_order_of_ranks(ranks):
    for rank in ranks:
        assert rank["order"].tolist() == [[0], [0], [1], [1]]


def test_unequal_batches_are_an_error_on_every_rank(ranks):
    for rank in ranks:
        assert "same size, got [4, 3]" in rank["unequal"]


def test_without_a_process_group_the_rows_are_all_rows():
    x = torch.ones(3, 2, requires_grad=True)
    assert distributed.gather(x) is x
