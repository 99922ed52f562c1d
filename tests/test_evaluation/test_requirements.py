import pytest

from mmbnft.evaluation.requirements import check_run
from mmbnft.tasks import build_task
from mmbnft.utils.errors import UserError


def test_a_search_over_steps_is_for_episodes_alone(make_spec, make_recipe):
    spec = make_spec("bn", make_recipe(epochs=None, steps=8, search=dict(steps=[4, 8])))
    with pytest.raises(UserError, match="searches steps, which only few-shot episodes do; search lr or weight_decay"):
        check_run(spec, build_task(spec.task, spec.split))
