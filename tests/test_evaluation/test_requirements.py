import pytest

from mmbnft.evaluation.requirements import check_run
from mmbnft.tasks import build_task
from mmbnft.utils.errors import UserError


@pytest.mark.parametrize("protocol", ["bn", "finetune", "bn_then_finetune", "bn_paper", "bn_frozen_stats"])
def test_a_batch_of_one_is_refused_before_the_run_where_it_has_to_give_statistics(make_spec, make_recipe, protocol):
    spec = make_spec(protocol, make_recipe(batch_size=1))
    task = build_task(spec.task, spec.split)
    if protocol == "bn_frozen_stats":
        check_run(spec, task)
        return
    with pytest.raises(UserError, match="a batch of 1 image has no batch statistics, which .* norm layers need, e.g. "):
        check_run(spec, task)


def test_a_search_over_steps_is_for_episodes_alone(make_spec, make_recipe):
    spec = make_spec("bn", make_recipe(epochs=None, steps=8, search=dict(steps=[4, 8])))
    with pytest.raises(UserError, match="searches steps, which only few-shot episodes do; search lr or weight_decay"):
        check_run(spec, build_task(spec.task, spec.split))
