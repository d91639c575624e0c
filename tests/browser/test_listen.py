"""Listen in a real Chromium: a file at real speed, the browser's own beeping microphone, and what can go wrong."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import LONG, Visitor, narrow, served

ONE = "hear=soundbox-deterministic"
KEEPS_TRACKS = """const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
window.streams = [];
navigator.mediaDevices.getUserMedia = async (wish) => {
  const stream = await ask(wish);
  window.streams.push([stream, wish]);
  return stream;
};"""
DENIED = "navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('no', '{}'))"
REFUSES = (
    (DENIED.format("NotAllowedError"), "allow it in"),
    ("Object.defineProperty(navigator, 'mediaDevices', {value: undefined})", "by https"),
    (DENIED.format("NotFoundError"), "connect one"),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(tmp_path_factory.mktemp("home")) as address:
        yield address


def metric(page: Page, label: str) -> Locator:
    return page.get_by_test_id("stMetric").filter(has_text=label).get_by_test_id("stMetricValue")


def listen(page: Page, place: str, query: str) -> None:
    page.goto(f"{place}/Listen?{query}")
    page.get_by_role("button", name="Listen", exact=True).click(timeout=LONG)


def test_a_file_is_heard_at_real_speed_and_every_answer_can_be_taken_along(page: Page, place: str) -> None:
    listen(page, place, f"{ONE}&made=Dog&every=1.0&samples=7")
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_enabled(timeout=LONG)
    player = page.locator("audio")
    expect(player).to_have_count(1, timeout=LONG)
    source = player.get_attribute("src")
    assert source is not None
    assert page.request.get(place + source if source.startswith("/") else source).body().startswith(b"fLaC")
    expect(page.get_by_text(re.compile("Doubt was highest between|too short"))).to_be_visible(timeout=LONG)
    expect(metric(page, "Missed deadlines")).to_have_text(re.compile(r"^\d of 5$"))
    chart = page.get_by_role("figure", name=re.compile("Doubt along the stream"))
    expect(chart).to_contain_text(re.compile("Deterministic.*left out"))
    page.get_by_text("Every answer").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV", exact=True).click()
    rows = list(csv.DictReader(waiting.value.path().read_text().splitlines()))
    missed = int(metric(page, "Missed deadlines").inner_text()[0])
    late = sum(row["late"] == "True" for row in rows)
    assert len(rows) + missed - late == 5
    ends = [float(row["to_second"]) for row in rows]
    assert ends == sorted(ends)
    assert set(ends) <= {1.0, 2.0, 3.0, 4.0, 5.0}
    assert {row["models"] for row in rows} <= {"soundbox-deterministic"}


def test_the_microphone_is_heard_raw_until_it_is_stopped(page: Page, place: str) -> None:
    page.add_init_script(KEEPS_TRACKS)
    listen(page, place, f"{ONE}&stream=Microphone&every=0.5")
    expect(page.get_by_text(re.compile(r"The microphone is on, at [\d.]+ kHz"))).to_be_visible(timeout=LONG)
    wish = page.evaluate("window.streams[0][1].audio")
    assert wish == {"echoCancellation": False, "noiseSuppression": False, "autoGainControl": False}
    rate = page.evaluate("window.streams[0][0].getAudioTracks()[0].getSettings().sampleRate")
    expect(page.get_by_text(f"at {rate / 1000:g} kHz")).to_be_visible()
    chart = page.get_by_role("figure", name=re.compile("Doubt along the stream. At .* s the model hears"))
    expect(chart).to_be_visible(timeout=LONG)
    expect(metric(page, "Heard")).to_have_text(re.compile(r"^\d[\d.]* s$"))
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("The microphone is off")).to_be_visible()
    assert page.evaluate("window.streams[0][0].getAudioTracks()[0].readyState") == "ended"
    expect(page.get_by_text("Every answer")).to_be_visible()


def test_leaving_the_page_switches_the_microphone_off(page: Page, place: str) -> None:
    page.add_init_script(KEEPS_TRACKS)
    listen(page, place, f"{ONE}&stream=Microphone")
    expect(page.get_by_text(re.compile("The microphone is on"))).to_be_visible(timeout=LONG)
    page.get_by_test_id("stTopNavLink").filter(has_text="Home").click()
    expect(page.get_by_role("heading", level=1, name=re.compile("See what"))).to_be_visible()
    page.wait_for_function("window.streams[0][0].getAudioTracks()[0].readyState === 'ended'")


@pytest.mark.parametrize(("refuses", "says"), REFUSES, ids=["denied", "insecure", "missing"])
def test_no_microphone_is_one_sentence_with_what_to_do(page: Page, place: str, refuses: str, says: str) -> None:
    page.add_init_script(refuses)
    listen(page, place, f"{ONE}&stream=Microphone")
    expect(page.get_by_role("alert").filter(has_text=says)).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Listen", exact=True)).to_be_enabled()


def test_what_cannot_be_heard_is_said(page: Page, place: str) -> None:
    page.goto(f"{place}/Listen?model=toybox-ensemble&stream=Upload")
    expect(page.get_by_text("is a model for pictures, and a stream is of sound")).to_be_visible(timeout=LONG)
    page.get_by_role("button", name=re.compile("Use Soundbox")).click()
    expect(page.get_by_text("Models side by side")).to_be_visible(timeout=LONG)
    drawn = io.BytesIO()
    Image.new("RGB", (8, 8)).save(drawn, "PNG")
    page.locator("input[type=file]").set_input_files(
        {"name": "x.png", "mimeType": "image/png", "buffer": drawn.getvalue()}
    )
    expect(page.get_by_role("alert").filter(has_text="drop a recording")).to_be_visible(timeout=LONG)


def test_on_a_phone_everything_fits(visitor: Visitor, place: str) -> None:
    page = visitor(390, 844, color_scheme="dark", has_touch=True)
    listen(page, place, f"{ONE}&made=Dog&every=2.5")
    expect(page.get_by_text(re.compile("Doubt was highest between|too short"))).to_be_visible(timeout=LONG)
    narrow(page)
