import pytest
import torch
from mmselfsup.models.builder import build_backbone, build_head

from mmbnft.models import pooled_features
from mmbnft.utils.errors import UserError


def head(**changes):
    return build_head(dict(type="BnftLinearHead", in_channels=4, num_classes=3) | changes)


def test_scores_are_the_linear_map_of_the_pooled_features():
    maps = torch.rand(2, 4, 5, 5)
    layer = head()
    expected = maps.mean((2, 3)) @ layer.fc_cls.weight.T + layer.fc_cls.bias
    assert torch.allclose(layer((maps,))[0], expected, atol=1e-6)


def test_single_label_loss_is_cross_entropy():
    scores, labels = torch.randn(5, 3), torch.tensor([0, 1, 2, 2, 1])
    expected = -(scores.log_softmax(1)[torch.arange(5), labels]).mean()
    assert torch.allclose(head().loss([scores], labels)["loss"], expected)


def test_multi_label_loss_is_binary_cross_entropy():
    scores, labels = torch.randn(5, 3), torch.randint(0, 2, (5, 3), dtype=torch.uint8)
    p = scores.sigmoid()
    expected = -(labels * p.log() + (1 - labels.float()) * (1 - p).log()).mean()
    assert torch.allclose(head(multi_label=True).loss([scores], labels)["loss"], expected, atol=1e-6)


def test_initialisation_depends_on_the_seed_only():
    layers = []
    for _ in range(2):
        torch.manual_seed(4)
        layer = head(in_channels=400)
        torch.manual_seed(7)
        layer.init_weights()
        layers.append(layer.fc_cls.weight)
    assert torch.equal(*layers)
    assert layers[0].std().item() == pytest.approx(0.01, rel=0.1)


def test_pooling_takes_what_the_hosts_backbones_return():
    vector = torch.rand(2, 7)
    assert pooled_features(vector) is vector
    assert pooled_features((torch.rand(2, 3, 4, 4), torch.rand(2, 5, 2, 2))).shape == (2, 5)
    patches, token = torch.rand(2, 6, 3, 3), torch.rand(2, 6)
    assert pooled_features(([patches, token],)) is token
    with pytest.raises(UserError, match=r"got \(2, 3, 4\)"):
        pooled_features(torch.rand(2, 3, 4))


@pytest.mark.parametrize(
    "config",
    [
        dict(type="mmcls.RegNet", arch="regnetx_400mf"),
        dict(type="mmcls.VisionTransformer", arch="deit-t", img_size=32, patch_size=16),
        dict(type="mmcls.TIMMBackbone", model_name="resnetv2_50", pretrained=False),
    ],
)
def test_networks_of_mmcls_and_timm_give_one_vector_per_image(config):
    config = dict(type="ProtocolBackbone", protocol="bn", backbone=config)
    features = pooled_features(build_backbone(config).eval()(torch.rand(2, 3, 32, 32)))
    assert features.dim() == 2
    assert features.shape[0] == 2


def test_impossible_sizes_are_refused():
    with pytest.raises(UserError, match="num_classes=0"):
        head(num_classes=0)
