"""Inspect in a real Chromium: upload, record, deep links, players, dark, narrow, keyboard, two visitors."""

from __future__ import annotations

import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.conftest import LONG, Visitor, narrow, served, settled
from tests.browser.inspecting import RATE, figure, opened, played, sample, tone, upload, wav


def test_an_upload_is_drawn_played_and_explained(page: Page, address: str) -> None:
    page.goto(f"{address}/Inspect")
    upload(page, ("beep.wav", "audio/wav", wav(tone(1.0, 1000))))
    expect(page.get_by_text("1 s of sound at 48 kHz")).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile("^Classes"))).to_be_visible()
    opened(page, "What was done")
    expect(page.get_by_role("figure", name=re.compile("^Waveform"))).to_be_visible()
    expect(page.get_by_text("What was done to it", exact=True)).to_be_visible()
    assert np.allclose(played(page, 0), tone(1.0, 1000), atol=2 / 32768)


def test_long_sounds_that_look_alike_each_play_their_own(page: Page, address: str) -> None:
    """Same length, silent at head, middle and tail, over 1 MiB: what Streamlit alone would confuse."""
    first, second = np.zeros(30 * RATE), np.zeros(30 * RATE)
    first[5 * RATE : 7 * RATE], second[5 * RATE : 7 * RATE] = tone(2.0, 300), tone(2.0, 900)
    page.goto(f"{address}/Inspect")
    upload(page, ("first.wav", "audio/wav", wav(first)), ("second.wav", "audio/wav", wav(second)))
    expect(page.locator("audio")).to_have_count(2)
    settled(page)
    for index, samples in enumerate((first, second)):
        assert np.allclose(played(page, index), samples, atol=2 / 32768)


def test_a_refused_file_is_one_sentence_and_the_page_lives(page: Page, address: str) -> None:
    page.goto(f"{address}/Inspect")
    upload(page, ("photo.wav", "audio/wav", b"\x7fELF" + bytes(500)))
    alert = page.get_by_test_id("stAlert").filter(has_not_text="Drop a file")
    expect(alert).to_have_count(1)
    assert not re.search(r"Traceback|/core/|Error:", alert.inner_text())
    picture = io.BytesIO()
    Image.new("RGB", (32, 20), "navy").save(picture, "PNG")
    upload(page, ("navy.png", "image/png", picture.getvalue()))
    expect(page.get_by_text("A picture of 32 × 20 pixels")).to_be_visible()


def test_the_microphone_records_at_48_khz(page: Page, address: str) -> None:
    page.goto(f"{address}/Inspect?from=Record")
    record = page.get_by_role("button", name="Record").last
    expect(record).to_be_visible(timeout=LONG)
    settled(page)
    record.click()
    expect(page.get_by_text("00:01")).to_be_visible()
    page.get_by_role("button", name=re.compile("Stop")).click()
    expect(page.get_by_text(re.compile(r"of sound at 48 kHz"))).to_be_visible(timeout=LONG)


def test_a_link_restores_the_sample(page: Page, address: str) -> None:
    page.goto(f"{address}/Inspect?from=Samples&sample=Siren")
    expect(page.get_by_role("heading", name="Siren", exact=True)).to_be_visible()
    page.goto(f"{address}/")
    page.get_by_role("link", name="Cow", exact=True).click()
    expect(page.get_by_role("heading", name="Cow", exact=True)).to_be_visible()
    expect(page).to_have_url(re.compile("sample=Cow"))
    page.reload()
    expect(page.get_by_role("heading", name="Cow", exact=True)).to_be_visible()


def test_a_link_into_a_server_that_nobody_has_opened_yet_works(page: Page, tmp_path: Path) -> None:
    with served(tmp_path) as place:
        page.goto(f"{place}/Inspect?from=Samples&sample=Cow")
        expect(page.get_by_role("heading", name="Cow", exact=True)).to_be_visible(timeout=LONG)
        expect(page).to_have_title("Penumbra")
        assert page.get_by_role("dialog").count() == 0
        assert page.get_by_test_id("stSidebarNav").count() == 0


def test_the_answer_can_be_taken_along_and_nothing_is_asked_of_any_other_host(page: Page, address: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sample(page, address, "Dog", model="soundbox-mc-dropout", seed="5")
    expect(figure(page, "Classes")).to_be_visible()
    opened(page, "What was done")
    settled(page)
    with page.expect_download() as got:
        page.get_by_role("button", name="CSV").click()
    text = Path(got.value.path()).read_text()
    assert len(text.splitlines()) == 17
    assert "soundbox-mc-dropout" in text.splitlines()[1]
    with page.expect_download() as got:
        page.get_by_role("button", name="Everything as JSON").click()
    told = json.loads(Path(got.value.path()).read_text())
    assert (told["seed"], told["verdict_code"], told["draws"]) == ("5", "trust", 50)
    settled(page)
    strangers = [url for url in asked if not url.startswith((address, "data:", "blob:", address.replace("http", "ws")))]
    assert strangers == []


def test_a_phone_with_an_answer_needs_no_sideways_scrolling(visitor: Visitor, address: str) -> None:
    page = visitor(390, 844)
    sample(page, address, "Dog")
    narrow(page)


def test_the_dark_theme_is_dark_in_the_charts_too(visitor: Visitor, address: str) -> None:
    page = visitor(color_scheme="dark")
    page.goto(f"{address}/Inspect?from=Samples")
    tick = page.locator(".x2tick text").first
    expect(tick).to_be_visible(timeout=LONG)
    expect(page.get_by_test_id("stApp")).to_have_css("background-color", "rgb(17, 22, 29)")
    expect(tick).to_have_css("fill", re.compile(r"^rgb\((1[2-9]\d|2\d\d)(, (1[2-9]\d|2\d\d)){2}\)$"))  # light


def test_the_keyboard_alone_reaches_a_sample(page: Page, address: str) -> None:
    page.goto(f"{address}/Inspect")
    expect(page.get_by_role("button", name="Show me a sample")).to_be_visible(timeout=LONG)
    settled(page)
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText").strip() == "Show me a sample":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_text("5 s of sound at 44.1 kHz")).to_be_visible()


def test_two_visitors_never_see_each_others_files(visitor: Visitor, address: str) -> None:
    pages = [visitor() for _ in range(2)]
    for page, frequency in zip(pages, (500, 700), strict=True):
        page.goto(f"{address}/Inspect")
        upload(page, (f"secret{frequency}.wav", "audio/wav", wav(tone(0.5, frequency))))
    for page, frequency, other in zip(pages, (500, 700), (700, 500), strict=True):
        expect(page.get_by_role("heading", name=f"secret{frequency}.wav")).to_be_visible()
        assert f"secret{other}" not in page.content()
        heard = hashlib.sha256(np.round(played(page, 0) * 32768).astype(np.int16).tobytes()).hexdigest()
        wanted, _ = soundfile.read(io.BytesIO(wav(tone(0.5, frequency))))
        assert np.abs(played(page, 0) - wanted).max() <= 2 / 32768, heard


def test_no_part_of_the_page_was_written_by_a_file(page: Page, address: str) -> None:
    page.goto(f"{address}/Inspect")
    upload(page, ("<img src=x onerror=alert(1)> **bold**.wav", "audio/wav", wav(tone(0.2, 400))))
    expect(page.get_by_text("200 ms of sound at 48 kHz")).to_be_visible()
    assert page.locator("h3 img, h3 strong").count() == 0


def test_screenshots_are_where_the_readme_looks(address: str) -> None:
    from tests.browser.screenshots import SHOTS

    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    for shot in SHOTS:
        assert shot.file in readme
