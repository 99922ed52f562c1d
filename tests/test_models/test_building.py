"""Backbones by configuration: types of the host and of mmcls, networks of timm and torchvision."""

import copy

import pytest
import timm
import torch

from mmbnft.models.building import build_backbone
from mmbnft.protocols import find_norm_layers
from mmbnft.utils.errors import UserError
from mmbnft.zoo.architecture import LibraryNetwork
from mmbnft.zoo.library import build_library_network, library_layout
from mmbnft.zoo.network import layout_of

IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def features(config, images=IMAGES):
    torch.manual_seed(0)
    backbone = build_backbone(config)
    backbone.train(False)  # the host's backbones return nothing here
    with torch.no_grad():
        return backbone, backbone(images)


def test_a_type_of_mmcls_needs_no_scope_and_one_of_the_host_stays_the_host_s():
    assert type(build_backbone(dict(type="MobileNetV2"))).__module__.startswith("mmcls.")
    assert type(build_backbone(dict(type="ResNet", depth=18))).__module__.startswith("mmselfsup.")
    with pytest.raises(KeyError, match="NoSuchNet"):
        build_backbone(dict(type="NoSuchNet"))


def test_a_network_of_timm_is_timm_s_own_without_classifier():
    backbone, found = features(dict(type="TIMMBackbone", model_name="mobilenetv3_small_050"))
    torch.manual_seed(0)
    reference = timm.create_model("mobilenetv3_small_050", num_classes=10).eval()
    reference.load_state_dict(backbone.state_dict(), strict=False)
    assert set(reference.state_dict()) - set(backbone.state_dict()) == {"classifier.weight", "classifier.bias"}
    expected = reference.forward_head(reference.forward_features(IMAGES), pre_logits=True)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "vit_small_patch16_dinov3"])
def test_tokens_are_pooled_as_asked(name):
    config = dict(type="TIMMBackbone", model_name=name)
    backbone, found = features(config | dict(pooling="both"))
    reference = timm.create_model(name, num_classes=0, dynamic_img_size=True).eval()
    reference.load_state_dict(backbone.state_dict())
    tokens = reference.forward_features(IMAGES)
    patches = tokens[:, -4:]  # 32 pixels in patches of 16; before them the class token, in DINOv3 also four registers
    torch.testing.assert_close(found, torch.cat([tokens[:, 0], patches.mean(dim=1)], dim=1))
    torch.testing.assert_close(features(config | dict(pooling="class"))[1], tokens[:, 0])
    torch.testing.assert_close(features(config | dict(pooling="mean"))[1], patches.mean(dim=1))
    torch.testing.assert_close(copy.deepcopy(backbone)(IMAGES), found)


def test_tokens_of_torchvision_are_pooled_too():
    images = torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(1))
    backbone = build_backbone(dict(type="TorchvisionBackbone", model_name="vit_b_32", pooling="both")).eval()
    seen = []
    backbone.encoder.ln.register_forward_hook(lambda module, inputs, tokens: seen.append(tokens))
    with torch.no_grad():
        found = backbone(images)
    # Without a pooling, its forward pass ends by taking the first of these tokens.
    torch.testing.assert_close(found, torch.cat([seen[0][:, 0], seen[0][:, 1:].mean(dim=1)], dim=1))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (dict(type="TIMMBackbone", model_name="no_such_net"), "timm cannot build 'no_such_net'"),
        (dict(type="TIMMBackbone", model_name="hf-hub:timm/x"), "a model of the Hugging Face Hub is hf:OWNER/NAME"),
        (dict(type="TIMMBackbone", model_name="convnext_atto", pooling="class"), "convnext_atto has no tokens to pool"),
        (
            dict(type="TIMMBackbone", model_name="vit_tiny_patch16_224", pooling="max"),
            "pooling must be one of both",
        ),
        (dict(type="TorchvisionBackbone", model_name="resnet51"), "torchvision has no network 'resnet51'; it has"),
        (dict(type="TorchvisionBackbone", model_name="squeezenet1_0"), "no single linear classifier to remove"),
    ],
)
def test_what_a_library_does_not_have_is_refused(config, message):
    with pytest.raises(UserError, match=message):
        build_backbone(config)


def test_norm_layers_of_a_vision_transformer_are_layer_norms():
    backbone, _ = features(dict(type="TIMMBackbone", model_name="vit_tiny_patch16_224"))
    assert {layer.kind for layer in find_norm_layers(backbone)} == {"layer"}


def test_layouts_are_known_of_networks_that_compute_while_they_are_built():
    network = LibraryNetwork("torchvision", "regnet_y_400mf")
    assert library_layout(network) == layout_of(build_library_network(network))
