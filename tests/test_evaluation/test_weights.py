import numpy as np
import pytest
import torch
from kept_runs import BACKBONE, NORMALISATION, TASK
from mmcv.runner import load_checkpoint

from mmbnft.artifacts import weights_path
from mmbnft.evaluation.inference import export
from mmbnft.evaluation.loaded_network import image_dataset
from mmbnft.evaluation.run import RunOptions, execute
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.evaluation.weights import restore, spec_of
from mmbnft.host import build_algorithm
from mmbnft.results import read_result, write_result
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
def test_changes_alone_are_no_checkpoint(kept_run, protocol):
    result = kept_run(protocol)
    path = weights_path(result.folder, result.key)
    sentence = rf"{path.name} completes tiny with what a run of {protocol} changed, .* with: mmbnft export"
    with pytest.raises(UserError, match=sentence):
        resolve_checkpoint(str(path))


def test_a_network_with_the_padding_of_another_framework_keeps_it(make_recipe, tmp_path):
    backbone = dict(BACKBONE, type="mmcls.ResNet_CIFAR", out_indices=[3])
    head = dict(type="ClsHead", with_avg_pool=True, in_channels=32, num_classes=8)
    state = build_algorithm(dict(type="Classification", backbone=backbone, head=head)).backbone.state_dict()
    meta = dict(normalisation=NORMALISATION, certificate=dict(stem_padding=2))
    torch.save({"state_dict": state, "meta": meta}, tmp_path / "wide.pth")
    model = dict(type="Classification", backbone=backbone, head=dict(type="BnftLinearHead"))
    spec = RunSpec(model, TASK, "finetune", make_recipe(), resolve_checkpoint(str(tmp_path / "wide.pth")))
    result = execute(spec, RunOptions(tmp_path / "work", keep_weights=True))
    result = read_result(write_result(tmp_path / "results", result))
    assert result.details["certificate"]["stem_padding"] == 2
    restored = restore(result)
    hold(restored.model, result)
    with pytest.raises(UserError, match="whole.pth cannot hold; export it as .pt or .onnx"):
        export(restored, tmp_path / "whole.pth")
    with pytest.raises(UserError, match="completes wide with what a run of finetune changed"):
        resolve_checkpoint(str(weights_path(result.folder, result.key)))


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
