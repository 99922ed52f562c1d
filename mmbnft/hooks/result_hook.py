"""Records the result of a run of the host's own training loop."""

import time
from typing import Any

from mmbnft import compat
from mmbnft.artifacts import Artifacts, Predictions
from mmbnft.hooks.protocol_hook import bare_model
from mmbnft.host import HOOKS, Hook, build_dataset
from mmbnft.models import find_protocol_backbone
from mmbnft.results import Coordinates, write_result
from mmbnft.tasks import Task, TaskDataset, compute_metric, predict, refuse_shared_images
from mmbnft.utils import files
from mmbnft.utils.errors import UserError
from mmbnft.utils.processes import Processes


@HOOKS.register_module()
class ResultHook(Hook):
    """Reads test once, after the last epoch, and writes one result file.

    For MMSelfSup's train.py; mmbnft's own commands write its results itself.

    Args:
        out: Folder of results.
        test: Configuration of a `TaskDataset` with the test split.
        checkpoint: What to call the checkpoint.
        recipe: What to call the recipe.
        batch_size: Images a forward pass at evaluation.

    Raises:
        UserError: `test` is not the configuration of a test split.
    """

    def __init__(
        self, out: str, test: dict[str, Any], checkpoint: str, recipe: str = "mmselfsup", batch_size: int = 64
    ) -> None:
        if not isinstance(test, dict) or test.get("type") != "TaskDataset" or test.get("split") != "test":
            raise UserError(f"test of ResultHook must be dict(type='TaskDataset', split='test', ...), got {test!r}")
        self.out, self.test, self.checkpoint, self.recipe, self.batch_size = out, test, checkpoint, recipe, batch_size

    def before_run(self, runner: Any) -> None:
        """Build the test set now, so that a mistake shows before the training, and remember the protocol."""
        self._dataset: TaskDataset = build_dataset(self.test)
        if isinstance(self._dataset.task, Task):
            refuse_shared_images(self._dataset.task)
        self._protocol = find_protocol_backbone(bare_model(runner.model)).protocol.name
        self._started = time.perf_counter()

    def after_run(self, runner: Any) -> None:
        """Evaluate and write."""
        scores, labels = predict(bare_model(runner.model), self._dataset, self.batch_size), self._dataset.images.labels
        value = compute_metric(self._dataset.task.metric, scores, labels)
        if not Processes.current().is_main:
            return
        task, meta = self._dataset.task, runner.meta or {}
        details = {"config": meta.get("config"), "versions": compat.versions(), "hashes": {"lists": task.hashes}}
        seed = int(meta.get("seed") or 0)
        coordinates = Coordinates(
            checkpoint=self.checkpoint,
            task=task.name,
            protocol=self._protocol,
            recipe=self.recipe,
            split=task.split,
            seed=seed,
            key=files.sha256_json({**details, "seed": seed, "checkpoint": self.checkpoint}),
            metric=task.metric,
        )
        cost = {"seconds": time.perf_counter() - self._started}
        result = coordinates.succeeded(
            value, cost, {**details, "leakage": task.leakage}, Artifacts(Predictions.of(scores, labels))
        )
        path = write_result(self.out, result)
        runner.logger.info("test %s %.2f %%, written to %s", task.metric, value, path)
