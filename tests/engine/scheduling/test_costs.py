"""What a request and a swap take is learnt from what was measured."""

import pytest
from virtual_world import model

from spadework.engine.scheduling.costs import Costs

LLAMA = model("llama")


def test_before_anything_is_measured_the_assumptions_hold():
    costs = Costs(service=5.0, swap=8.0)
    assert (costs.service(LLAMA), costs.swap(LLAMA)) == (5.0, 8.0)


def test_a_swap_costs_a_cold_first_token_less_a_warm_one():
    costs = Costs(service=5.0, swap=8.0)
    costs.add_first_token(LLAMA, 9.0, cold=True)
    assert costs.swap(LLAMA) == 9.0
    costs.add_first_token(LLAMA, 2.0, cold=False)
    assert costs.swap(LLAMA) == 7.0
    costs.add_first_token(LLAMA, 900.0, cold=False)
    assert costs.swap(LLAMA) == 0.0


def test_what_was_measured_last_counts_most_and_one_odd_measurement_does_not_rule():
    costs = Costs(service=5.0, swap=8.0)
    for _ in range(20):
        costs.add_service(LLAMA, 2.0)
    costs.add_service(LLAMA, 12.0)
    assert costs.service(LLAMA) == pytest.approx(5.0)
    for _ in range(20):
        costs.add_service(LLAMA, 4.0)
    assert costs.service(LLAMA) == pytest.approx(4.0, abs=0.1)
    assert costs.service(model("gemma")) == 5.0
