"""Training-free scores as an arm: one pass over the training images, one number."""

from typing import Any

from mmbnft.evaluation.arms.base import Arm, Candidate, Prediction
from mmbnft.evaluation.features import FeatureStore
from mmbnft.evaluation.proxies import SCORES
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.recipes.halving import TrialRun


class ScoredArm(Arm):
    """Scores a checkpoint on the images of a task that the recipe's `fit_on` names, transformed as for evaluation.

    Val and test are not seen beyond that. The value is on the score's own scale, larger is better; only ranks and
    correlations of it mean something.

    Args:
        spec: The run; its protocol is the name of a score.
        store: The checkpoint's features.
    """

    scale = "score"

    def __init__(self, spec: RunSpec, store: FeatureStore) -> None:
        super().__init__()
        self.spec, self.store = spec, store
        self.refit_on = self.evaluated_on = self.final_split = spec.recipe.fit_on
        self._value = float("nan")

    def candidates(self) -> list[Candidate]:
        """Nothing to choose from."""
        return [{}]

    def fit(self, candidate: Candidate, split: str, due: TrialRun | None = None) -> dict[str, Any]:
        """Compute the score of a split.

        Raises:
            UserError: The score is not defined for the task.
        """
        dataset = self.store.dataset(split)
        self.work.add(len(dataset), len(dataset) * self.store.multiply_adds)
        self._value = float(SCORES[self.spec.protocol](dataset.features.numpy(), dataset.images.labels))
        return {}

    def predict(self, split: str) -> Prediction:
        """The score of the split that was fitted."""
        return Prediction(self._value)

    def details(self) -> dict[str, Any]:
        """What trains: nothing."""
        return {"trainable": [{"values": 0, "of": self.store.parameters, "percent": 0.0}]}
