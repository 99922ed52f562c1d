import copy

import numpy as np
import pytest
import torch
from kept_runs import NORMALISATION
from mmcv.runner import load_checkpoint

from mmbnft.artifacts import weights_path
from mmbnft.evaluation.inference import export
from mmbnft.evaluation.loaded_network import image_dataset
from mmbnft.evaluation.weights import restore, spec_of
from mmbnft.host import build_algorithm
from mmbnft.tasks import build_task, compute_metric, predict
from mmbnft.utils.errors import UserError
from mmbnft.zoo import resolve_checkpoint
from mmbnft.zoo.certificate import certificate_of

PROBE = dict(solver="convex", weight_decays=[1.0, 100.0])


def scores_of(model, result):
    spec = spec_of(result)
    task = build_task(spec.task, spec.split)
    dataset = image_dataset(task, "test", spec.recipe, certificate_of(result.details["certificate"]))
    return predict(model, dataset, 128), dataset.images.labels


def hold(model, result):
    """The network gives the result's value, and the scores that were kept with it."""
    scores, labels = scores_of(model, result)
    assert compute_metric(result.metric, scores, labels) == result.value
    assert np.abs(scores - scores.max(1)[:, None] - result.predictions.logits).max() < 0.01 * np.ptp(scores)


@pytest.mark.parametrize(("protocol", "changes"), [("bn", {}), ("linear", {}), ("linear", dict(probe=PROBE))])
def test_changes_and_checkpoint_together_are_the_network_of_the_result(kept_run, small_checkpoint, protocol, changes):
    result = kept_run(protocol, **changes)
    hold(restore(result).model, result)
    content = torch.load(weights_path(result.folder, result.key), weights_only=True)
    assert content["meta"]["completes"] == resolve_checkpoint(str(small_checkpoint)).sha256
    own = {name for name in content["state_dict"] if name.startswith("backbone.")}
    assert not any("conv" in name for name in own)
    assert bool(own) == (protocol == "bn")


@pytest.mark.parametrize("protocol", ["bn", "linear"])
def test_changes_alone_are_no_checkpoint_and_the_export_is(kept_run, tmp_path, protocol):
    result = kept_run(protocol)
    path = weights_path(result.folder, result.key)
    sentence = rf"{path.name} holds what a run of {protocol} changed in tiny, no whole network; .*: mmbnft export"
    with pytest.raises(UserError, match=sentence):
        resolve_checkpoint(str(path))
    restored = restore(result)
    export(restored, tmp_path / "whole.pth")
    backbone = copy.deepcopy(restored.model.backbone)
    for tensor in backbone.state_dict().values():
        tensor.zero_()
    resolve_checkpoint(str(tmp_path / "whole.pth")).load(backbone)
    for name, tensor in restored.model.backbone.state_dict().items():
        assert torch.equal(tensor, backbone.state_dict()[name]), name


def test_a_finetuned_network_is_written_whole_and_read_by_the_host_and_by_the_zoo(kept_run, small_checkpoint):
    result = kept_run("finetune")
    small_checkpoint.unlink()  # nothing else is needed
    path = weights_path(result.folder, result.key)
    ours = restore(result)
    hold(ours.model, result)
    head = dict(type="ClsHead", with_avg_pool=True, in_channels=32, num_classes=8)
    plain = dict(type="Classification", backbone=spec_of(result).model["backbone"], head=head)
    host = build_algorithm(plain)
    load_checkpoint(host, str(path), strict=True)
    hold(host.eval(), result)
    again = resolve_checkpoint(str(path))
    assert (again.normalisation.to_dict(), again.normalisation_known_from) == (NORMALISATION, "file")
    backbone = build_algorithm(
        dict(type="Classification", backbone=spec_of(result).model["backbone"], head=head)
    ).backbone
    again.load(backbone)
    for name, tensor in ours.model.backbone.state_dict().items():
        assert torch.equal(tensor, backbone.state_dict()[name]), name


def test_a_result_describes_its_run(kept_run):
    result = kept_run("bn", search=dict(lr=[0.01, 0.1]))
    spec = spec_of(result)
    assert spec.key(build_task(spec.task, spec.split)) == result.key


def test_what_is_missing_or_another_is_said_in_a_sentence(kept_run, small_checkpoint, tmp_path):
    result = kept_run("linear")
    other = tmp_path / "other.pth"
    other.write_bytes(small_checkpoint.read_bytes() + b"\0")
    with pytest.raises(UserError, match="is not the checkpoint tiny that the run adapted"):
        restore(result, str(other))
    moved = small_checkpoint.rename(tmp_path / "moved.pth")
    with pytest.raises(UserError, match="the checkpoint tiny is not at .*--checkpoint FILE"):
        restore(result)
    hold(restore(result, str(moved)).model, result)
    weights_path(result.folder, result.key).unlink()
    with pytest.raises(UserError, match="no weights were kept .*--keep-weights all"):
        restore(result)
