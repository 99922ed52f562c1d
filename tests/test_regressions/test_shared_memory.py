"""Too little shared memory for data-loading processes: the images are loaded in the process, or the cause is named."""

import shutil
import types

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from mmbnft.utils import batch_loader
from mmbnft.utils.batch_loader import BatchLoader, has_room
from mmbnft.utils.errors import UserError

MEGABYTE = 2**20


class Images(Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return {"img": torch.full((3, 64, 64), float(index)), "idx": index}  # 48 KB


@pytest.fixture
def free(monkeypatch):
    """Set the free bytes of /dev/shm."""
    batch_loader._say_once.cache_clear()

    def having(count):
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: types.SimpleNamespace(free=count))

    return having


def test_small_shared_memory_means_loading_in_the_process_and_one_warning(free, capsys):
    free(MEGABYTE // 2)
    batches = [[0, 1, 2, 3], [4, 5]]
    loader = BatchLoader(Images(), batches, 4, workers=2)
    assert loader.num_workers == 0
    assert [batch["idx"].tolist() for batch in loader] == batches
    BatchLoader(Images(), batches, 4, workers=2)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "2 data-loading processes need 1 MB of shared memory" in said
    assert "--shm-size" in said


def test_enough_shared_memory_keeps_the_processes(free, capsys):
    free(MEGABYTE)
    assert BatchLoader(Images(), [[0, 1]], 2, workers=2).num_workers == 2
    assert capsys.readouterr().err == ""


def test_processes_of_one_machine_share_the_room(free, monkeypatch):
    free(MEGABYTE)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert not has_room(Images(), 2, 2)


def test_a_data_loading_process_that_was_ended_is_one_sentence(free, monkeypatch):
    free(1024 * MEGABYTE)

    def died(_self):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible ...")

    monkeypatch.setattr(DataLoader, "__iter__", died)
    with pytest.raises(UserError, match="ended a data-loading process.*--workers 0"):
        list(BatchLoader(Images(), [[0]], 1, workers=1))
