# SPDX-License-Identifier: MIT
"""The page in a real browser on the real service: films in, findings, heat maps, keys alone.

Tests that look leave a picture of the page in their temporary folder.
"""

import base64
import csv
import dataclasses
import io
import json
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import httpx
import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset

from trainer.evaluation import recalibration

pytestmark = pytest.mark.slow

DESKTOP, PHONE = (1440, 900), (360, 740)
LOOKS = {"desktop": (DESKTOP, "light"), "phone": (PHONE, "dark")}
NAME = "Quincewater_Zebulon"
POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:"
# Film as [height, width, 4]; wait_for_function would need an evaluation that the policy forbids.
PIXELS = """canvas => Array.from(
  canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data)"""
DROP = """files => {
  const transfer = new DataTransfer();
  for (const [name, content] of files) {
    const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
    transfer.items.add(new File([bytes], name));
  }
  return transfer;
}"""

Open = Callable[..., Any]


def film(seed: int = 3) -> np.ndarray:
    """A smooth picture higher than wide, uint8 [90, 60]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 4)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (60, 90), interpolation=cv2.INTER_CUBIC))


def png(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def dicom(pixels: np.ndarray, **changes: Any) -> bytes:
    """The file of a frontal chest film with a patient's name."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = pydicom.uid.ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    values = {
        "SOPClassUID": meta.MediaStorageSOPClassUID,
        "SOPInstanceUID": meta.MediaStorageSOPInstanceUID,
        "Modality": "CR",
        "PatientName": NAME,
        "BodyPartExamined": "CHEST",
        "ViewPosition": "PA",
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        **changes,
    }
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OB"
    file = io.BytesIO()
    pydicom.dcmwrite(file, dataset, enforce_file_format=True)
    return file.getvalue()


class Calibrated:
    """The real model with a calibration that changes something; its own may change nothing."""

    def __init__(self, model: Any) -> None:
        line = {"method": "platt", "slope": 0.7, "intercept": -0.9}
        self._model, self.heat_maps = model, model.heat_maps
        self.facts = dataclasses.replace(
            model.facts, calibration=dict.fromkeys(model.facts.findings, line)
        )

    def answer(self, squares: np.ndarray) -> Any:
        given = self._model.answer(squares)
        line = next(iter(self.facts.calibration.values()))
        changed = recalibration.apply(line, given.raw).astype(np.float32)
        return dataclasses.replace(given, probabilities=changed)


@pytest.fixture(scope="module")
def client(served_model: Any, serving: Callable[[Any], Any]) -> Iterator[httpx.Client]:
    """A client of the service that serves the page."""
    from trainer.inference.service import app

    with serving(app.create(Calibrated(served_model))) as found:
        yield found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium. Of this module alone: while it is open, nothing else can use asyncio."""
    from cxr14_chromium import opened

    with opened() as chromium:
        yield chromium


@pytest.fixture
def visit(browser: Any, client: httpx.Client) -> Iterator[Open]:
    """Opens the page in a new context; whatever goes wrong on it fails the test."""
    asked: list[Any] = []
    errors: list[str] = []
    contexts = []

    def opened(
        size: tuple[int, int] = DESKTOP, scheme: str = "light", url: str = "", **options: Any
    ) -> Any:
        viewport = {"width": size[0], "height": size[1]}
        context = browser.new_context(viewport=viewport, color_scheme=scheme, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: asked.append(request))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and errors.append(said.text))
        page.goto(url or f"{client.base_url}")
        page.locator("#status", has_text="Ready").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    strangers = [
        one.url for one in asked if not one.url.startswith(("http://127.0.0.1:", "blob:", "data:"))
    ]
    assert strangers == []
    # 429 is an answer that the page expects.
    assert [error for error in errors if "429" not in error] == []


def drop(page: Any, **files: bytes) -> None:
    """Drops files on the page, with "_dot_" for the dot, and waits until all are done."""
    given = [
        (name.replace("_dot_", "."), base64.b64encode(content).decode())
        for name, content in files.items()
    ]
    transfer = page.evaluate_handle(DROP, given)
    page.locator("body").dispatch_event("drop", {"dataTransfer": transfer})
    done(page, len(files))


def done(page: Any, count: int) -> None:
    page.locator("#list [role=option]").nth(count - 1).wait_for()
    page.locator("#progress").wait_for(state="hidden")


def pixels(page: Any, canvas: str) -> np.ndarray:
    """What a canvas shows, uint8 [n, 4]; a frame later than what has been asked for."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    return np.array(page.locator(canvas).evaluate(PIXELS), np.uint8).reshape(-1, 4)


def shown(page: Any) -> list[list[str]]:
    """The rows of findings: name and mark, number and ratio, as lines."""
    rows = page.locator("#rows tr").all()
    return [[*row.locator("th, .number").all_inner_texts()] for row in rows]


@pytest.fixture(scope="module")
def expected(client: httpx.Client, served_model: Any) -> Any:
    """Model's facts and what the service answers about `film()`."""
    answer = client.post("/api/film", content=png(film())).raise_for_status().json()
    return client.get("/api/model").json(), answer["findings"]


def test_png_and_dicom_are_dropped_and_answered_alike(visit: Open, expected: Any) -> None:
    model, findings = expected
    page = visit()
    drop(page, a_dot_png=png(film()), b_dot_dcm=dicom(film()))
    prevalence = {one["name"]: one["prevalence"] for one in model["findings"]}
    for key in ("Home", "End"):
        page.locator("#list").press(key)
        rule = page.locator("#rule").input_value()
        by_ratio = sorted(
            findings, key=lambda one: one["probability"] / prevalence[one["name"]], reverse=True
        )
        for one, (name, number) in zip(by_ratio, shown(page), strict=True):
            assert name.split("\n")[0] == one["name"]
            assert ("flagged" in name) == (one["flags"][rule] == 1)
            ratio = one["probability"] / prevalence[one["name"]]
            digits = 2 if ratio < 1 else 1
            assert number.split("\n") == [
                f"{100 * one['probability']:.1f}%",
                f"{ratio:.{digits}f}×",
            ]
        grey = pixels(page, "#film")
        assert (grey == np.dstack([film()] * 3 + [np.full_like(film(), 255)]).reshape(-1, 4)).all()
    page.locator("#sort").select_option("name")
    assert [name.split("\n")[0] for name, _ in shown(page)] == sorted(prevalence)


def test_ticks_stand_where_prevalence_and_the_rules_threshold_are(
    visit: Open, expected: Any
) -> None:
    model, _ = expected
    page = visit()
    drop(page, a_dot_png=png(film()))
    along = "tick => parseFloat(tick.style.left) / 100"
    for rule in model["rules"]:
        page.locator("#rule").select_option(rule)
        for one in model["findings"]:
            row = page.locator("#rows tr", has_text=one["name"])
            wanted = {"prevalence": one["prevalence"]}
            if one["thresholds"][rule]["probability"] is not None:
                wanted["threshold"] = one["thresholds"][rule]["probability"]
            ticks = {
                kind: row.locator(f".{kind}").evaluate(along) ** 2
                for kind in ("prevalence", "threshold")
                if row.locator(f".{kind}").count()
            }
            assert ticks == pytest.approx(wanted, abs=1e-3)


def test_a_heat_map_is_laid_over_the_film_and_taken_away(visit: Open) -> None:
    page = visit()
    drop(page, a_dot_png=png(film()))
    stage, heat = page.locator("#sheet"), page.locator("#heat")
    plain = stage.screenshot()
    button = page.get_by_role("button", name="Map of").first
    assert button.get_attribute("aria-pressed") == "false"
    button.click()
    heat.wait_for()
    assert button.get_attribute("aria-pressed") == "true"
    coloured = pixels(page, "#heat")
    assert coloured[:, 3].max() > 128 > coloured[:, 3].min()
    assert stage.screenshot() != plain
    page.locator("#opacity").fill("0")
    assert stage.screenshot() == plain
    button.click()
    heat.wait_for(state="hidden")
    assert button.get_attribute("aria-pressed") == "false"


def test_window_zoom_and_inversion(visit: Open) -> None:
    page = visit()
    drop(page, a_dot_png=png(film()))
    grey = film().reshape(-1).astype(int)
    page.locator("#invert").click()
    assert (pixels(page, "#film")[:, 0] == 255 - grey).all()
    page.locator("#reset").click()
    page.locator("#contrast").fill("25")  # twice the contrast about the middle
    twice = np.clip((grey - 127.5) * 2 + 127.5, 0, 255)
    assert np.abs(pixels(page, "#film")[:, 0] - twice).max() <= 1
    page.locator("#reset").click()
    box = page.locator("#stage").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0], middle[1] - 60, steps=3)
    page.mouse.up()
    assert (pixels(page, "#film")[:, 0].astype(int) >= grey).all()
    assert page.locator("#brightness").input_value() == "15"
    width = page.locator("#sheet").bounding_box()["width"]
    page.mouse.wheel(0, -200)
    page.locator("#readout", has_text="1.6×").wait_for()
    zoomed = page.locator("#sheet").bounding_box()
    assert zoomed["width"] == pytest.approx(width * np.exp(0.5), rel=1e-3)
    page.locator("#pan").click()
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0], middle[1] + 50)
    page.mouse.up()
    assert page.locator("#sheet").bounding_box()["y"] == pytest.approx(zoomed["y"] + 50, abs=1)


def test_keys_alone_lead_from_the_file_to_the_heat_map(visit: Open, tmp_path: pathlib.Path) -> None:
    page = visit()
    # Listened for from the start: a window that opens before would be the system's.
    page.on("filechooser", lambda chooser: None)
    files = {f"{at}.png": png(film(at)) for at in range(2)}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)

    def until(selector: str) -> None:
        """Presses Tab until what is wanted has the focus, which must be seen."""
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("one => document.activeElement.matches(one)", selector):
                return
        pytest.fail(f"{selector} cannot be reached")

    until("#files")
    outline = "getComputedStyle(document.querySelector('.drop')).outlineStyle"
    assert page.evaluate(outline) == "solid"
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([tmp_path / name for name in files])
    done(page, 2)
    until("#list")
    page.keyboard.press("ArrowDown")
    assert page.locator("#list [aria-selected=true]").inner_text().startswith("1.png")
    until("#stage")
    page.keyboard.press("+")
    page.keyboard.press("i")
    page.locator("#readout", has_text="1.3×").wait_for()
    assert (pixels(page, "#film")[:, 0] == 255 - film(1).reshape(-1)).all()
    until("#rows button")
    page.keyboard.press("Space")
    page.locator("#heat").wait_for()
    assert "Heat map of" in page.get_by_role("status").inner_text()
    page.keyboard.press("Space")
    page.locator("#heat").wait_for(state="hidden")


def test_an_unusable_file_shows_its_sentence_and_spoils_no_other(visit: Open) -> None:
    page = visit()
    limb = dicom(film(), BodyPartExamined="HAND")
    drop(page, a_dot_txt=b"not a picture", b_dot_dcm=limb, c_dot_png=png(film()))
    texts = page.locator("#list [role=option]").all_inner_texts()
    assert ["not usable" in text for text in texts] == [True, True, False]
    page.locator("#list").press("ArrowDown")
    banner = page.locator("#banners").inner_text()
    assert "BodyPartExamined (0018,0015) names HAND" in banner
    assert not page.locator("#table").is_visible() and not page.locator("#sheet").is_visible()


def test_no_name_of_file_or_patient_leaves_the_browser_or_comes_back(visit: Open) -> None:
    page = visit()
    sent: list[Any] = []
    answers: list[Any] = []
    page.on("request", lambda request: sent.append((request.url, request.headers)))
    page.on("response", lambda response: answers.append(response))
    drop(page, **{f"{NAME}_dot_dcm": dicom(film()), f"{NAME}_dot_txt": b"no picture"})
    page.get_by_role("button", name="Map of").first.click()
    page.locator("#heat").wait_for()
    assert len(answers) == 3
    assert NAME not in json.dumps(sent) + "".join(answer.text() for answer in answers)


def test_csv_holds_every_film(visit: Open, expected: Any) -> None:
    model, findings = expected
    page = visit()
    drop(page, **{"=a_dot_png": png(film()), "b_dot_txt": b"not a picture"})
    with page.expect_download() as download:
        page.get_by_role("button", name="Save CSV").click()
    with open(download.value.path(), newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["'=a.png", "b.txt"]
    assert rows[1]["reason"] and not rows[1]["raw:" + findings[0]["name"]]
    for one in findings:
        assert float(rows[0]["score:" + one["name"]]) == one["probability"]
        assert float(rows[0]["raw:" + one["name"]]) == one["raw"]
    assert {row["model"] for row in rows} == {model["identity"]}


def test_the_page_waits_while_the_service_is_busy(visit: Open) -> None:
    page = visit()
    turns: list[int] = []

    def busy(route: Any) -> None:
        turns.append(1)
        if len(turns) > 1:
            route.continue_()
        else:
            route.fulfill(status=429, headers={"retry-after": "1"}, json={"error": "busy"})

    page.route("**/api/film", busy)
    drop(page, a_dot_png=png(film()))
    assert len(turns) == 2 and page.locator("#table").is_visible()


def test_a_strange_film_and_a_model_without_calibration_are_named(
    visit: Open, served_model: Any, serving: Callable[..., Any]
) -> None:
    from trainer.inference.service import app

    class Strange:
        """The real model without its calibration, which finds every film far away."""

        facts = dataclasses.replace(served_model.facts, calibration={})

        def answer(self, squares: np.ndarray) -> Any:
            far = np.full(len(squares), 9, np.float32)
            given = served_model.answer(squares)
            return dataclasses.replace(given, probabilities=None, distance=far, unfamiliar=far > 1)

    with serving(app.create(Strange())) as other:
        page = visit(url=str(other.base_url))
        drop(page, a_dot_png=png(film()))
        assert page.locator("#banners").inner_text() == (
            "▲ This film is unlike the pictures that the model was trained on: "
            "its answers may mean nothing."
        )
        assert "unfamiliar" in page.locator("#list").inner_text()
        assert page.locator("#unit").inner_text() == "Raw score"
        assert page.get_by_text("they are not probabilities").is_visible()
        raw = np.sort(served_model.answer(canonical(served_model)).raw[0])[::-1]
        assert [number for _, number in shown(page)] == [f"{score:.3f}" for score in raw]


def canonical(model: Any) -> np.ndarray:
    from preprocessing.contract.pictures import image

    return image.canonical(png(film()), model.facts.stored_size)[np.newaxis]


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    visit: Open, look: str, tmp_path: pathlib.Path
) -> None:
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="no axe-core: install the extra dev"
    )
    page = visit(*LOOKS[look])

    def check(state: str) -> None:
        page.screenshot(path=tmp_path / f"{look}_{state}.png", full_page=True)
        found = axe.Axe().run(page).response["violations"]
        assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= LOOKS[look][0][0]

    check("empty")
    long = "a_film_whose_name_is_very_long_indeed_" * 3
    drop(page, **{f"{long}_dot_png": png(film()), "b_dot_txt": b"not a picture"})
    page.get_by_role("button", name="Map of").first.click()
    page.locator("#heat").wait_for()
    check("map")
    assert page.get_by_text("Research use, not a medical device.").is_visible()
    page.locator("#list").press("End")
    check("unusable")


def test_the_policy_forbids_what_the_page_does_not_need(client: httpx.Client) -> None:
    said = client.get("/").raise_for_status()
    assert said.headers["content-security-policy"].startswith(POLICY)
    for wrong in ("style=", "onclick", "http://127", "https://"):
        assert wrong not in said.text
