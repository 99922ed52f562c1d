from pathlib import Path

import pytest
from mmcv import Config

from mmbnft.tasks import METRICS, task_types
from mmbnft.tasks.preparers import PREPARERS

FOLDER = Path(__file__).parents[3] / "configs" / "_base_" / "tasks"
CONFIGS = {path.stem: Config.fromfile(path) for path in sorted(FOLDER.glob("*.py"))}
# Other files of that folder configure tasks that need no preparation.
PREPARED = {name: config for name, config in CONFIGS.items() if config.task.type == "list_task"}


def test_every_preparer_has_its_config():
    assert PREPARED.keys() == PREPARERS.keys()


@pytest.mark.parametrize("name", PREPARED)
def test_config_names_the_folder_of_its_preparer_and_repeats_no_fact(name):
    config, facts = PREPARED[name], PREPARERS[name].facts
    assert set(config) == {"task"}  # the engine refuses other settings
    assert config.task == {"type": "list_task", "root": f"data/{facts.name}"}
    assert config.task.type in task_types()
    assert facts.metric in METRICS
    assert (facts.metric == "map11") == facts.multi_label


@pytest.mark.parametrize("name", PREPARERS)
def test_the_documentation_agrees_with_the_facts(name):
    """Rows of docs/tasks.md: name, title, classes, metric, splits, archives."""
    lines = (FOLDER.parents[2] / "docs" / "tasks.md").read_text().splitlines()
    [row] = [line.split("|") for line in lines if line.startswith(f"| `{name}` |")]
    facts = PREPARERS[name].facts
    assert (row[3].strip(), row[4].strip()) == (str(facts.classes), facts.metric)
    first = next(iter(facts.counts.values()))
    assert None in first or " / ".join(f"{count:,}" for count in first) in row[5]
