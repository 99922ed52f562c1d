"""Several processes share a run: each on its own device, uneven batches, dropout of its own, and they end together."""

import os
import time
import types

import pytest
import torch
import torch.multiprocessing as mp
from torch import nn

from mmbnft.evaluation.training.distributed import (
    SharedBatches,
    first_node,
    global_batch_statistics,
    leaving_together,
    open_group,
)
from mmbnft.evaluation.training.epochs import Position, SeedHook
from mmbnft.evaluation.training.loaders import EpochBatches
from mmbnft.utils.errors import DivergedError, UserError
from mmbnft.utils.processes import Processes

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@pytest.fixture
def calls(monkeypatch):
    """What is asked of torch where there are four GPUs; the names of a launcher are not set."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    made = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: made.append(("set_device", str(device))))
    monkeypatch.setattr(torch.distributed, "init_process_group", lambda backend: made.append(("group", backend)))
    return made


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_each_process_takes_its_own_gpu_before_it_opens_nccl(calls, monkeypatch, device):
    monkeypatch.setenv("LOCAL_RANK", "2")
    _, chosen = open_group("pytorch", device)
    assert str(chosen) == "cuda:2"
    assert calls == [("set_device", "cuda:2"), ("group", "nccl")]


def test_on_a_cpu_it_is_gloo(calls, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert str(open_group("pytorch", "auto")[1]) == "cpu"
    assert calls == [("group", "gloo")]


def test_more_processes_than_gpus_are_refused(calls, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "4")
    with pytest.raises(UserError, match="4 CUDA devices, and this process asks for number 4"):
        open_group("pytorch", "auto")


def test_srun_is_enough(calls, monkeypatch):
    for name, value in dict(PROCID=5, NTASKS=8, LOCALID=1, JOB_ID=70001, STEP_NODELIST="gpu[07-09]").items():
        monkeypatch.setenv(f"SLURM_{name}", str(value))
    for name in NAMES:
        monkeypatch.setenv(name, "")  # so that they are put back after the test
        monkeypatch.delenv(name)
    assert str(open_group("slurm", "auto")[1]) == "cuda:1"
    assert calls[-1] == ("group", "nccl")

    assert [os.environ[name] for name in NAMES[:4]] == ["5", "8", "1", "gpu07"]
    assert 20_000 <= int(os.environ["MASTER_PORT"]) < 40_000


def test_slurm_outside_srun_is_one_sentence(calls, monkeypatch):
    monkeypatch.delenv("SLURM_PROCID", raising=False)
    with pytest.raises(UserError, match="SLURM_PROCID is not set.*start it with srun"):
        open_group("slurm", "cpu")


@pytest.mark.parametrize(
    ("nodes", "first"),
    [("node1", "node1"), ("node1,node2", "node1"), ("gpu[07-09,12],login", "gpu07"), ("n[3-4]-ib", "n3-ib")],
)
def test_the_first_of_a_node_list(nodes, first):
    assert first_node(nodes) == first


class Model(nn.Module):
    """A network with batch statistics and a mean loss, as the host's algorithms have."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3))
        self.double()

    def forward(self, img, label):
        return nn.functional.cross_entropy(self.layers(img), label)

    def train_step(self, batch, _optimizer):
        loss = self(**batch)
        return {"loss": loss, "log_vars": {"loss": loss.item()}, "num_samples": len(batch["img"])}


def uneven_step(processes, state, img, label):
    """Sizes, loss, gradients and state after one step of a batch that two processes cannot halve."""
    batches = EpochBatches(len(img), 64, 0, processes)
    model = Model()
    model.load_state_dict(state)
    wrapped = nn.parallel.DistributedDataParallel(model, broadcast_buffers=False)
    (numbers,) = list(batches)
    share = {"img": img[numbers], "label": label[numbers]}
    # mmcv's wrapper calls the module's train_step inside its own forward; torch's calls forward.
    runner = types.SimpleNamespace(train_step=lambda batch, optimizer: Model.train_step(wrapped, batch, optimizer))
    with global_batch_statistics(model, processes):
        outputs = SharedBatches(None, batches.batch_size, processes)(runner, share, True)
        outputs["loss"].backward()
    gradients = [parameter.grad for parameter in model.parameters()]
    return len(numbers), outputs["log_vars"]["loss"], gradients, model.state_dict()


def one_fails(processes):
    """What each process gets to know of an error on the first; all go on from the same place."""
    try:
        with processes.together():
            if processes.is_main:
                raise DivergedError("layer fc did not move; raise the learning rate")
    except DivergedError as error:
        torch.distributed.barrier()
        return str(error)
    return None


def one_leaves(processes):
    """What each process ends with when the second fails while the first waits for it."""
    try:
        with leaving_together(processes):
            if not processes.is_main:
                raise UserError("image 3 cannot be decoded")
            torch.distributed.all_reduce(torch.ones(1))
    except UserError as error:
        if not processes.is_main:
            time.sleep(1)  # the first must not depend on this process being gone
        return str(error)
    return None


def one_of_two(rank, folder, *step):
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    processes = Processes.current()
    torch.save((uneven_step(processes, *step), one_fails(processes), one_leaves(processes)), f"{folder}/{rank}.pt")


@pytest.fixture(scope="module")
def step():
    """State of a model, images and labels of one step."""
    torch.manual_seed(0)
    return Model().state_dict(), torch.randn(33, 4, dtype=torch.float64), torch.randint(3, (33,))


@pytest.fixture(scope="module")
def outcomes(step, tmp_path_factory):
    """What each of two processes saw of the three cases."""
    folder = tmp_path_factory.mktemp("two")
    mp.spawn(one_of_two, (str(folder), *step), nprocs=2)
    return list(zip(*(torch.load(folder / f"{rank}.pt") for rank in (0, 1)), strict=True))


def test_33_images_shared_by_two_processes_give_the_step_of_one(step, outcomes):
    state, img, label = step
    model = Model()
    model.load_state_dict(state)
    loss = model(img, label)
    loss.backward()
    for _, logged, gradients, state in outcomes[0]:
        assert logged == pytest.approx(loss.item(), abs=1e-12)
        for found, parameter in zip(gradients, model.parameters(), strict=True):
            assert torch.allclose(found, parameter.grad, atol=1e-12)
        for name, expected in model.state_dict().items():
            assert torch.allclose(state[name], expected, atol=1e-12), name
    assert [size for size, *_ in outcomes[0]] == [17, 16]


def test_what_one_process_raises_all_raise(outcomes):
    assert set(outcomes[1]) == {"layer fc did not move; raise the learning rate"}


def test_a_process_that_fails_anywhere_ends_the_others_with_a_sentence(outcomes):
    assert outcomes[2][0].startswith("another process of this run ended")
    assert outcomes[2][1] == "image 3 cannot be decoded"


def test_each_process_draws_its_own_dropout_and_one_process_the_old(monkeypatch):
    batches = types.SimpleNamespace(epoch=0, limit=0)
    loader = types.SimpleNamespace(batch_sampler=batches, dataset=types.SimpleNamespace(epoch=0))
    runner = types.SimpleNamespace(epoch=3, iter=0, max_iters=9, data_loader=loader)
    drawn = []
    for rank in (0, 1, 2):
        monkeypatch.setattr(Processes, "current", lambda rank=rank: Processes(rank, 3))
        SeedHook(Position(phase=1), 7).before_train_epoch(runner)
        drawn.append(torch.rand(8))
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[1], drawn[2])
    torch.manual_seed(7 * 1_000_003 + 100_003)
    assert torch.equal(drawn[0], torch.rand(8))
