# SPDX-License-Identifier: MIT
"""report.html from disk in a real browser: sorted, on a phone, on paper, without script.

Tests that look leave a picture of the page in their temporary folder.
"""

import pathlib
import re
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
    falling = column(6)
    assert falling[-1] == "not defined"
    numbers = [float(text) for text in falling[:-1]]
    assert numbers == sorted(numbers, reverse=True)
    head.press("Enter")
    rising = column(6)
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
    page = show(*LOOKS[look], folded=True)
    for state in ("folded", "open"):
        page.screenshot(path=tmp_path / f"{look}_{state}.png", full_page=True)
        found = axe.Axe().run(page).response["violations"]
        assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []
        page.get_by_role("button", name="Open all sections").click()
        # What is folded is hidden from axe.
        page.locator("nav.contents details").evaluate("part => { part.open = true; }")
        assert page.locator("details:not([open])").count() == 0


def test_page_never_scrolls_sideways(show: Open) -> None:
    page = show(PHONE)
    for width in (320, *PHONE[:1], 768, 1024, *DESKTOP[:1]):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    # Wide tables scroll in their own boxes.
    wide = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth).length"
    assert page.locator(".scroll").evaluate_all(wide) > 3


def test_page_is_complete_without_script(show: Open) -> None:
    page = show(folded=True, java_script_enabled=False)
    page.locator("summary", has_text="ROC and precision-recall curves").click()
    assert page.locator(".duo").count() == 2
    for part in page.locator(".duo").all():
        assert part.is_visible()
    assert page.get_by_role("button").count() == 0
    assert page.locator("nav.contents a").first.is_visible()
    page.locator("nav.contents a[href='#h-provenance']").click()
    assert page.url.endswith("#h-provenance")
    # The link has unfolded the section.
    page.locator("#h-provenance summary", has_text="Predictions").click()
    assert page.get_by_text("sha256").first.is_visible()


@pytest.mark.parametrize("size", SIZES)
def test_contents_lead_to_sections_and_say_where_one_is(show: Open, size: str) -> None:
    page = show(SIZES[size][0], folded=True)
    summary = page.locator("nav.contents summary")
    if size == "phone":
        assert not page.locator("nav.contents a").first.is_visible()
        summary.click()
    widths = "links => Math.min(...links.map(link => link.clientWidth))"
    assert page.locator("nav.contents a").evaluate_all(widths) > 120
    section = page.locator("#h-calibration")
    assert not section.is_visible()
    page.locator("nav.contents a[href='#h-calibration']").click()
    assert section.is_visible()
    heading = page.locator("#t-calibration")
    page.wait_for_function(
        "() => document.querySelector('nav [aria-current]')?.hash === '#h-calibration'"
    )
    top = heading.bounding_box()["y"]
    bar = page.locator("nav.contents").bounding_box()
    # Not hidden under the bar of a phone.
    assert top >= (bar["y"] + bar["height"] if size == "phone" else 0)
    assert page.locator("nav.contents a").first.is_visible() == (size == "desktop")


def test_paper_shows_everything_and_no_controls(show: Open, tmp_path: pathlib.Path) -> None:
    page = show(scheme="dark", folded=True)
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


def test_sections_open_and_close_by_key_and_all_at_once(show: Open) -> None:
    page = show(folded=True)
    sections = page.locator("main details.part")
    count = sections.count()
    opened = page.locator("main details.part[open]")
    assert opened.count() == 1 and count > 15
    page.locator("#t-subgroups").locator("xpath=..").press("Enter")
    assert page.locator("#h-subgroups").is_visible() and opened.count() == 2
    page.get_by_role("button", name="Open all sections").click()
    assert page.locator("main details:not([open])").count() == 0
    page.get_by_role("button", name="Close all sections").click()
    assert opened.count() == 0


def test_text_in_a_folded_section_is_found(show: Open) -> None:
    # As a search in the page does, such a link looks for a text, and unfolds what it is in.
    page = show(folded=True, at="#:~:text=Sections%20that%20are%20not%20here")
    page.locator("#h-absent").wait_for(state="visible")
    assert page.locator("main details.part[open]").count() == 2


def test_screen_readers_pass_from_heading_to_heading_of_folded_sections(show: Open) -> None:
    page = show(folded=True)
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    headings = [
        (node["name"]["value"], value["value"]["value"])
        for node in tree
        if not node["ignored"] and node["role"]["value"] == "heading"
        for value in node["properties"]
        if value["name"] == "level"
    ]
    assert ("Is it good?", 2) in headings and ("Calibration", 3) in headings
    assert len([level for _, level in headings if level == 3]) == page.locator(".part").count()


def test_summary_is_one_page_and_comes_first(show: Open, tmp_path: pathlib.Path) -> None:
    page = show(folded=True)
    margin = dict.fromkeys(("top", "right", "bottom", "left"), "1cm")

    def pages(paper: str, name: str = "") -> int:
        path = tmp_path / f"{name}_{paper}.pdf" if name else None
        return len(
            re.findall(rb"/Type\s*/Page\b", page.pdf(format=paper, margin=margin, path=path))
        )

    page.evaluate("window.print = () => {}")
    for paper in ("A4", "Letter"):
        page.get_by_role("button", name="Print the summary").click()
        assert pages(paper, "summary") == 1
    # Printing has ended, and with it the wish for one page.
    everything = pages("A4", "everything")
    page.add_style_tag(content=".sheet { display: none !important; }")
    assert everything == 1 + pages("A4") > 5
