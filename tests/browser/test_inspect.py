"""Inspect in a real Chromium: upload, record, deep links, players, dark, narrow, keyboard, two visitors."""

from __future__ import annotations

import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from core import settings
from core.pipeline.atlas import open_atlas
from core.ui import cached
from core.ui.samples import offered
from tests.browser.conftest import free_port, start_server

pytestmark = pytest.mark.browser
RATE = 48_000


def wav(samples: np.ndarray) -> bytes:
    target = io.BytesIO()
    soundfile.write(target, samples, RATE, format="WAV", subtype="PCM_16")
    return target.getvalue()


def tone(seconds: float, frequency: float) -> np.ndarray:
    return 0.4 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * RATE)) / RATE)


def upload(page: Page, *files: tuple[str, str, bytes]) -> None:
    chosen = [{"name": name, "mimeType": kind, "buffer": raw} for name, kind, raw in files]
    page.locator("input[type=file]").first.set_input_files(chosen)  # type: ignore[arg-type]


def settled(page: Page) -> None:
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def played(page: Page, index: int) -> np.ndarray:
    """The samples behind one player, as the browser would fetch them."""
    source = page.locator("audio").nth(index).get_attribute("src")
    assert source is not None
    answer = page.request.get(page.url.split("/Inspect")[0] + source if source.startswith("/") else source)
    assert answer.ok
    samples, _ = soundfile.read(io.BytesIO(answer.body()))
    return samples


def opened(page: Page, tab: str) -> None:
    page.get_by_role("tab", name=tab).first.click()
    expect(page.get_by_role("tab", name=tab).first).to_have_attribute("aria-selected", "true")


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
    page.get_by_role("button", name="Record").last.click()
    page.wait_for_timeout(1500)
    page.get_by_role("button", name=re.compile("Stop")).click()
    expect(page.get_by_text(re.compile(r"of sound at 48 kHz"))).to_be_visible()


def test_a_link_restores_the_sample(page: Page, address: str) -> None:
    page.goto(f"{address}/Inspect?from=Samples&sample=Siren")
    expect(page.get_by_role("heading", name="Siren", exact=True)).to_be_visible()
    page.goto(f"{address}/")
    page.get_by_role("link", name="Cow", exact=True).click()
    expect(page.get_by_role("heading", name="Cow", exact=True)).to_be_visible()
    assert "sample=Cow" in page.url
    page.reload()
    expect(page.get_by_role("heading", name="Cow", exact=True)).to_be_visible()


def test_a_link_into_a_server_that_nobody_has_opened_yet_works(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    server = start_server(tmp_path, port)
    context = browser.new_context()
    page = context.new_page()
    try:
        page.goto(f"http://127.0.0.1:{port}/Inspect?from=Samples&sample=Cow")
        expect(page.get_by_role("heading", name="Cow", exact=True)).to_be_visible()
        assert page.get_by_role("dialog").count() == 0
        assert page.title() == "Penumbra"
        assert page.get_by_test_id("stSidebarNav").count() == 0
    finally:
        context.close()
        server.terminate()
        server.wait(timeout=10)


def test_nothing_is_asked_of_any_other_host(page: Page, address: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{address}/Inspect?from=Samples")
    expect(page.get_by_role("figure", name=re.compile("^Classes"))).to_be_visible()
    settled(page)
    strangers = [url for url in asked if not url.startswith((address, "data:", "blob:", address.replace("http", "ws")))]
    assert strangers == []


@pytest.mark.parametrize("where", ["/", "/Inspect?from=Samples"])
def test_a_phone_needs_no_sideways_scrolling(browser: Browser, address: str, where: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto(address + where)
    expect(page.get_by_role("heading").first).to_be_visible()
    page.wait_for_timeout(500)
    wide = page.evaluate("document.scrollingElement.scrollWidth")
    context.close()
    assert wide <= 390


def test_the_dark_theme_is_dark_in_the_charts_too(browser: Browser, address: str) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(f"{address}/Inspect?from=Samples")
    tick = page.locator(".x2tick text").first
    expect(tick).to_be_visible()
    ground = page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")
    ink = tick.evaluate("node => getComputedStyle(node).fill")
    context.close()
    assert ground == "rgb(17, 22, 29)"
    assert min(int(part) for part in re.findall(r"\d+", ink)[:3]) > 120


def test_the_keyboard_alone_reaches_a_sample(page: Page, address: str) -> None:
    page.goto(f"{address}/Inspect")
    expect(page.get_by_role("button", name="Show me a sample")).to_be_visible()
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.innerText").strip() == "Show me a sample":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_text("5 s of sound at 44.1 kHz")).to_be_visible()


def test_two_visitors_never_see_each_others_files(browser: Browser, address: str) -> None:
    contexts = [browser.new_context() for _ in range(2)]
    pages = [context.new_page() for context in contexts]
    for page, frequency in zip(pages, (500, 700), strict=True):
        page.goto(f"{address}/Inspect")
        upload(page, (f"secret{frequency}.wav", "audio/wav", wav(tone(0.5, frequency))))
    for page, frequency, other in zip(pages, (500, 700), (700, 500), strict=True):
        expect(page.get_by_role("heading", name=f"secret{frequency}.wav")).to_be_visible()
        assert f"secret{other}" not in page.content()
        heard = hashlib.sha256(np.round(played(page, 0) * 32768).astype(np.int16).tobytes()).hexdigest()
        wanted, _ = soundfile.read(io.BytesIO(wav(tone(0.5, frequency))))
        assert np.abs(played(page, 0) - wanted).max() <= 2 / 32768, heard
    for context in contexts:
        context.close()


def test_no_part_of_the_page_was_written_by_a_file(page: Page, address: str) -> None:
    page.goto(f"{address}/Inspect")
    upload(page, ("<img src=x onerror=alert(1)> **bold**.wav", "audio/wav", wav(tone(0.2, 400))))
    expect(page.get_by_text("200 ms of sound at 48 kHz")).to_be_visible()
    assert page.locator("h3 img, h3 strong").count() == 0


# ---- what a model says ----


def sample(page: Page, address: str, name: str, **more: str) -> None:
    page.goto(
        f"{address}/Inspect?from=Samples&sample={name.replace(' ', '+')}"
        + "".join(f"&{k}={v}" for k, v in more.items())
    )
    expect(page.get_by_role("tab", name="Why").first).to_be_visible()
    settled(page)


def figure(page: Page, start: str) -> Locator:
    return page.get_by_role("figure", name=re.compile(f"^{start}"))


def heard(page: Page, source: str) -> np.ndarray:
    answer = page.request.get(page.url.split("/Inspect")[0] + source if source.startswith("/") else source)
    assert answer.ok
    return soundfile.read(io.BytesIO(answer.body()))[0]


def known(name: str) -> np.ndarray:
    """A sample's own bytes, decoded by another library path than the page's."""
    found = next(one for one in offered() if one.name == name)
    return soundfile.read(io.BytesIO(cached.item_bytes(found.data, found.item)))[0]


def test_the_verdict_comes_with_its_numbers_and_the_link_restores_samples_and_model(page: Page, address: str) -> None:
    sample(page, address, "Dog or rain", model="soundbox-mc-dropout", samples="12", seed="3")
    expect(page.get_by_text("Rain or dog: the sound itself is ambiguous.")).to_be_visible()
    expect(page.get_by_text(re.compile("More doubtful than .* held-out items; more novel than"))).to_be_visible()
    expect(figure(page, "Of 12 draws")).to_be_visible()
    expect(page.get_by_label("Samples", exact=True)).to_have_value("12")
    page.get_by_label("Samples", exact=True).fill("1")
    page.get_by_label("Samples", exact=True).press("Enter")
    expect(page.get_by_text("one draw has no interval").first).to_be_visible()
    assert "samples=1" in page.url
    expect(figure(page, "Of 12 draws")).to_have_count(0)


def test_a_larger_coverage_never_shrinks_the_set(page: Page, address: str) -> None:
    sample(page, address, "Dog or rain", model="soundbox-mc-dropout")
    said = page.get_by_text(re.compile("of such sets, .* hold the true class"))
    expect(said).to_contain_text("90 %")
    before = said.locator("strong").inner_text().split(", ")
    page.get_by_role("slider", name="Share of such sets").press("End")
    expect(said).to_contain_text("99 %")
    assert said.locator("strong").inner_text().split(", ")[: len(before)] == before


def test_a_click_on_a_window_plays_from_there(page: Page, address: str) -> None:
    sample(page, address, "Dog or rain", model="soundbox-mc-dropout")
    opened(page, "Along the clip")
    chart = page.get_by_role("application", name=re.compile("^Doubt along the clip"))
    expect(chart).to_be_visible()
    expect(chart.locator(".point").first).to_be_visible()
    page.wait_for_timeout(300)
    chart.locator(".point").nth(4).click(force=True)  # windows of 1 s begin each 0.5 s
    expect(page.get_by_text("From 2 s:")).to_be_visible()
    expect(page.locator("audio")).to_have_count(2)
    whole, rest = known("Dog or rain"), played(page, 1)
    assert np.allclose(rest, whole[2 * 44_100 :], atol=2 / 32768)


def test_everything_that_plays_is_what_was_analysed(page: Page, address: str) -> None:
    """The file, its neighbours and the perturbed file have addresses of their own, and their own sound behind them."""
    sample(page, address, "Dog", model="soundbox-mc-dropout")
    opened(page, "Neighbours")
    expect(page.locator("audio")).to_have_count(6)
    settled(page)
    sources = [page.locator("audio").nth(n).get_attribute("src") or "" for n in range(6)]
    atlas = open_atlas("heldout", "soundbox-mc-dropout", settings.load())
    data = cached.dataset("soundbox")
    own = {
        item.id: item for item in data.items if item.id in set(atlas.ids) and item.label == data.classes.index("dog")
    }
    originals = {soundfile.read(io.BytesIO(data.read(item)))[0].astype(np.float32).tobytes() for item in own.values()}
    for source in sources[1:]:
        samples = heard(page, source)
        assert any(np.allclose(samples, np.frombuffer(raw, np.float32), atol=2 / 32768) for raw in originals)
    opened(page, "Perturb")
    page.get_by_role("slider", name="Shift in time").press("End")  # by its whole length: the same again
    page.get_by_role("slider", name="Pitch").press("Home")
    expect(page.get_by_text(re.compile("pitch moved by -12"))).to_be_visible()
    settled(page)
    lowered = page.locator("audio").nth(1).get_attribute("src") or ""
    assert lowered not in sources
    assert not np.allclose(heard(page, lowered), heard(page, sources[0]), atol=0.01)
    assert np.allclose(heard(page, sources[0]), known("Dog"), atol=2 / 32768)


def test_perturbing_moves_the_measures_and_undo_brings_them_back(page: Page, address: str) -> None:
    sample(page, address, "Dog", model="soundbox-mc-dropout")
    opened(page, "Perturb")
    expect(figure(page, "No doubt moved by a place")).to_be_visible()
    page.get_by_role("slider", name="Noise").press("PageUp")
    page.get_by_role("slider", name="Noise").press("End")
    expect(figure(page, "What moves most is how")).to_be_visible()
    expect(page.get_by_text("Done to it: 100% of it is noise")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Done to it: 100% of it is noise")).to_have_count(0)
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(figure(page, "No doubt moved by a place")).to_be_visible()
    expect(page.get_by_role("slider", name="Noise")).to_have_value("0")


def test_a_second_model_stands_beside_and_in_the_link(page: Page, address: str) -> None:
    sample(page, address, "Boat", model="toybox-mc-dropout", beside="toybox-ensemble")
    opened(page, "Second model")
    expect(page.get_by_text(re.compile("^Both say boat|^They disagree"))).to_be_visible()
    expect(page.get_by_text("Toybox, Ensemble (last layers)")).to_be_visible()


def test_of_several_files_the_first_is_answered_while_others_wait(page: Page, address: str) -> None:
    watch = """() => { window.early = false; new MutationObserver(() => {
        const heads = [...document.querySelectorAll('h3')].map((node) => node.textContent);
        const answered = heads.some((head) => /trust|ambiguous|Unlike|Perhaps/.test(head));
        if (answered && /It is next|before it/.test(document.body.innerText)) window.early = true;
    }).observe(document.body, {subtree: true, childList: true, characterData: true}); }"""
    page.goto(f"{address}/Inspect")
    expect(page.get_by_role("button", name="Show me a sample")).to_be_visible()
    page.evaluate(watch)
    upload(page, *((f"{f}.wav", "audio/wav", wav(tone(1.0, f))) for f in (300, 500, 700, 900)))
    expect(page.get_by_text(re.compile("^4 files: "))).to_be_visible()
    assert page.evaluate("window.early")


def test_a_picture_shows_where_its_doubt_sits(page: Page, address: str) -> None:
    sample(page, address, "Boat or car", model="toybox-mc-dropout")
    opened(page, "Across the picture")
    expect(figure(page, "The answer leans most on|^No single part")).to_be_visible()
    expect(page.locator(".penumbra-plot .imagelayer image")).to_have_count(2)  # the picture lies under both


def test_the_answer_can_be_taken_along(page: Page, address: str) -> None:
    sample(page, address, "Dog", model="soundbox-mc-dropout", seed="5")
    opened(page, "What was done")
    with page.expect_download() as got:
        page.get_by_role("button", name="CSV").click()
    text = Path(got.value.path()).read_text()
    assert len(text.splitlines()) == 17
    assert "soundbox-mc-dropout" in text.splitlines()[1]
    with page.expect_download() as got:
        page.get_by_role("button", name="Everything as JSON").click()
    told = json.loads(Path(got.value.path()).read_text())
    assert (told["seed"], told["verdict_code"], told["draws"]) == ("5", "trust", 50)


def test_screenshots_are_where_the_readme_looks(address: str) -> None:
    from tests.browser.screenshots import SHOTS

    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    for shot in SHOTS:
        assert shot.file in readme
