import logging

import pytest
import torch
from mmcv.runner import EpochBasedRunner
from mmselfsup.models.builder import build_algorithm
from torch.utils.data import DataLoader

from mmbnft.compat import no_epoch_pause
from mmbnft.tasks import TaskDataset

PIPELINE = [dict(type="ToTensor")]


@pytest.fixture
def small_model():
    return build_small_model


def build_small_model(protocol, phase=0):
    torch.manual_seed(0)
    inner = dict(type="ResNet", depth=18, base_channels=4, stem_channels=4, out_indices=[4], norm_cfg=dict(type="BN"))
    backbone = dict(type="ProtocolBackbone", protocol=protocol, backbone=inner, phase=phase)
    head = dict(type="BnftLinearHead", in_channels=32, num_classes=8)
    return build_algorithm(dict(type="Classification", backbone=backbone, head=head))


@pytest.fixture
def start(shapes, tmp_path):
    """start(model, hooks) runs two epochs of the drawn shapes on mmcv's own runner."""

    def run(model, hooks, parameters=None, lr=0.1):
        loader = DataLoader(TaskDataset(shapes, "train", PIPELINE), batch_size=32, shuffle=False)
        optimizer = torch.optim.SGD(parameters or model.parameters(), lr=lr)
        logger = logging.getLogger("test")
        runner = EpochBasedRunner(model, optimizer=optimizer, work_dir=str(tmp_path), logger=logger, max_epochs=2)
        runner.register_training_hooks(None, dict(grad_clip=None))
        for hook, priority in hooks:
            runner.register_hook(hook, priority=priority)
        with no_epoch_pause():
            runner.run([loader], [("train", 1)])
        return runner

    return run
