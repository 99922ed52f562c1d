"""Linear probing solved instead of trained: features once, logistic regression on the whole grid of weight decays."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmbnft.evaluation.arms.base import Arm, Candidate, Prediction
from mmbnft.evaluation.features import FeatureStore
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.evaluation.solvers.logistic import NEVER, Solution, solve_grid
from mmbnft.evaluation.weights import BACKBONE, Adapted
from mmbnft.recipes.halving import TrialRun
from mmbnft.tasks import SplitLedger
from mmbnft.utils.errors import UserError


class ProbedArm(Arm):
    """Linear probing solved instead of trained: logistic regression on the features of a frozen backbone.

    Candidates are the weight decays of the recipe's `probe`. All are solved together the first time that one of them
    is asked for in the search, because a solution helps the next.

    Args:
        spec: The run; its recipe has a `probe`.
        task: Its task.
        store: Features of the frozen backbone.
    """

    def __init__(self, spec: RunSpec, task: SplitLedger, store: FeatureStore) -> None:
        super().__init__()
        assert spec.recipe.probe is not None
        self.task, self.store, self.probe = task, store, spec.recipe.probe
        self.refit_on = spec.recipe.fit_on
        self._solve = FITS[self.probe["solver"]](len(task.classes))
        self._grid: dict[float, tuple[Solution, dict[str, float]]] = {}
        self._solution: Solution | None = None
        self._search: list[dict[str, Any]] = []
        self._refit: dict[str, Any] = {}

    def candidates(self) -> list[Candidate]:
        """One for each weight decay."""
        return [{"weight_decay": value} for value in self.probe["weight_decays"]]

    def fit(self, candidate: Candidate, split: str, due: TrialRun | None = None) -> dict[str, Any]:
        """Take the solution from the whole grid in the search; solve by itself what is reported.

        Raises:
            UserError: Features are not finite.
        """
        decay = candidate["weight_decay"]
        if due is None:
            self._solution = self._solve(*self._split(split), [decay])[0]
            self._refit = _facts(self._solution)
            if not self._grid:
                self._count(split)
            return self._refit
        if not self._grid:
            self._solve_grid(split)
        self._solution, optimum = self._grid[decay]
        self._search.append(_facts(self._solution))
        return self._search[-1] | optimum

    def predict(self, split: str) -> Prediction:
        """The task's metric and the loss of the last solution on a split."""
        assert self._solution is not None
        features, labels = self._split(split)
        return Prediction.of_scores(self.task.metric, self._solution.scores(features).numpy(), labels)

    def adapted(self) -> Adapted:
        """The frozen backbone with the last solution as its head."""
        assert self._solution is not None
        weight, bias = self._solution.weight.T.float(), self._solution.intercept.float()
        head = {"type": "BnftLinearHead", "in_channels": weight.shape[1], "num_classes": weight.shape[0],
                "multi_label": self.task.multi_label}  # fmt: skip
        own = {"head.fc_cls.weight": weight, "head.fc_cls.bias": bias}
        backbone = {BACKBONE + name: tensor for name, tensor in self.store.backbone.state_dict().items()}
        return Adapted(head, backbone | own, frozenset(own))

    def details(self) -> dict[str, Any]:
        """The reported solution, and which weight decays did not converge."""
        solved = self._search or [self._refit]
        return {
            "not_converged": [entry["weight_decay"] for entry in solved if not entry["converged"]],
            "refit": self._refit,
            "trainable": [{"values": 0, "of": self.store.parameters, "percent": 0.0}],
            "curve": [],
        }

    def _solve_grid(self, split: str) -> None:
        decays = self.probe["weight_decays"]
        data = self._split(split)
        solutions, optima = self._solve(*data, decays), self._solve.optima(*data, decays)
        self._grid = dict(zip(decays, zip(solutions, optima, strict=True), strict=True))
        self._count(split)
        self._count("val")

    def _count(self, split: str) -> None:
        images = len(self._split(split)[1])
        self.work.add(images, images * self.store.multiply_adds)

    def _split(self, split: str) -> tuple[Tensor, np.ndarray]:
        dataset = self.store.dataset(split)
        return dataset.features, dataset.images.labels


def _facts(solution: Solution) -> dict[str, Any]:
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
        """Nothing to add: solutions are optima.

        Args:
            features: float (N, D).
            labels: int (N,) class numbers, or multi-hot (N, C).
            weight_decays: Those that were fitted.
        """
        return [{} for _ in weight_decays]


class PublishedFit(ConvexFit):
    """The linear protocol of Ericsson et al. (How Well Do Self-Supervised Models Transfer?, CVPR 2021) as published.

    scikit-learn's LogisticRegression with its defaults (L-BFGS, 100 iterations, tolerance 1e-4), warm-started from one
    weight decay to the next and on into the refit. At that tolerance many values stop where the one before them did.
    Two-class problems are fitted as softmax over two classes there, which is the binary fit at twice C.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self._models: list[Any] = []

    def __call__(self, features: Tensor, labels: np.ndarray, weight_decays: Sequence[float]) -> list[Solution]:
        """Fit at each weight decay in turn, from where the last call ended."""
        inputs = features.double().numpy()
        if not np.isfinite(inputs).all():
            raise UserError("features must be finite, got NaN or infinity; check the checkpoint with its certificate")
        targets = [labels] if labels.ndim == 1 else list(labels.T)
        from sklearn.linear_model import LogisticRegression  # takes longer to import than torch

        self._models = self._models or [LogisticRegression(warm_start=True) for _ in targets]
        return [self._fit(inputs, targets, decay, labels.ndim == 2) for decay in weight_decays]

    def optima(self, features: Tensor, labels: np.ndarray, weight_decays: Sequence[float]) -> list[dict[str, float]]:
        """The lowest objective at each weight decay.

        Args:
            features: float (N, D).
            labels: int (N,) class numbers, or multi-hot (N, C).
            weight_decays: Those that were fitted.
        """
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
        self, model: Any, inputs: np.ndarray, target: np.ndarray, cost: float
    ) -> tuple[np.ndarray, np.ndarray, float, int]:
        from sklearn.exceptions import ConvergenceWarning

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
