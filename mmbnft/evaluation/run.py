"""Executes one run: choose on val, refit, read test once."""

import dataclasses
import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mmbnft.evaluation.arms.probed import probe
from mmbnft.evaluation.arms.scored import score
from mmbnft.evaluation.features import EVAL_BATCH, FeatureStore, backbone_is_frozen, features_suffice
from mmbnft.evaluation.network import Network, build_network
from mmbnft.evaluation.record import Stopwatch, measure_cost, record
from mmbnft.evaluation.session import Session
from mmbnft.evaluation.spec import RunSpec
from mmbnft.evaluation.training.epochs import Position
from mmbnft.evaluation.training.loaders import loading_workers
from mmbnft.evaluation.training.trainer import Trainer
from mmbnft.host import Hook
from mmbnft.recipes.recipe import Recipe
from mmbnft.results import Result
from mmbnft.tasks import ImageCache, SplitLedger, Task, TaskDataset, build_task, evaluate
from mmbnft.utils.disk_cache import DiskCache
from mmbnft.utils.errors import DivergedError
from mmbnft.utils.processes import Processes
from mmbnft.zoo import DEFAULT_ROOT

CACHE_LIMIT = 20 * 2**30


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
        save_memory: Whether to keep fewer activations where convolutions are frozen, for a little time.
        accumulation: Parts in which a training batch is computed, where memory does not hold it. Steps stay those of
            the whole batch, but batch statistics are those of the parts; the result says so.
        cache: Folder for decoded images (`images/`) and features of frozen backbones (`features/`), which other runs
            may share; None makes them each time.
        cache_limit: Bytes that each folder in `cache` may take.
        val_interval: Epochs between two evaluations on val while a trial, or with fit_on='train' the reported model,
            is trained; 0 for none. They are kept in the curve and change nothing.
        workers: Data-loading processes; None for as many as the data are worth, see `loading_workers`.
    """

    work_dir: Path
    device: torch.device = dataclasses.field(default_factory=lambda: torch.device("cpu"))
    resume: bool = False
    save_state: bool = True
    hooks: tuple[Hook, ...] = ()
    weights_root: Path = DEFAULT_ROOT
    save_memory: bool = False
    accumulation: int = 1
    cache: Path | None = None
    cache_limit: int = CACHE_LIMIT
    workers: int | None = 0
    val_interval: int = 0

    @property
    def images(self) -> ImageCache | None:
        """The cache of decoded images."""
        return ImageCache(self.cache / "images", self.cache_limit) if self.cache is not None else None

    @property
    def features(self) -> DiskCache | None:
        """The cache of features."""
        return DiskCache(self.cache / "features", self.cache_limit) if self.cache is not None else None


def execute(spec: RunSpec, options: RunOptions, task: Task | None = None) -> Result:
    """Execute one run.

    A training-free score takes one pass over the training images. Otherwise, with a search, every trial trains on train
    and is read on val; the best is trained once more on what the recipe's `fit_on` says. Then, and only then, test is
    read, once, after the last epoch: a ledger hands out the splits in this order and in no other.

    Args:
        spec: What to run.
        options: How.
        task: The spec's task, if the caller has it built already.

    Returns:
        The result; equal specs give equal values on one machine.

    Raises:
        UserError: Something in the spec, the data or the weights is wrong, test shares images with train or val, or
            every trial diverged.
    """
    watch = Stopwatch(options.device)
    task = task or build_task(spec.task, spec.split)
    key = spec.key(task, options.weights_root)
    if options.workers is None:
        options = dataclasses.replace(options, workers=loading_workers(task.images("train")))
    ledger, cache = SplitLedger(task), options.images
    adapted = dataclasses.replace(spec, protocol="linear") if spec.is_score else spec
    network = build_network(adapted, ledger, options.device, options.weights_root)
    network.backbone.saves_memory = options.save_memory
    store = FeatureStore(spec, network, ledger, cache, options.features, options.weights_root, options.workers or 0)
    if spec.is_score:
        return score(spec, ledger, key, store, options.device, watch)
    if spec.recipe.probe is not None and backbone_is_frozen(network):
        return _probed(spec, ledger, key, store, options.device, watch)
    keep = options.save_state and Processes.current().is_main
    session = Session.open(options.work_dir, key, options.resume, keep)
    run = _Run(spec, ledger, network, options, session, watch, store)
    trial = run.choose()
    final = run.refit(trial)
    ledger.close_choosing()
    value = evaluate(network.model, run.dataset("test"), EVAL_BATCH, options.workers or 0)
    result = run.result(key, value, trial, final)
    session.close()
    return result


def _probed(
    spec: RunSpec, ledger: SplitLedger, key: str, store: FeatureStore, device: torch.device, watch: Stopwatch
) -> Result:
    outcome = probe(spec, ledger, store)
    details = {
        "chosen_on": "val" if len(outcome.search) > 1 else None,
        "chosen": {"weight_decay": outcome.weight_decay},
        "search": outcome.search,
        "not_converged": [entry["weight_decay"] for entry in outcome.search if not entry["converged"]],
        "refit": outcome.refit,
        "trainable": [_counts(store.network, 0)],
        "curve": [],
    }
    cost = measure_cost(device, watch.seconds, outcome.images)
    return record(spec, ledger, key, store.network, outcome.value, ledger.metric, cost, details)


def _counts(network: Network, phase: int) -> dict[str, float]:
    network.backbone.enter_phase(phase)
    counts = network.backbone.applied.counts()
    return {"values": counts.trainable_values, "of": counts.total_values, "percent": counts.percent}


class _Run:
    """The parts of one run, tied together."""

    def __init__(
        self,
        spec: RunSpec,
        ledger: SplitLedger,
        network: Network,
        options: RunOptions,
        session: Session,
        watch: Stopwatch,
        store: FeatureStore,
    ) -> None:
        self.spec, self.ledger, self.network, self.options = spec, ledger, network, options
        self.session, self.watch, self.store = session, watch, store
        self._datasets: dict[tuple[str, bool], TaskDataset] = {}
        training = store.image_dataset("train", training=True)
        network.backbone.takes_features = features_suffice(network, training)

    def dataset(self, split: str, training: bool = False) -> TaskDataset:
        """A split, transformed for training or evaluation; built once."""
        if (split, training) not in self._datasets:
            make = self.store.dataset if self.network.backbone.takes_features else self.store.image_dataset
            self._datasets[split, training] = make(split, training)
        return self._datasets[split, training]

    def choose(self) -> dict[str, float]:
        """The trial that is best on val, the first of equals; the only one where there is no search.

        Raises:
            DivergedError: Every trial diverged.
        """
        trials = self.spec.recipe.trials()
        if len(trials) == 1:
            return trials[0]
        ladder, search = self.spec.recipe.rounds(), self.session.search
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
            self.options.workers or 0,
            self.options.val_interval,
        )
        # A model that trains on val must not be watched on it.
        score = self._val if split == "train" else None
        return trainer.train(self.dataset(split, training=True), trial, self.session.position(label), score)

    def _val(self) -> float:
        return evaluate(self.network.model, self.dataset("val"), EVAL_BATCH, self.options.workers or 0)

    def result(self, key: str, value: float, trial: dict[str, float], final: Position) -> Result:
        """The record of the run."""
        images = final.images + sum(entry.get("images", 0) for entry in self.session.search)
        cost = measure_cost(self.options.device, self.session.seconds_before + self.watch.seconds, images)
        details = {
            "chosen_on": "val" if self.session.search else None,
            "chosen": trial,
            "search": self.session.search,
            "search_budget": self._budget(),
            "trainable": [_counts(self.network, phase) for phase in range(len(self.network.backbone.protocol.phases))],
            "curve": final.curve,
            "accumulation": self.options.accumulation,
        }
        if self.store.images is not None:
            cost["image_cache_bytes"] = self.store.images.disk.size_bytes
        return record(self.spec, self.ledger, key, self.network, value, self.ledger.metric, cost, details)

    def _budget(self) -> dict[str, Any] | None:
        """What the search was allowed, what the whole grid would have cost, both in epochs or steps a phase."""
        recipe, search = self.spec.recipe, self.session.search
        if not search:
            return None
        return {
            "unit": "epochs" if recipe.epochs else "steps",
            "allowed": recipe.rounds().budget,
            "whole_grid": len(recipe.trials()) * recipe.length,
            "images": sum(entry.get("images", 0) for entry in search),
        }
