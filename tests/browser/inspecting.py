"""What tests of the Inspect page share: sounds, uploads, and what a browser would hear."""

from __future__ import annotations

import io
import re

import numpy as np
import soundfile
from playwright.sync_api import Locator, Page, expect

from core.ui import cached
from core.ui.samples import offered
from tests.browser.conftest import LONG, SHORT, again, settled

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


def played(page: Page, index: int) -> np.ndarray:
    """The samples behind one player, as the browser would fetch them."""
    source = page.locator("audio").nth(index).get_attribute("src")
    assert source is not None
    answer = page.request.get(page.url.split("/Inspect")[0] + source if source.startswith("/") else source)
    assert answer.ok
    samples, _ = soundfile.read(io.BytesIO(answer.body()))
    return samples


def opened(page: Page, tab: str) -> None:
    wanted = page.get_by_role("tab", name=tab).first
    again(wanted.click, lambda: expect(wanted).to_have_attribute("aria-selected", "true", timeout=SHORT))


def sample(page: Page, address: str, name: str, **more: str) -> None:
    page.goto(
        f"{address}/Inspect?from=Samples&sample={name.replace(' ', '+')}"
        + "".join(f"&{k}={v}" for k, v in more.items())
    )
    expect(page.get_by_role("tab", name="Why").first).to_be_visible(timeout=LONG)
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
