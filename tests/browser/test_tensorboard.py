# SPDX-License-Identifier: MIT
"""What a person sees of a run in TensorBoard, in a real browser.

Each test leaves a picture of its tab in its temporary folder.
"""

import json
import pathlib
import urllib.parse
import urllib.request
from typing import Any

import pytest

from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS as FINDINGS
from trainer.monitoring import first_screen

pytestmark = pytest.mark.slow

TRAINING = (
    "loss",
    "learning_rate",
    "gradient_norm",
    "loss_scale",
    "skipped_steps",
    "images_per_second",
    "steps_per_second",
    "input_wait_share",
)


def seen(page: Any, text: str) -> Any:
    """Waits until a text is on the page."""
    found = page.get_by_text(text, exact=True).first
    found.wait_for()
    return found


def only(page: Any, tags: str) -> None:
    """Shows only the tags that a regular expression finds."""
    box = page.locator("input[placeholder='Filter tags (regex)']")
    box.fill(tags)
    box.press("Escape")  # closes the list of suggestions


def test_the_first_screen_tells_whether_a_run_learns_and_starves(
    visit: Any, tensorboard: str, tmp_path: pathlib.Path
) -> None:
    page = visit.open(tensorboard, "")
    shown = ("2_validation_auc", "3_training_loss", "4_input_wait_share", "5_steps_per_second")
    for tag in shown:
        seen(page, f"at_a_glance/{tag}")
    page.locator("card-view line-chart").first.wait_for()
    page.screenshot(path=tmp_path / "first_screen.png")
    page = visit.open(tensorboard, "custom_scalars")
    for question in ("Is it learning?", "Is it starving?", "When is it done?"):
        seen(page, question)
    page.locator("tf-custom-scalar-multi-line-chart-card").first.wait_for()
    page.wait_for_timeout(1000)
    page.screenshot(path=tmp_path / "custom_scalars.png")


def test_time_series_lists_every_curve(
    visit: Any, tensorboard: str, tmp_path: pathlib.Path
) -> None:
    page = visit.open(tensorboard, "timeseries")
    seen(page, "first/tensorboard")
    seen(page, "second/tensorboard")
    page.set_viewport_size({"width": 1500, "height": 2400})  # cards out of sight stay empty
    only(page, "^train/|^memory/")
    for tag in (*(f"train/{name}" for name in TRAINING), "memory/host_mib"):
        seen(page, tag)
    page.locator("card-view line-chart").first.wait_for()
    page.wait_for_timeout(1000)  # lines are drawn by a worker, which tells nobody
    page.screenshot(path=tmp_path / "time_series.png")
    for names in (FINDINGS[:7], FINDINGS[7:]):  # a page holds 12 cards
        only(page, f"^validation(/|_auc/({'|'.join(names)}))")
        for tag in ("validation/mean_auc", *(f"validation_auc/{name}" for name in names)):
            seen(page, tag)
    page.screenshot(path=tmp_path / "time_series_validation.png")


def test_scalars_of_a_run_that_was_restarted_are_one_line(
    visit: Any, tensorboard: str, tmp_path: pathlib.Path
) -> None:
    page = visit.open(tensorboard, "scalars")
    for group in ("at_a_glance", "best", "memory", "train", "validation", "validation_auc"):
        seen(page, group)
    for open_group in ("at_a_glance", "best"):
        seen(page, open_group).click()
    seen(page, "train").click()
    seen(page, "train/loss")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=tmp_path / "scalars.png")
    query = urllib.parse.urlencode({"run": "first/tensorboard", "tag": "train/loss"})
    with urllib.request.urlopen(f"{tensorboard}data/plugin/scalars/scalars?{query}") as answer:
        steps = [step for _, step, _ in json.load(answer)]
    assert steps == list(range(10, 201, 10))


def test_pictures_are_shown_with_their_captions(
    visit: Any, tensorboard: str, tmp_path: pathlib.Path
) -> None:
    page = visit.open(tensorboard, "images")
    seen(page, "validation_examples/00000000_000.png")
    pictures = page.locator("tf-image-loader img")
    pictures.first.wait_for()
    page.wait_for_function(
        """picture => picture.complete && picture.naturalWidth > 0""",
        arg=pictures.first.element_handle(),
    )
    size = pictures.first.evaluate("p => [p.naturalWidth, p.naturalHeight, p.clientWidth]")
    assert size[0] == 320
    assert size[1] > 320 + 6 * 20
    # Shown at nearly its own size: letters can be read.
    assert 0.9 < size[2] / size[0] < 1.6
    page.screenshot(path=tmp_path / "images.png")


def test_texts_are_there_once_after_a_restart(
    visit: Any, tensorboard: str, tmp_path: pathlib.Path
) -> None:
    page = visit.open(tensorboard, "text")
    config = page.locator("tf-text-loader").filter(has_text="shuffle_buffer: 4096").first
    config.wait_for()
    config.locator("pre code").first.wait_for()
    assert config.locator("pre code").count() == 1
    assert "learning_rate: 0.0001" in config.locator("pre code").inner_text()
    card = page.locator("tf-text-loader").filter(has_text="Identity (SHA-256").first
    # The card stands there before its text has been turned into tables.
    card.locator("table").nth(2).wait_for()
    assert card.locator("table").count() == 3
    rows = card.locator("table").nth(2).locator("tbody tr")
    assert [row.split("\t")[0] for row in rows.all_inner_texts()] == list(FINDINGS)
    start = page.locator("tf-text-loader").get_by_text("went on after step 100 on ")
    start.first.wait_for()
    assert start.count() == 1
    page.screenshot(path=tmp_path / "text.png")
    card.scroll_into_view_if_needed()
    page.screenshot(path=tmp_path / "text_data_set.png")


def test_every_finding_has_a_curve_of_precision_and_recall(
    visit: Any, tensorboard: str, tmp_path: pathlib.Path
) -> None:
    page = visit.open(tensorboard, "pr_curves")
    names = sorted(FINDINGS)
    for name in names[:4]:
        seen(page, f"validation_pr/{name}")
    page.locator("tf-pr-curve-card path.line").first.wait_for(state="attached")
    page.screenshot(path=tmp_path / "pr_curves.png")
    page.get_by_text("Next page").first.click()
    page.get_by_text(f"validation_pr/{names[-1]}", exact=True).first.wait_for(state="attached")


def test_hparams_shows_first_what_differs_between_runs_and_their_result(
    visit: Any, tensorboard: str, tmp_path: pathlib.Path
) -> None:
    page = visit.open(tensorboard, "hparams")
    seen(page, "0.00030000")
    page.screenshot(path=tmp_path / "hparams.png")
    for text in ("optimizer.learning_rate", "0.00010000", first_screen.BEST, "0.80000", "0.70000"):
        seen(page, text)
