import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from mmbnft.evaluation.solvers.episodes import fit_episodes
from mmbnft.fewshot.heads import build_optimizer, fit_linear, linear_scores, nearest_mean
from mmbnft.utils.errors import UserError


def problem(episodes=4, ways=3, shots=5, queries=7, width=10, seed=0):
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(ways).repeat_interleave(shots).expand(episodes, -1).contiguous()
    centres = torch.randn(episodes, ways, width, generator=random)
    support = centres[:, labels[0]] + torch.randn(episodes, ways * shots, width, generator=random)
    return support, labels, torch.randn(episodes, queries, width, generator=random)


def test_nearest_mean_by_hand():
    # Means (1, 0) and (5, 4); the squared distances of (3, 1) are 4 + 1 and 4 + 9.
    support = torch.tensor([[[0.0, 0.0], [2.0, 0.0], [5.0, 3.0], [5.0, 5.0]]])
    labels = torch.tensor([[0, 0, 1, 1]])
    scores = nearest_mean(support, labels, torch.tensor([[[3.0, 1.0], [5.0, 4.0]]]), 2)
    assert scores.tolist() == [[[-5.0, -13.0], [-32.0, 0.0]]]


def test_nearest_mean_is_scikit_learns_nearest_centroid():
    support, labels, queries = problem(queries=50)
    scores = nearest_mean(support, labels, queries, 3)
    for episode in range(4):
        oracle = NearestCentroid().fit(support[episode].numpy(), labels[episode].numpy())
        assert np.array_equal(scores[episode].argmax(dim=1).numpy(), oracle.predict(queries[episode].numpy()))


@pytest.mark.parametrize("penalty", [0.1, 1.0, 10.0])
def test_logistic_scores_are_scikit_learns(penalty):
    support, labels, queries = problem()
    scores = linear_scores(queries.double(), *fit_episodes(support.double(), labels, 3, penalty))
    for episode in range(4):
        oracle = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000)
        oracle.fit(support[episode].double().numpy(), labels[episode].numpy())
        expected = oracle.predict_proba(queries[episode].double().numpy())
        assert scores[episode].softmax(dim=1).numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
@pytest.mark.parametrize("batched", [False, True])
def test_linear_heads_train_as_each_would_alone(kind, batched):
    support, labels, _ = problem()
    support = support.double()
    optimizer = dict(type=kind, lr=0.05, weight_decay=0.01)
    if kind == "SGD":
        optimizer |= dict(momentum=0.9, dampening=0.9)
    batches = torch.stack([torch.randint(0, 15, (4, 6)) for _ in range(12)]) if batched else None
    weight, bias = fit_linear(support, labels, 3, optimizer, 12, batches)
    for episode in range(4):
        head = torch.nn.Linear(10, 3).double()
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
        updater = getattr(torch.optim, kind)(head.parameters(), **{k: v for k, v in optimizer.items() if k != "type"})
        for step in range(12):
            chosen = batches[step, episode] if batched else torch.arange(15)
            loss = torch.nn.functional.cross_entropy(head(support[episode, chosen]), labels[episode, chosen])
            updater.zero_grad()
            loss.backward()
            updater.step()
        assert torch.allclose(weight[episode], head.weight, rtol=0, atol=1e-12)
        assert torch.allclose(bias[episode], head.bias, rtol=0, atol=1e-12)


@pytest.mark.parametrize("width", [10, 512, 2048])
def test_a_score_does_not_depend_on_other_queries_to_the_last_bit(width):
    support, labels, queries = problem(width=width, queries=75)
    weight, bias = torch.randn(4, 3, width), torch.randn(4, 3)
    methods = [lambda q: nearest_mean(support, labels, q, 3), lambda q: linear_scores(q, weight, bias)]
    for method in methods:
        everything = method(queries)
        for kept in ([0], [74], [3, 70, 11], list(range(74, -1, -2))):
            assert torch.equal(method(queries[:, kept]), everything[:, kept])


def test_an_impossible_optimiser_is_one_sentence():
    values = [torch.zeros(1, requires_grad=True)]
    unknown, unfit = "must be one of Adam, AdamW, SGD, .*", "the optimiser .* cannot be built: .*; see torch.optim"
    cases = [(dict(type="Nothing", lr=1.0), unknown), (dict(lr=1.0), unknown), (dict(type="SGD", lr=1, mass=2), unfit)]
    for optimizer, words in cases:
        with pytest.raises(UserError, match=words):
            build_optimizer(values, optimizer)
