# SPDX-License-Identifier: MIT
"""report.html from disk in a real browser: sorted, on a phone, on paper, without script.

Tests that look leave a picture of the page in their temporary folder.
"""

import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from preprocessing.contract.invocation.config import CHESTXRAY14_FINDINGS as FINDINGS

pytestmark = pytest.mark.slow

DESKTOP, PHONE = (1440, 900), (390, 844)
SIZES = {"desktop": (DESKTOP, "light"), "phone": (PHONE, "light")}
LOOKS = SIZES | {"dark": (DESKTOP, "dark"), "phone_dark": (PHONE, "dark")}

Open = Callable[..., Any]


def test_table_sorts_by_number_and_by_name(show: Open) -> None:
    page = show()
    table = page.locator("table.sortable").first

    def column(number: int) -> list[str]:
        return [
            text.split("\n")[0]
            for text in table.locator(f"tbody tr > :nth-child({number})").all_inner_texts()
        ]

    assert [name.replace(" ", "_") for name in column(1)][0].startswith(FINDINGS[0])
    head = table.get_by_role("button", name="Test AUC")
    head.click()
    falling = column(5)
    assert falling[-1] == "not defined"
    numbers = [float(text) for text in falling[:-1]]
    assert numbers == sorted(numbers, reverse=True)
    head.press("Enter")
    rising = column(5)
    assert rising[-1] == "not defined" and [float(t) for t in rising[:-1]] == sorted(numbers)
    assert table.locator("th[aria-sort='ascending']").count() == 1
    table.get_by_role("button", name="Finding").press("Space")
    assert column(1) == sorted(column(1))
    table.get_by_role("button", name="Positives").click()
    positives = [int(text.replace(",", "")) for text in column(3)]
    assert positives == sorted(positives, reverse=True)


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing(show: Open, look: str, tmp_path: pathlib.Path) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe-core: install the extra dev"
    )
    page = show(*LOOKS[look])
    page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    page.screenshot(path=tmp_path / f"{look}.png", full_page=True)
    found = axe.Axe().run(page).response["violations"]
    assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []


def test_page_never_scrolls_sideways(show: Open) -> None:
    page = show(PHONE)
    page.evaluate(
        "document.querySelectorAll('main details').forEach(part => { part.open = true; })"
    )
    for width in (320, *PHONE[:1], 768, 1024, *DESKTOP[:1]):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    # Wide tables scroll in their own boxes.
    wide = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth).length"
    assert page.locator(".scroll").evaluate_all(wide) > 3


def test_page_is_complete_without_script(show: Open) -> None:
    page = show(java_script_enabled=False)
    assert page.locator(".duo").count() == 2
    for part in page.locator(".duo").all():
        assert part.is_visible()
    assert not page.get_by_role("button").first.is_visible()
    assert page.locator("nav.contents a").first.is_visible()
    page.locator("nav.contents a[href='#h-provenance']").click()
    assert page.url.endswith("#h-provenance")
    page.locator("summary", has_text="Predictions").click()
    assert page.get_by_text("sha256").first.is_visible()


@pytest.mark.parametrize("size", SIZES)
def test_contents_lead_to_sections_and_say_where_one_is(show: Open, size: str) -> None:
    page = show(SIZES[size][0])
    summary = page.locator("nav.contents summary")
    if size == "phone":
        assert not page.locator("nav.contents a").first.is_visible()
        summary.click()
    page.locator("nav.contents a[href='#h-calibration']").click()
    heading = page.locator("#h-calibration")
    page.wait_for_function(
        "() => document.querySelector('nav [aria-current]')?.hash === '#h-calibration'"
    )
    top = heading.bounding_box()["y"]
    bar = page.locator("nav.contents").bounding_box()
    # Not hidden under the bar of a phone.
    assert top >= (bar["y"] + bar["height"] if size == "phone" else 0)
    assert page.locator("nav.contents a").first.is_visible() == (size == "desktop")


def test_paper_shows_everything_and_no_controls(show: Open, tmp_path: pathlib.Path) -> None:
    page = show(scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator(".chip").first.is_visible()
    assert not page.locator("nav.contents").is_visible()
    # Paper is white, whatever the screen was.
    style = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(style) == "rgb(255, 255, 255)"
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.locator("main details:not([open])").count() == 0
    # Paper does not scroll: the widest table fits on A4 between margins of 1 cm.
    page.set_viewport_size({"width": 718, "height": 1000})
    right = "tables => Math.max(...tables.map(table => table.getBoundingClientRect().right))"
    assert page.locator("main table").evaluate_all(right) <= 718
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert page.locator("main details:not([open])").count() > 0
