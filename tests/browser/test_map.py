"""The Map page in a real Chromium: link, lasso, recolour, hover, click, operating point, own file, export, new map."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from core.jobs import cancel, list_jobs
from core.pipeline.atlas import Atlas, open_atlas, read_item
from core.settings import Settings
from tests.atlases import filled
from tests.browser.conftest import free_port, start_server
from tests.browser.test_plot import PIXELS

pytestmark = pytest.mark.browser
TOYS, BOX = "toybox-ensemble", "soundbox-ensemble"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), decoders=1, offline=True)


@pytest.fixture(scope="module")
def place(settings: Settings) -> Iterator[str]:
    port = free_port()
    server = start_server(settings.home, port)
    yield f"http://127.0.0.1:{port}/Map"
    for job in list_jobs(settings):
        cancel(job, wait=20)
    server.terminate()
    server.wait(timeout=10)


@pytest.fixture(scope="module")
def toys(settings: Settings) -> Atlas:
    return open_atlas("heldout", TOYS, settings)


def opened(page: Page, place: str, asked: str = f"?model={TOYS}") -> Page:
    page.goto(place + asked)
    expect(page.locator(".penumbra-plot .gl-canvas").first).to_be_visible()
    expect(page.get_by_text(re.compile("^All ")).first).to_be_visible()
    settled(page)
    return page


def settled(page: Page) -> None:
    """No run is under way and nothing more arrives."""
    page.wait_for_timeout(300)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def chart(page: Page) -> Locator:
    return page.locator(".penumbra-plot .drawing").first


def pixels(page: Page, points: np.ndarray) -> list[list[float]]:
    chart(page).scroll_into_view_if_needed()
    return chart(page).evaluate(PIXELS, [points[:, 0].tolist(), points[:, 1].tolist()])


def around(atlas: Atlas, name: str) -> np.ndarray:
    """Corners of a frame around the middle of a class."""
    assert atlas.points is not None
    mine = atlas.points[np.array(atlas.label_names) == name]
    middle = np.median(mine, axis=0)
    size = np.median(np.abs(mine - middle), axis=0) * 3
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)])
    return middle + corners * size


def lasso(page: Page, corners: np.ndarray) -> None:
    path = pixels(page, corners)
    page.mouse.move(*path[0])
    page.mouse.down()
    for spot in path[1:]:
        page.mouse.move(*spot, steps=6)
    page.mouse.up()


def selected(page: Page) -> int:
    line = page.get_by_role("heading", name=re.compile(r"^\d+ selected$"))
    expect(line).to_be_visible()
    return int(line.inner_text().split()[0])


def lonely(atlas: Atlas) -> int:
    """The item with the most room around it: a click meets no other."""
    assert atlas.points is not None
    far = np.linalg.norm(atlas.points[:, None] - atlas.points[None], axis=2)
    np.fill_diagonal(far, np.inf)
    return int(far.min(axis=1).argmax())


def test_a_link_restores_colour_operating_point_and_measure(page: Page, place: str, toys: Atlas) -> None:
    opened(page, place, f"?model={TOYS}&colour=error&keep=0.5&measure=novelty")
    expect(page.get_by_text(f"{len(toys) // 2} of {len(toys)} stay")).to_be_visible()
    wrong = int((toys.right == 0).sum())
    expect(page.get_by_text(f"{wrong} of {len(toys)} answers are wrong")).to_be_visible()
    expect(chart(page)).to_contain_text("wrong")
    expect(page.get_by_role("application", name=re.compile("coloured by right or wrong"))).to_be_visible()
    page.get_by_text("How far to trust this map").click()
    expect(page.get_by_text(re.compile("Trustworthiness 0.9"))).to_be_visible()
    expect(page.get_by_text("of the neighbours stay neighbours (seeds 0 and 1)")).to_be_visible()


def test_a_lasso_becomes_cards_lasts_and_is_exported(page: Page, place: str, toys: Atlas) -> None:
    opened(page, place)
    corners = around(toys, "boat")
    lasso(page, corners)
    count = selected(page)
    assert toys.points is not None
    low, high = corners.min(axis=0), corners.max(axis=0)
    inside = ((toys.points > low) & (toys.points < high)).all(axis=1)
    assert abs(count - int(inside.sum())) <= 4  # the hand misses by a pixel
    expect(page.get_by_text("the clearest").first).to_be_visible()
    page.get_by_role("combobox", name="Colour by").click()
    page.get_by_role("option", name="Class", exact=True).click()
    expect(chart(page)).to_contain_text("boat")
    settled(page)
    assert selected(page) == count
    assert chart(page).evaluate("graph => graph.layout.selections.length") == 1
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV").first.click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text())))
    assert len(rows) == count
    assert {row["model"] for row in rows} == {TOYS}
    assert {row["fingerprint"] for row in rows} == {toys.fingerprint[:16]}
    assert all(row["seed"] and row["date"] for row in rows)
    for row in rows[:5]:
        at = toys.ids.index(row["id"])
        assert float(row["total"]) == toys.doubts["total"][at]
        assert row["label"] == toys.label_names[at]
    page.get_by_role("link", name="Retention").first.click()
    expect(page.get_by_role("heading", name="Retention")).to_be_visible()
    page.get_by_role("link", name="Map", exact=True).first.click()
    assert selected(page) == count  # held by the page, not by the chart
    page.get_by_role("button", name="Let go").click()
    expect(page.get_by_role("heading", name=f"All {len(toys)}")).to_be_visible()


def test_the_pointer_shows_and_a_click_plays_what_was_analysed(page: Page, place: str, settings: Settings) -> None:
    import soundfile

    box = open_atlas("heldout", BOX, settings)
    assert box.points is not None
    opened(page, place, f"?model={BOX}")
    row = lonely(box)
    spot = pixels(page, box.points[[row]])[0]
    beside = page.get_by_test_id("stColumn").filter(has=page.get_by_alt_text(f"thumbnail of {box.ids[row]}"))
    for _ in range(10):  # a chart that is being drawn anew does not see the pointer
        page.mouse.move(spot[0] - 40, spot[1])
        page.mouse.move(*spot, steps=5)
        with contextlib.suppress(AssertionError):
            expect(beside.last).to_contain_text(re.compile("recognised|taken for"), timeout=3000)
            break
    else:
        raise AssertionError("the pointer shows nothing")
    page.mouse.click(*spot)
    player = page.locator("audio").first
    expect(player).to_be_attached()
    page.wait_for_function("() => [...document.querySelectorAll('audio')].some(one => one.currentTime > 0)")
    answer = page.request.get(player.evaluate("node => node.currentSrc || node.src"))
    heard, rate = soundfile.read(io.BytesIO(answer.body()), dtype="float32")
    stored, stored_rate = soundfile.read(io.BytesIO(read_item(box, box.ids[row], settings)), dtype="float32")
    assert rate == stored_rate
    assert np.abs(heard - stored.reshape(len(stored), -1).mean(axis=1)).max() < 1e-4


def test_keys_move_the_operating_point_walk_the_points_and_pick_one(page: Page, place: str, toys: Atlas) -> None:
    opened(page, place)
    slider = page.get_by_role("slider", name="Keep the surest")
    slider.focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    expect(page.get_by_text(f"{int(np.ceil(0.75 * len(toys)))} of {len(toys)} stay")).to_be_visible()
    expect(page).to_have_url(re.compile("keep=0.75"))
    chart(page).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    expect(page.get_by_alt_text(re.compile("as it was analysed"))).to_be_visible()


def test_an_own_file_lies_among_its_neighbours_and_the_other_kind_is_refused(
    page: Page, place: str, toys: Atlas, settings: Settings
) -> None:
    opened(page, place)
    page.get_by_text("Place your own file").click()
    row = toys.label_names.index("boat")
    upload = page.locator("input[type=file]").first
    upload.set_input_files(
        {"name": "mine.png", "mimeType": "image/png", "buffer": read_item(toys, toys.ids[row], settings)}
    )
    expect(page.get_by_text("mine.png lies where its 15 most similar items are")).to_be_visible(timeout=90_000)
    expect(chart(page)).to_contain_text("mine.png")
    expect(page.get_by_text("cosine 1", exact=True).first).to_be_visible()  # itself is its nearest neighbour
    upload.set_input_files({"name": "fake.wav", "mimeType": "audio/wav", "buffer": b"RIFF" + bytes(60)})
    expect(page.get_by_role("alert").filter(has_text="fake.wav")).to_be_visible()


def test_a_collection_without_a_map_is_drawn_as_a_job_across_a_reload(
    page: Page, place: str, settings: Settings
) -> None:
    filled(settings, settings.home / "pictures")
    page.goto(f"{place}?model={TOYS}&data=five")
    page.get_by_role("button", name="Draw the map").click()
    expect(page.get_by_text("Draw five").first).to_be_visible()
    page.reload()  # the job goes on
    expect(page.get_by_text(re.compile("Draw five: done"))).to_be_visible(timeout=120_000)
    page.reload()
    expect(page.locator(".penumbra-plot .gl-canvas").first).to_be_visible()
    expect(page.get_by_text("Only 4 pictures are drawn")).to_be_visible()
    page.get_by_text("The collection five: 1 file was refused").click()
    page.get_by_text("How far to trust this map").click()
    expect(page.get_by_text("they lie along their principal directions")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_the_page_stacks_and_fits(browser: Browser, place: str, scheme: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme=scheme, has_touch=True)  # type: ignore[arg-type]
    page = opened(context.new_page(), place)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= 390
    box = chart(page).bounding_box()
    assert box
    assert 320 <= box["width"] <= 390
    cards = page.get_by_alt_text(re.compile("^thumbnail of"))
    first, second = (cards.nth(place).bounding_box() for place in (0, 1))
    assert first
    assert second
    assert abs(first["y"] - second["y"]) < 2  # two beside each other
    context.close()
