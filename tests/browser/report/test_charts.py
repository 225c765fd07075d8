# SPDX-License-Identifier: MIT
"""Charts of report.html answer the pointer, the keyboard and the chips, in a real browser."""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS as FINDINGS

pytestmark = pytest.mark.slow

Open = Callable[..., Any]


def chart(page: Any) -> Any:
    """The ROC chart that is shown."""
    return page.locator(".duo:visible svg.lines").first


def shown_lines(page: Any, name: str) -> int:
    """How many lines of a finding can be seen in all charts."""
    count: int = page.evaluate(
        """name => [...document.querySelectorAll('.chart')].reduce((sum, box) => {
            const lines = JSON.parse(box.querySelector('script').textContent).lines;
            return sum + [...box.querySelectorAll('.line')].filter(line =>
                lines[line.dataset.line].name === name && getComputedStyle(line).display !== 'none'
            ).length; }, 0)""",
        name,
    )
    return count


def test_pointer_reads_the_nearest_curve(show: Open, tmp_path: pathlib.Path) -> None:
    page = show()
    svg = chart(page)
    svg.scroll_into_view_if_needed()
    tip = page.locator(".duo:visible .tip").first
    assert not tip.is_visible()
    box = svg.bounding_box()
    # On the first curve: a third of the way along its points.
    x, y = svg.evaluate(
        """svg => { const data = JSON.parse(svg.parentNode.querySelector('script').textContent);
            const line = data.lines[0], at = Math.floor(line.x.length / 3), plane = data.plane;
            const scale = svg.clientWidth / svg.viewBox.baseVal.width;
            return [(plane.left + line.x[at] * plane.width) * scale,
                    (plane.top + (1 - line.y[at]) * plane.height) * scale]; }"""
    )
    page.mouse.move(box["x"] + x, box["y"] + y)
    words = tip.inner_text()
    for part in ("AUC", "Sensitivity", "specificity", "Score at least"):
        assert part in words
    assert svg.locator(".line.on").count() == 1
    # Curves cross: whichever was nearest, the chip of its name is marked.
    chip = page.locator(".explorer").first.locator(".chip.on")
    assert chip.inner_text() == tip.locator("b").inner_text()
    # The same finding stands out in the chart beside it.
    assert page.locator(".duo:visible svg.lines").nth(1).locator(".line.on").count() == 1
    page.screenshot(path=tmp_path / "reading.png")
    page.mouse.move(box["x"] + 5, box["y"] - 40)
    assert not tip.is_visible()


def test_arrow_keys_read_points_aloud(show: Open) -> None:
    page = show()
    svg = chart(page)
    svg.focus()
    spoken = page.locator("#spoken")
    page.keyboard.press("ArrowRight")
    first = spoken.inner_text()
    assert first.startswith(FINDINGS[0]) and "Sensitivity" in first
    page.keyboard.press("ArrowRight")
    assert spoken.inner_text().startswith(FINDINGS[0]) and spoken.inner_text() != first
    page.keyboard.press("ArrowDown")
    assert spoken.inner_text().startswith(FINDINGS[1])
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    # Round to the last that has a curve; Hernia has none in test.
    assert spoken.inner_text().startswith(FINDINGS[-2].replace("_", " "))
    page.keyboard.press("Escape")
    assert not page.locator(".duo:visible .tip").first.is_visible()


def test_a_chip_hides_its_finding_in_every_chart(show: Open) -> None:
    page = show()
    chips = page.locator(f".chip[data-finding='{FINDINGS[0]}']")
    before = shown_lines(page, FINDINGS[0])
    assert before >= 4 and chips.count() >= 1
    chips.first.click()
    assert shown_lines(page, FINDINGS[0]) == 0 and shown_lines(page, FINDINGS[1]) == before
    assert {chip.get_attribute("aria-pressed") for chip in chips.all()} == {"false"}
    chips.first.press("Enter")
    assert shown_lines(page, FINDINGS[0]) == before
    page.get_by_role("button", name="Hide all").first.click()
    assert sum(shown_lines(page, name) for name in FINDINGS) == 0
    page.get_by_role("button", name="Show all").first.click()
    assert shown_lines(page, FINDINGS[0]) == before


def test_split_is_chosen(show: Open) -> None:
    page = show()
    assert page.locator(".duo:visible").count() == 1
    page.get_by_label("Validation", exact=True).first.check()
    assert page.locator(".duo:visible svg.lines.validation").count() == 2
