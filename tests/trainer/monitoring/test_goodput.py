# SPDX-License-Identifier: MIT
"""Tests of where the time of a run went, by hand."""

import dataclasses

import pytest

from trainer.config import Config
from trainer.monitoring import goodput
from trainer.monitoring.goodput import Start

# Killed at step 30 of epochs of ten steps; the newest checkpoint was of step 20.
KILLED = Start(
    began=1000,
    seconds={
        **{"imports": 4, "other": 7, "cluster": 1, "check": 2, "build": 3, "trace": 10},
        **{"steps": 60, "input": 15, "peers": 5, "validation": 30, "checkpoint": 3},
    },
    setting_up=6,
    first=0,
    last=30,
    per_epoch=10,
    batch=8,
    replicas=2,
    machines=1,
)
# Began half a minute later, and went on from step 20 to 40.
WHOLE = Start(
    began=1170,
    seconds={"imports": 4, "restore": 2, "trace": 9, "steps": 40, "validation": 30, "report": 15},
    first=20,
    last=40,
    per_epoch=10,
    batch=8,
    replicas=2,
    machines=1,
    exit_code=0,
)


def test_every_second_of_one_start_is_in_one_bucket():
    found = goodput.buckets([KILLED])
    assert found == {
        **dict.fromkeys(("lost_work", "down_time", *goodput.AFTER), 0),
        **{"steps": 60, "validation": 30, "start_up": 4 + 6 + 1 + 2 + 3 + 10, "peers": 5},
        **{"input": 15, "checkpoint": 3, "other": 1},
    }
    assert sum(found.values()) == KILLED.life == 140


def test_work_done_again_and_the_time_between_starts_are_lost():
    found = goodput.buckets([WHOLE, KILLED])
    # A third of the steps, and of the validations after steps 10, 20 and 30 the last two.
    assert found["lost_work"] == pytest.approx((60 + 15) / 3 + 30 * 2 / 3)
    assert found["steps"] == pytest.approx(40 + 40)
    assert found["input"] == pytest.approx(10)
    assert found["validation"] == pytest.approx(10 + 30)
    assert found["down_time"] == 30
    assert found["report"] == 15
    assert sum(found.values()) == pytest.approx(1170 + 100 - 1000)


def test_steps_are_lost_to_any_later_start_and_only_once():
    far = dataclasses.replace(KILLED, first=0, last=30)
    near = dataclasses.replace(KILLED, began=2000, first=20, last=24)
    back = dataclasses.replace(KILLED, began=3000, first=10, last=40, exit_code=0)
    found = goodput.buckets([far, near, back])
    assert found["steps"] == pytest.approx(60 * (10 / 30 + 0 + 1))


def test_a_start_without_training_loses_nothing_and_takes_nothing_again():
    evaluated = Start(began=1140, seconds={"imports": 5, "evaluation": 20, "other": 1}, exit_code=0)
    found = goodput.buckets([KILLED, dataclasses.replace(evaluated, setting_up=1)])
    assert (found["lost_work"], found["down_time"], found["other"]) == (0, 0, 1)


def test_nothing_is_down_after_a_start_that_ended_well():
    further = dataclasses.replace(WHOLE, began=9_000_000, first=40, last=60)
    found = goodput.buckets([WHOLE, further])
    assert found["down_time"] == 0
    # Whoever goes on from the end of an epoch validates there once more.
    assert found["lost_work"] == pytest.approx(10)


def test_a_start_that_waits_for_its_predecessor_is_not_counted_beside_it():
    early = dataclasses.replace(WHOLE, began=KILLED.began + 70)
    found = goodput.buckets([KILLED, early])
    assert sum(found.values()) == pytest.approx(70 + WHOLE.life)
    assert found["down_time"] == 0
    assert found["checkpoint"] == pytest.approx(3 / 2)


def test_a_phase_without_a_bucket_is_other():
    strange = dataclasses.replace(WHOLE, seconds={"steps": 3, "dreaming": 2}, setting_up=0)
    assert goodput.buckets([strange])["other"] == 2


def test_goodput_is_of_the_time_of_training():
    made = goodput.summary([KILLED, WHOLE])
    assert made["of_seconds"] == 270 - 15
    assert made["percent"] == pytest.approx(100 * (80 + 40) / 255, abs=0.05)
    assert made["starts"] == 2
    assert made["images_seen"] == (30 + 20) * 8
    assert made["accelerator_hours"] == pytest.approx(2 * 240 / 3600, abs=5e-4)
    assert (made["cost"], made["currency"]) == (None, "")


def test_cost_is_of_the_hours_up_and_only_where_each_start_has_a_price():
    paid = [
        dataclasses.replace(start, price=price, currency="EUR")
        for start, price in ((KILLED, 36.0), (WHOLE, 72.0))
    ]
    made = goodput.summary(paid)
    assert (made["cost"], made["currency"]) == (1.4 + 2.0, "EUR")
    twice = [dataclasses.replace(paid[0], machines=0), dataclasses.replace(paid[1], machines=2)]
    assert goodput.summary(twice)["cost"] == 2 * (1.4 + 2.0)
    assert goodput.summary([paid[0], WHOLE])["cost"] is None
    assert goodput.summary([paid[0], dataclasses.replace(paid[1], currency="USD")])["cost"] is None


def test_a_start_that_died_before_it_knew_has_the_replicas_of_the_others():
    died = Start(began=0, seconds={"imports": 3600})
    made = goodput.summary([died, WHOLE])
    assert made["accelerator_hours"] == pytest.approx(2 * (3600 + 100) / 3600, abs=5e-4)


def test_a_start_that_finds_the_training_over_costs_the_training_nothing():
    killed = dataclasses.replace(WHOLE, exit_code=None)  # in its report
    last = Start(began=1300, seconds={"imports": 4, "other": 1, "report": 9}, exit_code=0)
    found = goodput.buckets([killed, last])
    assert found["starting_stages"] == 4 + 1 + (1300 - 1170 - 100)
    assert found["report"] == 15 + 9
    assert sum(found.values()) == 1300 + 14 - 1170
    assert goodput.summary([killed, last])["percent"] == goodput.summary([killed])["percent"]


def test_no_start_has_no_goodput():
    made = goodput.summary([])
    assert (made["percent"], made["of_seconds"], made["starts"]) == (0, 0, 0)


def test_the_line_names_the_largest_loss_and_what_to_do():
    config = Config()
    text = goodput.line([KILLED, WHOLE], config)
    assert text == (
        "goodput 47% of 4 min of training in 2 starts; the largest loss was lost work (18%): save "
        "more often, with train.checkpoint_every_steps below 10; 0.133 accelerator hours"
    )
    priced = dataclasses.replace(WHOLE, seconds={"steps": 1000}, price=3.6, currency="")
    assert goodput.line([priced], config).endswith("in 1 start; 0.556 accelerator hours, cost 1.00")


def test_the_advice_fits_the_settings():
    config = Config()
    assert "data.cache" in goodput.advice("input", config, 100)
    config.data.cache = "memory"
    assert "data.cache" not in goodput.advice("input", config, 100)
    config.train.checkpoint_every_steps = 7
    assert "every_steps below 7" in goodput.advice("lost_work", config, 100)
    assert "every_steps above 7" in goodput.advice("checkpoint", config, 100)
    config.train.checkpoint_every_steps = 0
    assert "every_steps below 100" in goodput.advice("lost_work", config, 100)
    assert "every_steps" not in goodput.advice("checkpoint", config, 100)
    assert all(goodput.advice(loss, config, 100) for loss in goodput.LOSSES)


def test_tensorboard_gets_percents_of_the_time_of_training():
    found = goodput.scalars(goodput.summary([KILLED, WHOLE]))
    assert found["goodput/percent"] + sum(
        found[f"goodput/{loss}"] for loss in goodput.LOSSES
    ) == pytest.approx(100, abs=0.2)
    assert found["goodput/down_time"] == pytest.approx(100 * 30 / 255, abs=0.05)


@pytest.mark.parametrize(
    "change",
    [
        {"began": None},
        {"began": -1},
        {"seconds": {"steps": "3"}},
        {"seconds": {"steps": -3}},
        {"seconds": {"steps": float("nan")}},
        {"seconds": [3]},
        {"last": "30"},
        {"price": "3", "currency": "EUR"},
        {"setting_up": -4},
    ],
)
def test_what_is_no_start_is_known(change):
    note = dataclasses.asdict(KILLED)
    assert goodput.parse(note) == KILLED
    assert goodput.parse(note | change) is None
    assert goodput.parse({}) is None
