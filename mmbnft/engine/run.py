"""Executes one run: choose on val, refit, read test once."""

import dataclasses
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from mmcv.runner import Hook

from mmbnft.engine.epochs import Position
from mmbnft.engine.features import EVAL_BATCH, FeatureDataset, features_suffice
from mmbnft.engine.network import Network, build_network, image_dataset
from mmbnft.engine.recipe import Recipe
from mmbnft.engine.record import Stopwatch, measure_cost, record
from mmbnft.engine.scoring import score
from mmbnft.engine.session import Session
from mmbnft.engine.spec import RunSpec
from mmbnft.engine.trainer import Trainer
from mmbnft.errors import DivergedError
from mmbnft.processes import Processes
from mmbnft.results import Result
from mmbnft.tasks import Task, TaskDataset, build_task, evaluate
from mmbnft.zoo import DEFAULT_ROOT


@dataclass(frozen=True)
class RunOptions:
    """What changes how a run is executed, never what comes out (but see `accumulation`).

    Attributes:
        work_dir: For the state of an unfinished run and for what hooks write.
        device: Where to compute.
        resume: Whether to continue from the state in `work_dir`.
        save_state: Whether to keep that state after each epoch; not worth it for runs of seconds.
        hooks: Further hooks (progress, tracking).
        weights_root: Folder of the catalogue's weight files.
        accumulation: Parts in which a training batch is computed, where memory does not hold it. Steps stay those of
            the whole batch, but batch statistics are those of the parts; the result says so.
    """

    work_dir: Path
    device: torch.device = dataclasses.field(default_factory=lambda: torch.device("cpu"))
    resume: bool = False
    save_state: bool = True
    hooks: tuple[Hook, ...] = ()
    weights_root: Path = DEFAULT_ROOT
    accumulation: int = 1


def execute(spec: RunSpec, options: RunOptions, task: Task | None = None) -> Result:
    """Execute one run.

    A training-free score takes one pass over the training images. Otherwise, with a search, every trial trains on train
    and is read on val; the best is trained once more on what the recipe's `fit_on` says. Then, and only then, test is
    read, once, after the last epoch.

    Args:
        spec: What to run.
        options: How.
        task: The spec's task, if the caller has it built already.

    Returns:
        The result; equal specs give equal values on one machine.

    Raises:
        UserError: Something in the spec, the data or the weights is wrong, or every trial diverged.
    """
    watch = Stopwatch(options.device)
    task = task or build_task(spec.task, spec.split)
    key = spec.key(task, options.weights_root)
    if spec.is_score:
        return score(spec, task, key, options.device, options.weights_root, watch)
    network = build_network(spec, task, options.device, options.weights_root)
    keep = options.save_state and Processes.current().is_main
    session = Session.open(options.work_dir, key, options.resume, keep)
    run = _Run(spec, task, network, options, session, watch)
    trial = run.choose()
    final = run.refit(trial)
    value = evaluate(network.model, run.dataset("test"), EVAL_BATCH, spec.recipe.workers)
    result = run.result(key, value, trial, final)
    session.close()
    return result


class _Run:
    """The parts of one run, tied together."""

    def __init__(
        self, spec: RunSpec, task: Task, network: Network, options: RunOptions, session: Session, watch: Stopwatch
    ) -> None:
        self.spec, self.task, self.network, self.options = spec, task, network, options
        self.session, self.watch = session, watch
        self._datasets: dict[tuple[str, bool], TaskDataset] = {}
        training = image_dataset(task, "train", spec.recipe, network.certificate, spec.seed)
        network.backbone.takes_features = features_suffice(network, training)

    def dataset(self, split: str, training: bool = False) -> TaskDataset:
        """A split, transformed for training or evaluation; built once."""
        if (split, training) not in self._datasets:
            recipe = self.spec.recipe
            seed = self.spec.seed if training else None
            images = image_dataset(self.task, split, recipe, self.network.certificate, seed)
            if self.network.backbone.takes_features:
                images = FeatureDataset(self.network, images, recipe.workers)
            self._datasets[split, training] = images
        return self._datasets[split, training]

    def choose(self) -> dict[str, float]:
        """The trial that is best on val, the first of equals; the only one where there is no search.

        Raises:
            DivergedError: Every trial diverged.
        """
        trials = self.spec.recipe.trials()
        if len(trials) == 1:
            return trials[0]
        ladder, search = self.spec.recipe.ladder(), self.session.search
        while (turn := ladder.next([entry["val"] for entry in search])) is not None:
            entry: dict[str, Any] = {"trial": turn.trial, **trials[turn.trial], "length": turn.length}
            recipe = self.spec.recipe.shortened(turn.length)
            try:
                position = self._train(f"search{len(search)}", "train", trials[turn.trial], recipe)
                entry |= {"val": self._val(), "images": position.images}
            except DivergedError as error:
                entry |= {"val": None, "reason": str(error)}
            self.session.finish_trial(entry)
        best = ladder.winner([entry["val"] for entry in search])
        if best is None:
            raise DivergedError(f"every trial of the search failed; the last: {search[-1].get('reason')}")
        return trials[best]

    def refit(self, trial: dict[str, float]) -> Position:
        """Train the reported weights."""
        return self._train("refit", self.spec.recipe.fit_on, trial, self.spec.recipe)

    def _train(self, label: str, split: str, trial: dict[str, float], recipe: Recipe) -> Position:
        trainer = Trainer(
            self.network,
            recipe,
            self.spec.seed,
            self.options.work_dir,
            logging.getLogger("mmbnft.run"),
            self.options.hooks,
            partial(self.session.save, label) if self.options.save_state else None,
            self.options.accumulation,
        )
        # A model that trains on val must not be watched on it.
        score = self._val if split == "train" else None
        return trainer.train(self.dataset(split, training=True), trial, self.session.position(label), score)

    def _val(self) -> float:
        return evaluate(self.network.model, self.dataset("val"), EVAL_BATCH, self.spec.recipe.workers)

    def result(self, key: str, value: float, trial: dict[str, float], final: Position) -> Result:
        """The record of the run."""
        images = final.images + sum(entry.get("images", 0) for entry in self.session.search)
        cost = measure_cost(self.options.device, self.session.seconds_before + self.watch.seconds, images)
        details = {
            "chosen_on": "val" if self.session.search else None,
            "chosen": trial,
            "search": self.session.search,
            "search_budget": self._budget(),
            "trainable": [self._counts(phase) for phase in range(len(self.network.backbone.protocol.phases))],
            "curve": final.curve,
            "accumulation": self.options.accumulation,
        }
        return record(self.spec, self.task, key, self.network, value, self.task.metric, cost, details)

    def _budget(self) -> dict[str, Any] | None:
        """What the search was allowed, what the whole grid would have cost, both in epochs or steps a phase."""
        recipe, search = self.spec.recipe, self.session.search
        if not search:
            return None
        return {
            "unit": "epochs" if recipe.epochs else "steps",
            "allowed": recipe.ladder().budget,
            "whole_grid": len(recipe.trials()) * recipe.length,
            "images": sum(entry.get("images", 0) for entry in search),
        }

    def _counts(self, phase: int) -> dict[str, float]:
        backbone = self.network.backbone
        backbone.enter_phase(phase)
        counts = backbone.applied.counts()
        return {"values": counts.trainable_values, "of": counts.total_values, "percent": counts.percent}
