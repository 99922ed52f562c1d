from types import SimpleNamespace

import pytest
import torch
from mmcv.runner import HOOKS
from mmselfsup.models import build_algorithm
from pretraining_samples import small

from mmbnft import compat
from mmbnft.pretraining.recipes import filled


def differing(algorithm):
    query, key = algorithm.encoder_q.state_dict(), algorithm.encoder_k.state_dict()
    assert list(query) == list(key)
    return [name for name in query if not torch.equal(query[name], key[name])]


@pytest.mark.parametrize("name", ["moco-v1", "moco-v2"])
def test_the_key_network_starts_as_the_query_network(name, pictures):
    config = filled(small(name), pictures.images)
    (hook,) = (HOOKS.build(hook) for hook in config.custom_hooks)
    with compat.pretraining_without_cuda():
        algorithm = build_algorithm(config.model)
        algorithm.init_weights()
    before = {key: value.clone() for key, value in algorithm.backbone.state_dict().items()}
    assert differing(algorithm)  # the host draws them apart: without this the hook would have nothing to do
    hook.before_run(SimpleNamespace(model=SimpleNamespace(module=algorithm)))
    assert not differing(algorithm)
    assert all(torch.equal(value, before[key]) for key, value in algorithm.backbone.state_dict().items())
    assert not any(parameter.requires_grad for parameter in algorithm.encoder_k.parameters())
    next(algorithm.encoder_q.parameters()).data.add_(1)
    assert differing(algorithm)  # a copy, not the same tensors
