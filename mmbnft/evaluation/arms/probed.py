"""Linear probing solved instead of trained: features once, logistic regression on the whole grid, one test reading."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from mmbnft.evaluation.features import FeatureStore
from mmbnft.evaluation.solvers.logistic import NEVER, Solution, solve_grid
from mmbnft.evaluation.spec import RunSpec
from mmbnft.tasks import SplitLedger, compute_metric
from mmbnft.utils.errors import UserError


@dataclass(frozen=True)
class ProbeOutcome:
    """What probing found.

    Attributes:
        value: The task's metric on test, in percent.
        weight_decay: The chosen one.
        search: For each weight decay `weight_decay`, `val` in percent, `objective`, `converged` and `iterations`; for
            the published solver also `optimum`, the lowest value its objective has.
        refit: The same without `val` for the reported weights.
        images: Images whose features were fitted on or read, test left out.
    """

    value: float
    weight_decay: float
    search: list[dict[str, Any]]
    refit: dict[str, Any]
    images: int


def probe(spec: RunSpec, task: SplitLedger, store: FeatureStore) -> ProbeOutcome:
    """Choose the weight decay on val, refit on what the recipe's `fit_on` says, read test once.

    The highest val metric wins, the first of equals.

    Args:
        spec: The run; its recipe has a `probe`.
        task: Its task; choosing is closed here.
        store: Features of the frozen backbone.

    Raises:
        UserError: The recipe asks for a normalised head, or features are not finite.
    """
    recipe = spec.recipe
    assert recipe.probe is not None
    if recipe.norm_before_classifier:
        raise UserError(
            f"recipe {recipe.name!r} sets both probe and norm_before_classifier; drop one, a probe fits plain features"
        )
    fit = FITS[recipe.probe["solver"]](len(task.classes))
    train = _split(store, "train")
    features, labels = _split(store, "val")
    solutions = fit(*train, recipe.probe["weight_decays"])
    optima = fit.optima(*train, recipe.probe["weight_decays"])
    vals = [_metric(task, solution, features, labels) for solution in solutions]
    search = [_entry(one) | optimum | {"val": val} for one, optimum, val in zip(solutions, optima, vals, strict=True)]
    best = int(np.argmax(vals))
    final = fit(*_split(store, recipe.fit_on), [solutions[best].weight_decay])[0]
    task.close_choosing()
    value = _metric(task, final, *_split(store, "test"))
    return ProbeOutcome(value, final.weight_decay, search, _entry(final), len(train[1]) + len(labels))


def _split(store: FeatureStore, split: str) -> tuple[Tensor, np.ndarray]:
    dataset = store.dataset(split)
    return dataset.features, dataset.images.labels


def _metric(task: SplitLedger, solution: Solution, features: Tensor, labels: np.ndarray) -> float:
    return compute_metric(task.metric, solution.scores(features).numpy(), labels)


def _entry(solution: Solution) -> dict[str, Any]:
    return {name: getattr(solution, name) for name in ("weight_decay", "objective", "converged", "iterations")}


class ConvexFit:
    """Every weight decay solved to the accuracy of `solve_grid`.

    Args:
        classes: Number of classes.
    """

    def __init__(self, classes: int) -> None:
        self.classes = classes

    def __call__(self, features: Tensor, labels: np.ndarray, weight_decays: Sequence[float]) -> list[Solution]:
        """Fit at each weight decay; arguments as of `solve_grid`."""
        return solve_grid(features, torch.from_numpy(labels).long(), self.classes, weight_decays)

    def optima(self, features: Tensor, labels: np.ndarray, weight_decays: Sequence[float]) -> list[dict[str, float]]:
        """Nothing to add: solutions are optima."""
        return [{} for _ in weight_decays]


class PublishedFit(ConvexFit):
    """The linear protocol of Ericsson et al. (How Well Do Self-Supervised Models Transfer?, CVPR 2021) as published.

    scikit-learn's LogisticRegression with its defaults (L-BFGS, 100 iterations, tolerance 1e-4), warm-started from one
    weight decay to the next and on into the refit. At that tolerance many values stop where the one before them did.
    Two-class problems are fitted as softmax over two classes there, which is the binary fit at twice C.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self._models: list[LogisticRegression] = []

    def __call__(self, features: Tensor, labels: np.ndarray, weight_decays: Sequence[float]) -> list[Solution]:
        """Fit at each weight decay in turn, from where the last call ended."""
        inputs = features.double().numpy()
        if not np.isfinite(inputs).all():
            raise UserError("features must be finite, got NaN or infinity; check the checkpoint with its certificate")
        targets = [labels] if labels.ndim == 1 else list(labels.T)
        self._models = self._models or [LogisticRegression(warm_start=True) for _ in targets]
        return [self._fit(inputs, targets, decay, labels.ndim == 2) for decay in weight_decays]

    def optima(self, features: Tensor, labels: np.ndarray, weight_decays: Sequence[float]) -> list[dict[str, float]]:
        """The lowest objective at each weight decay."""
        decays = [1 / self._cost(decay, labels.ndim == 2) for decay in weight_decays]
        return [{"optimum": solution.objective} for solution in super().__call__(features, labels, decays)]

    def _cost(self, decay: float, multi_label: bool) -> float:
        return (2.0 if multi_label or self.classes == 2 else 1.0) / decay

    def _fit(self, inputs: np.ndarray, targets: list[np.ndarray], decay: float, multi_label: bool) -> Solution:
        cost = self._cost(decay, multi_label)
        parts = [
            self._fit_one(model, inputs, target, cost) for model, target in zip(self._models, targets, strict=True)
        ]
        weight, intercept = (np.concatenate(values) for values in zip(*(part[:2] for part in parts), strict=True))
        if not multi_label:
            weight, intercept = self._by_class(weight, intercept)
        objective = sum(part[2] for part in parts)
        iterations = max(part[3] for part in parts)
        return Solution(decay, torch.from_numpy(weight.T.copy()), torch.from_numpy(intercept.copy()), objective,
                        float("nan"), iterations < self._models[0].max_iter, iterations)  # fmt: skip

    def _fit_one(
        self, model: LogisticRegression, inputs: np.ndarray, target: np.ndarray, cost: float
    ) -> tuple[np.ndarray, np.ndarray, float, int]:
        if len(np.unique(target)) < 2:
            return np.zeros((1, inputs.shape[1])), np.array([NEVER if target[0] == 0 else -NEVER]), 0.0, 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.set_params(C=cost).fit(inputs, target)
        logs = model.predict_log_proba(inputs)[np.arange(len(target)), np.searchsorted(model.classes_, target)]
        objective = -cost * logs.sum() + (model.coef_**2).sum() / 2
        return model.coef_, model.intercept_, float(objective), int(model.n_iter_[0])

    def _by_class(self, weight: np.ndarray, intercept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows for all classes: two for a binary fit, and a constant one for a class without an image."""
        if len(weight) == 1:
            weight, intercept = np.concatenate([-weight, weight]) / 2, np.concatenate([-intercept, intercept]) / 2
        every, constants = np.zeros((self.classes, weight.shape[1])), np.full(self.classes, NEVER)
        every[self._models[0].classes_], constants[self._models[0].classes_] = weight, intercept
        return every, constants


FITS: dict[str, Callable[[int], ConvexFit]] = {"convex": ConvexFit, "sklearn": PublishedFit}
