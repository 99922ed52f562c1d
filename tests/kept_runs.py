"""Runs whose weights are kept, for the tests of what can be done with them."""

import pytest
import torch

from mmbnft.evaluation.run import RunOptions, execute
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.models import ProtocolBackbone
from mmbnft.results import read_result, write_result
from mmbnft.zoo import resolve_checkpoint

BACKBONE = dict(type="ResNet", depth=18, base_channels=4, stem_channels=4, out_indices=[4])
MODEL = dict(type="Classification", backbone=BACKBONE, head=dict(type="BnftLinearHead"))
TASK = dict(type="drawn", family="shapes", train_size=64, val_size=32, test_size=45)
NORMALISATION = dict(mean=[0.5, 0.4, 0.5], std=[0.25, 0.3, 0.25])


@pytest.fixture
def small_checkpoint(tmp_path):
    """A file of random weights that says its normalisation."""
    torch.manual_seed(3)
    state = ProtocolBackbone(dict(BACKBONE), "bn").state_dict()
    torch.save({"state_dict": state, "meta": {"normalisation": NORMALISATION}}, tmp_path / "tiny.pth")
    return tmp_path / "tiny.pth"


@pytest.fixture
def kept_run(make_recipe, small_checkpoint, tmp_path):
    """Executes a run that keeps its weights; the result as read from its file."""

    def made(protocol, seed=0, **changes):
        spec = RunSpec(
            MODEL, TASK, protocol, make_recipe(**changes), resolve_checkpoint(str(small_checkpoint)), seed=seed
        )
        result = execute(spec, RunOptions(tmp_path / "work", keep_weights=True))
        return read_result(write_result(tmp_path / "results", result))

    return made
