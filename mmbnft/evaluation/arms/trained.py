"""Training by a protocol as an arm: every candidate is a setting of the optimiser."""

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mmbnft.evaluation.arms.base import Arm, Candidate, Prediction
from mmbnft.evaluation.cost import step_multiply_adds
from mmbnft.evaluation.features import EVAL_BATCH, FeatureStore
from mmbnft.evaluation.loaded_network import Network, image_dataset
from mmbnft.evaluation.run_spec import RunSpec
from mmbnft.evaluation.session import Session
from mmbnft.evaluation.training.trainer import Trainer
from mmbnft.evaluation.weights import BACKBONE, Adapted
from mmbnft.host import Hook
from mmbnft.recipes.halving import Ladder, TrialRun
from mmbnft.tasks import ImageCache, SplitLedger, TaskDataset, predict


@dataclass(frozen=True)
class TrainerSettings:
    """How training runs are executed; what comes out is the same but for `accumulation`.

    Attributes:
        work_dir: For what hooks write.
        hooks: Further hooks.
        accumulation: Micro-batches in which a training batch is computed.
        workers: Data-loading processes.
        val_interval: Epochs between two evaluations on val; 0 for none.
    """

    work_dir: Path
    hooks: tuple[Hook, ...] = ()
    accumulation: int = 1
    workers: int = 0
    val_interval: int = 0


class TrainedArm(Arm):
    """Trains a network through the phases of a protocol.

    Args:
        spec: The run.
        task: Its task.
        network: Its network; trained in place.
        store: Features of the network's backbone, for a network that takes them.
        session: Keeps the state of an unfinished training.
        images: Keeps decoded images.
        settings: How training runs are executed.
    """

    def __init__(
        self,
        spec: RunSpec,
        task: SplitLedger,
        network: Network,
        store: FeatureStore,
        session: Session,
        images: ImageCache | None,
        settings: TrainerSettings,
    ) -> None:
        super().__init__()
        self.spec, self.task, self.network, self.store, self.session = spec, task, network, store, session
        self.images, self.settings = images, settings
        self.refit_on = spec.recipe.fit_on
        self._datasets: dict[tuple[str, bool], TaskDataset] = {}
        self._curve: list[dict[str, Any]] = []
        self._step_multiply_adds = self._measure_steps()

    def candidates(self) -> list[Candidate]:
        """Every combination of the recipe's searched values."""
        return self.spec.recipe.trials()

    def rounds(self) -> Ladder:
        """The recipe's rounds, their lengths in epochs or steps a phase."""
        return self.spec.recipe.rounds()

    def fit(self, candidate: Candidate, split: str, due: TrialRun | None = None) -> dict[str, Any]:
        """Train from the initial state, or from where an earlier session stopped in this training.

        Raises:
            DivergedError: The loss is not finite.
            AuditError: The protocol was not kept.
        """
        recipe = self.spec.recipe if due is None else self.spec.recipe.shortened(due.length)
        label = "refit" if due is None else f"search{len(self.session.search)}"
        dataset = self._dataset(split, training=True)
        trainer = Trainer(
            self.network,
            recipe,
            self.spec.seed,
            self.settings.work_dir,
            logging.getLogger("mmbnft.run"),
            self.settings.hooks,
            partial(self.session.save, label) if self.session.keep else None,
            self.settings.accumulation,
            self.settings.workers,
            self.settings.val_interval,
            self._step_multiply_adds,
        )
        position = self.session.position(label)
        # A model that trains on val must not be watched on it.
        watch = self._val if split == "train" else None
        try:
            trainer.train(dataset, candidate, position, watch)
        finally:
            self.work.add(position.images, position.multiply_adds)
        if due is None:
            self.work.add(0, self._features_work())
        self._curve = position.curve
        return {}

    def predict(self, split: str) -> Prediction:
        """The task's metric and the mean loss of the trained network on a split."""
        dataset = self._dataset(split)
        scores = predict(self.network.model, dataset, EVAL_BATCH, self.settings.workers)
        return Prediction.of_scores(self.task.metric, scores, dataset.images.labels)

    def adapted(self) -> Adapted:
        """The trained network."""
        state, initial = self.network.model.state_dict(), self.network.initial
        # The head is no part of the checkpoint, whether or not training moved it.
        changed = (n for n in state if not n.startswith(BACKBONE) or not torch.equal(state[n], initial[n]))
        return Adapted(self.network.head, state, frozenset(changed))

    def details(self) -> dict[str, Any]:
        """What trained in each phase, the curve of the reported training, and what the search was allowed."""
        phases = range(len(self.network.backbone.protocol.phases))
        return {
            "search_budget": self._budget(),
            "trainable": [self._counts(phase) for phase in phases],
            "curve": self._curve,
            "accumulation": self.settings.accumulation,
        }

    def _val(self) -> float:
        return self.predict("val").value

    def _dataset(self, split: str, training: bool = False) -> TaskDataset:
        """A split, transformed for training or evaluation; built once."""
        if (split, training) not in self._datasets:
            if self.network.backbone.takes_features:
                dataset: TaskDataset = self.store.dataset(split, training)
            else:
                seed = self.spec.seed if training else None
                certificate = self.network.certificate
                dataset = image_dataset(self.task, split, self.spec.recipe, certificate, seed, self.images)
            self._datasets[split, training] = dataset
        return self._datasets[split, training]

    def _features_work(self) -> int:
        """Multiply-adds of the backbone's one pass over what is trained or chosen on, if that is all it does."""
        if not self.network.backbone.takes_features:
            return 0
        splits = {"train"} | ({"val"} if self.refit_on == "trainval" or self.session.search else set())
        return sum(len(self.task.images(split)) for split in splits) * self.store.multiply_adds

    def _measure_steps(self) -> tuple[int, ...]:
        """Multiply-adds of a training step for each image, by phase."""
        first = "train" if len(self.candidates()) > 1 else self.refit_on
        network, sample = self.network, self._dataset(first, training=True)[0]
        device = next(network.model.parameters()).device
        label = torch.as_tensor(sample["label"]).to(device)
        counts = []
        for phase in range(len(network.backbone.protocol.phases)):
            network.backbone.enter_phase(phase)
            network.model.train()
            counts.append(step_multiply_adds(network.model, sample["img"].to(device), label))
        network.reset()
        return tuple(counts)

    def _counts(self, phase: int) -> dict[str, float]:
        self.network.backbone.enter_phase(phase)
        counts = self.network.backbone.applied.counts()
        return {"values": counts.trainable_values, "of": counts.total_values, "percent": counts.percent}

    def _budget(self) -> dict[str, Any] | None:
        """What the search was allowed, what the whole grid would have cost, both in epochs or steps a phase."""
        recipe, search = self.spec.recipe, self.session.search
        if not search:
            return None
        return {
            "unit": "epochs" if recipe.epochs else "steps",
            "allowed": recipe.rounds().budget,
            "whole_grid": len(recipe.trials()) * recipe.length,
            "images": sum(entry["images"] for entry in search),
        }
