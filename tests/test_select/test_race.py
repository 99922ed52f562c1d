"""Decisions of a race, and whole simulated races with known truth."""

import numpy as np
import pytest
from flat import flat_prior

from mmbnft.select.belief import Belief, Observation, lag
from mmbnft.select.past import Prior
from mmbnft.select.race import Race, Rules

NOISE = 0.3


def run(prior: Prior, truth: np.ndarray, budget: float, seed: int = 0) -> tuple[Race, list[Observation], int]:
    """A race to its end: its state, its trainings, its pick."""
    rng, race, seen, spent = np.random.default_rng(seed), Race(Rules(), set(range(len(truth)))), [], 0.0
    while True:
        belief = Belief(prior, seen)
        verdict = race.judge(belief)
        options = race.ranked(belief, NOISE, budget - spent)
        if not options or race.is_over(verdict, belief):
            return race, seen, verdict.pick
        best = options[0]
        walk = 2 * np.sqrt(0.1 * lag(np.array(best.share))) * rng.standard_normal()
        value = truth[best.checkpoint] - 4 * (1 - best.share) + walk + NOISE * rng.standard_normal()
        seen.append(Observation(best.checkpoint, best.share, value, NOISE))
        spent += best.share


def test_everyone_is_met_once_before_anyone_leaves() -> None:
    prior = Prior(np.array([3.0, -3.0, -3.0, 2.9]), np.full(4, 0.1), (0.7, 0.1))
    race = Race(Rules(), {0, 1, 2, 3})
    first = [Observation(0, 1 / 27, 70.0, NOISE)]
    race.judge(Belief(prior, first))
    assert race.racing == {0, 1, 2, 3}
    assert {(one.checkpoint, one.share) for one in race.ranked(Belief(prior, first), NOISE)} == {
        (1, 1 / 27), (2, 1 / 27), (3, 1 / 27)
    }  # fmt: skip


def test_who_has_no_chance_leaves_and_never_returns() -> None:
    prior = Prior(np.array([1.0, -1.0, -1.0, 0.9]), np.full(4, 0.1), (0.7, 0.1))
    seen = [Observation(n, 1.0, value, NOISE) for n, value in enumerate((74.0, 60.0, 61.0, 73.9))]
    race = Race(Rules(), {0, 1, 2, 3})
    race.judge(Belief(prior, seen))
    assert race.racing == {0, 3}
    assert race.left == {1: 4, 2: 4}
    assert {one.checkpoint for one in race.ranked(Belief(prior, seen), NOISE)} == {0, 3}
    assert all(one.share == 1.0 and one.seed == 1 for one in race.ranked(Belief(prior, seen), NOISE))


def test_no_training_is_longer_than_the_budget() -> None:
    belief = Belief(flat_prior(4), [Observation(n, 1 / 27, 70.0 + n, NOISE) for n in range(4)])
    race = Race(Rules(), {0, 1, 2, 3})
    assert {one.share for one in race.ranked(belief, NOISE, 0.4)} == {1 / 9, 1 / 3}
    assert race.ranked(belief, NOISE, 0.1) == []


def test_races_with_known_truth_end_near_the_best_for_a_third_of_the_cost() -> None:
    lost = []
    for seed in range(12):
        truth = 80 + 2 * np.random.default_rng(seed).standard_normal(10)
        _, seen, pick = run(flat_prior(10), truth, 3.3, seed)
        lost.append(truth.max() - truth[pick])
        assert sum(one.share for one in seen) <= 3.3
        assert {one.checkpoint for one in seen} == set(range(10))
    assert np.mean(lost) < 0.8  # the race stops at an expected 0.5; a random pick loses 3 points


def test_a_race_stops_when_it_expects_to_lose_less_than_asked() -> None:
    truth = np.array([80.0, 70.0, 71.0, 69.0, 72.0])
    race, seen, pick = run(flat_prior(5), truth, 100.0)
    assert pick == 0
    assert 1 in race.left
    assert sum(one.share for one in seen) < 3


@pytest.mark.parametrize("worth_of", [0, 3])
def test_trainings_are_ranked_by_their_worth_for_their_length(worth_of: int) -> None:
    prior = Prior(np.zeros(4), np.array([0.05, 0.05, 0.05, 0.05]), (0.7, 0.1))
    prior.variance[worth_of] = 1.0  # of the others all is known
    seen = [Observation(n, 1 / 27, 70.0, NOISE) for n in range(4)]
    ranked = Race(Rules(), {0, 1, 2, 3}).ranked(Belief(prior, seen), NOISE)
    assert ranked[0].checkpoint == worth_of
    ratios = [one.worth / one.share for one in ranked]
    assert ratios == sorted(ratios, reverse=True)
