import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from mmbnft.commands import export as export_command
from mmbnft.commands import predict as predict_command
from mmbnft.evaluation.inference import export
from mmbnft.evaluation.loaded_network import image_dataset
from mmbnft.evaluation.weights import restore
from mmbnft.tasks import build_task, predict
from mmbnft.utils.errors import UserError


@pytest.fixture
def result(kept_run):
    return kept_run("bn")


@pytest.fixture
def path(result):
    return result.folder / result.file_name


def test_pictures_of_the_test_set_get_the_probabilities_of_its_stored_scores(result, path, tmp_path, capsys):
    spec = restore(result).spec
    images = build_task(spec.task).images("test")
    for number in range(5):
        Image.fromarray(images.pixels(number)).save(tmp_path / f"{number}.png")
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(tmp_path / "odd.png")  # of another size
    pictures = [*(str(tmp_path / f"{number}.png") for number in range(5)), str(tmp_path / "odd.png")]
    assert predict_command.main([str(path), *pictures, "--out", str(tmp_path / "out.csv"), "--device", "cpu"]) == 0
    table = pd.read_csv(tmp_path / "out.csv")
    classes = list(build_task(spec.task).classes)
    assert list(table.columns) == ["image", "predicted", *classes]
    assert np.allclose(table[classes].sum(axis=1), 1, atol=1e-4)
    exact = np.exp(result.predictions.logits[:5])
    assert np.allclose(table[classes].iloc[:5], exact / exact.sum(1)[:, None], atol=2e-3)
    assert table["predicted"].tolist() == [classes[i] for i in table[classes].to_numpy().argmax(1)]
    with pytest.raises(UserError, match="there is no image or folder"):
        predict_command.main([str(path), str(tmp_path / "none")])


def test_exported_files_give_the_scores_and_say_their_inputs(result, path, tmp_path, capsys):
    network = restore(result)
    task = build_task(network.spec.task)
    dataset = image_dataset(task, "test", network.spec.recipe, network.certificate)
    expected = predict(network.model, dataset, 45)
    images = torch.stack([dataset[number]["img"] for number in range(45)])
    assert export_command.main([str(path), str(tmp_path / "net.pt")]) == 0
    assert "Normalize(mean=[0.5, 0.4, 0.5], std=[0.25, 0.3, 0.25])" in capsys.readouterr().out
    extra = {"meta.json": ""}
    script = torch.jit.load(tmp_path / "net.pt", _extra_files=extra)
    assert np.allclose(script(images).detach().numpy(), expected, atol=1e-5)
    meta = json.loads(extra["meta.json"])
    assert meta["normalisation"] == dict(mean=[0.5, 0.4, 0.5], std=[0.25, 0.3, 0.25])
    export(network, tmp_path / "net.pth")
    content = torch.load(tmp_path / "net.pth", weights_only=True)
    assert content["state_dict"].keys() == network.model.state_dict().keys()
    assert content["meta"]["classes"] == list(task.classes)


def test_the_state_dict_of_an_export_is_a_checkpoint_of_the_zoo(result, tmp_path):
    from mmbnft.zoo import resolve_checkpoint

    export(restore(result), tmp_path / "net.pth")
    again = resolve_checkpoint(str(tmp_path / "net.pth"))
    assert (again.normalisation_known_from, again.architecture.depth) == ("file", 18)


def test_an_ending_that_means_nothing_or_needs_a_package_is_refused(result, tmp_path, monkeypatch):
    network = restore(result)
    with pytest.raises(UserError, match=r"must end in \.onnx, \.pt, \.pth"):
        export(network, tmp_path / "net.bin")
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(UserError, match="pip install onnx"):
        export(network, tmp_path / "net.onnx")
    assert not (tmp_path / "net.onnx").exists()
