"""What a model says of a file, in a real Chromium: verdict, places, neighbours, perturbing, many files."""

from __future__ import annotations

import io
import itertools
import re

import numpy as np
import soundfile
from playwright.sync_api import Page, expect

from core import settings
from core.pipeline.atlas import open_atlas
from core.ui import cached
from tests.browser.conftest import LONG, SHORT, again, settled
from tests.browser.inspecting import figure, heard, known, opened, played, sample, tone, upload, wav

FRESH = itertools.count(300, 7)  # Hz: no sound of a first try is answered from memory in the second


def test_the_verdict_comes_with_its_numbers_and_moves_with_coverage_and_samples(page: Page, address: str) -> None:
    sample(page, address, "Dog or rain", model="soundbox-mc-dropout", samples="12", seed="3")
    expect(page.get_by_text("Rain or dog: the sound itself is ambiguous.")).to_be_visible()
    expect(page.get_by_text(re.compile("More doubtful than .* held-out items; more novel than"))).to_be_visible()
    expect(figure(page, "Of 12 draws")).to_be_visible()
    expect(page.get_by_label("Samples", exact=True)).to_have_value("12")
    said = page.get_by_text(re.compile("of such sets, .* hold the true class"))
    expect(said).to_contain_text("90 %")
    before = said.locator("strong").inner_text().split(", ")
    share = page.get_by_role("slider", name="Share of such sets")
    again(lambda: share.press("End"), lambda: expect(said).to_contain_text("99 %", timeout=SHORT))
    settled(page)
    assert said.locator("strong").inner_text().split(", ")[: len(before)] == before
    page.get_by_label("Samples", exact=True).fill("1")
    page.get_by_label("Samples", exact=True).press("Enter")
    expect(page.get_by_text("one draw has no interval").first).to_be_visible()
    expect(page).to_have_url(re.compile(r"samples=1(&|$)"))
    expect(figure(page, "Of 12 draws")).to_have_count(0)


def test_a_click_on_a_window_plays_from_there(page: Page, address: str) -> None:
    sample(page, address, "Dog or rain", model="soundbox-mc-dropout")
    opened(page, "Along the clip")
    chart = page.get_by_role("application", name=re.compile("^Doubt along the clip"))
    expect(chart).to_be_visible()
    expect(chart.locator(".point").first).to_be_visible()
    settled(page)
    begins = page.get_by_text("From 2 s:")  # windows of 1 s begin each 0.5 s
    window = chart.locator(".point").nth(4)
    again(lambda: window.click(force=True), lambda: expect(begins).to_be_visible(timeout=SHORT))
    expect(page.locator("audio")).to_have_count(2)
    whole, rest = known("Dog or rain"), played(page, 1)
    assert np.allclose(rest, whole[2 * 44_100 :], atol=2 / 32768)


def test_everything_that_plays_is_what_was_analysed_and_undo_brings_it_back(page: Page, address: str) -> None:
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
    settled(page)
    page.get_by_role("slider", name="Shift in time").press("End")  # by its whole length: the same again
    settled(page)
    pitch, lower = page.get_by_role("slider", name="Pitch"), page.get_by_text(re.compile("pitch moved by -12"))
    again(lambda: pitch.press("Home"), lambda: expect(lower).to_be_visible(timeout=SHORT))
    settled(page)
    lowered = page.locator("audio").nth(1).get_attribute("src") or ""
    assert lowered not in sources
    assert not np.allclose(heard(page, lowered), heard(page, sources[0]), atol=0.01)
    assert np.allclose(heard(page, sources[0]), known("Dog"), atol=2 / 32768)
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(figure(page, "No doubt moved by a place")).to_be_visible()
    noise, done = (
        page.get_by_role("slider", name="Noise"),
        page.get_by_text(re.compile("^Done to it: .*% of it is noise")),
    )
    again(lambda: noise.press("PageUp"), lambda: expect(done).to_be_visible(timeout=SHORT))
    settled(page)
    again(lambda: noise.press("End"), lambda: expect(done).to_contain_text("100%", timeout=SHORT))
    expect(figure(page, "What moves most is how")).to_be_visible()
    settled(page)
    page.get_by_role("button", name="Undo").click()
    expect(done.filter(has_text="100%")).to_have_count(0)
    settled(page)
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(figure(page, "No doubt moved by a place")).to_be_visible()
    expect(page.get_by_role("slider", name="Noise")).to_have_value("0")


def test_a_picture_shows_where_its_doubt_sits_and_what_a_second_model_says(page: Page, address: str) -> None:
    sample(page, address, "Boat or car", model="toybox-mc-dropout", beside="toybox-ensemble")
    opened(page, "Across the picture")
    expect(figure(page, "The answer leans most on|^No single part")).to_be_visible()
    expect(page.locator(".penumbra-plot .imagelayer image")).to_have_count(2)  # the picture lies under both
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
    upload(page, *((f"{f}.wav", "audio/wav", wav(tone(1.0, f))) for f in itertools.islice(FRESH, 4)))
    expect(page.get_by_text(re.compile("^4 files: "))).to_be_visible(timeout=LONG)
    assert page.evaluate("window.early")
