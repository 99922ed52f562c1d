import pytest
from kept_runs import kept_run, small_checkpoint  # noqa: F401  (fixtures)

from mmbnft.evaluation import features as features_module
from mmbnft.evaluation.run import RunOptions
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.zoo import resolve_checkpoint

TINY = dict(type="ResNet", depth=18, base_channels=4, stem_channels=4, out_indices=[4], norm_cfg=dict(type="BN"))
MODEL = dict(type="Classification", backbone=TINY, head=dict(type="BnftLinearHead"))
TASK = dict(type="drawn", family="shapes", train_size=64, val_size=32, test_size=45)


@pytest.fixture
def make_spec(make_recipe):
    def make(protocol="bn", recipe=None, checkpoint="random", **changes):
        return RunSpec(MODEL, TASK, protocol, recipe or make_recipe(), resolve_checkpoint(checkpoint), **changes)

    return make


@pytest.fixture
def options(tmp_path):
    return RunOptions(tmp_path / "work")


@pytest.fixture
def extracted(monkeypatch):
    """Splits whose images passed the backbone."""
    splits = []
    real = features_module.collect

    def spy(model, source, *rest):
        splits.append(source.split)
        return real(model, source, *rest)

    monkeypatch.setattr(features_module, "collect", spy)
    return splits
