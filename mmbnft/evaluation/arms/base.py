"""What an arm is: a way to make a result from a job."""

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmbnft.artifacts import Predictions
from mmbnft.evaluation.weights import Adapted
from mmbnft.recipes.halving import Ladder, TrialRun
from mmbnft.tasks import compute_metric

Candidate = dict[str, Any]


@dataclass
class Work:
    """Computation spent on training, which does not depend on the machine or on what else it does.

    Attributes:
        images: Images trained on, counted once for each step they take part in, or passed once for features.
        multiply_adds: Multiplications with addition that this takes, forward and backward; optimiser and norm layers
            are left out, as is evaluation.
    """

    images: int = 0
    multiply_adds: int = 0

    def __sub__(self, other: "Work") -> "Work":
        """What was added since."""
        return Work(self.images - other.images, self.multiply_adds - other.multiply_adds)

    def add(self, images: int, multiply_adds: int) -> None:
        """Count what was just done."""
        self.images += images
        self.multiply_adds += multiply_adds

    def to_dict(self) -> dict[str, int]:
        """By name."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Prediction:
    """What the fitted candidate reaches on a split.

    Attributes:
        value: Larger is better, on the arm's scale.
        loss: Mean loss, by which equal values are told apart; None where there is none.
        details: What else is worth keeping about it, in the record of the search too.
        scores: The class scores that it is the value of; None where there are none.
    """

    value: float
    loss: float | None = None
    details: dict[str, Any] = field(default_factory=dict)
    scores: Predictions | None = field(default=None, repr=False)

    @classmethod
    def of_scores(cls, metric: str, scores: np.ndarray, labels: np.ndarray) -> "Prediction":
        """The metric and the mean loss of class scores.

        Args:
            metric: Name of the task's metric.
            scores: (N, C) logits.
            labels: int (N,) class numbers, or multi-hot (N, C).

        Raises:
            DivergedError: A score is not finite.
        """
        value, compact = compute_metric(metric, scores, labels), Predictions.of(scores, labels)
        logits = scores.astype(np.float64)
        if labels.ndim == 2:
            return cls(value, float(np.mean(np.logaddexp(0.0, logits) - logits * labels)), scores=compact)
        logits -= logits.max(axis=1, keepdims=True)
        losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(labels)), labels]
        return cls(value, float(losses.mean()), scores=compact)


class Arm(ABC):
    """A way to make a result: which candidates there are, how one is fitted on a split, what it predicts on a split.

    `run_arm` does the rest in the only order there is: it fits every candidate on `train` and evaluates it on `val`,
    fits the best on `refit_on`, closes choosing, and evaluates `final_split` once. An arm chooses nothing and looks at
    no split that it was not asked about. It counts what it computes in `work`.

    A candidate that raises `DivergedError` or `AuditError` in the search loses the search, not the run.

    Attributes:
        scale: `percent` or `score`, see `Result`.
        evaluated_on: What the result's value was computed on, see `Result`.
        refit_on: Split that the reported model is fitted on.
        final_split: Split that is evaluated last, once.
        chosen_on: What the search evaluates candidates on, in words.
        tie_breaker: What tells candidates of equal value apart, the last number of `preference`.
    """

    scale = "percent"
    evaluated_on = "test"
    refit_on = "trainval"
    final_split = "test"
    chosen_on = "val"
    tie_breaker = "val_loss"

    def __init__(self) -> None:
        self.work = Work()

    @abstractmethod
    def candidates(self) -> list[Candidate]:
        """What can be chosen from, at least one; of those that val cannot tell apart the first is taken."""

    @abstractmethod
    def fit(self, candidate: Candidate, split: str, due: TrialRun | None = None) -> dict[str, Any]:
        """Fit one candidate on a split, from the beginning; what was fitted before is forgotten.

        Args:
            candidate: One of `candidates`.
            split: What to fit on.
            due: The training of the search that this is; None for the fit that is reported.

        Returns:
            Facts about the fit for the record of the search.

        Raises:
            DivergedError: The fit left the finite numbers.
        """

    @abstractmethod
    def predict(self, split: str) -> Prediction:
        """What the last fit reaches on a split.

        Raises:
            DivergedError: Its predictions are not finite.
        """

    def preference(self, entry: dict[str, Any]) -> tuple[float, ...]:
        """What candidates are ordered by, the larger the better: val, and among equals the smaller loss on it.

        Args:
            entry: What the search noted of a candidate that did not fail.
        """
        return entry["val"], 0.0 if entry["val_loss"] is None else -entry["val_loss"]

    def rounds(self) -> Ladder | None:
        """The rounds of the search with their lengths; None for one round of all candidates, which have no length."""
        return None

    def adapted(self) -> Adapted | None:
        """The network of the last fit; None where there is none, as for a score."""
        return None

    def details(self) -> dict[str, Any]:
        """What the result has to tell about this arm, beyond the choice."""
        return {}
