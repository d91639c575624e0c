"""The Map page in a real Chromium: link, lasso, recolour, hover, click, operating point, own file, export, new map."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from core.jobs import cancel, list_jobs
from core.pipeline.atlas import Atlas, open_atlas, read_item
from core.settings import Settings
from tests.atlases import filled
from tests.browser.conftest import LONG, SHORT, Visitor, again, narrow, pixels, pressed, served, settled, swept

TOYS, BOX = "toybox-ensemble", "soundbox-ensemble"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(home=tmp_path_factory.mktemp("home"), decoders=1, offline=True)


@pytest.fixture(scope="module")
def place(settings: Settings) -> Iterator[str]:
    with served(settings.home) as address:
        yield f"{address}/Map"
        for job in list_jobs(settings):
            cancel(job, wait=20)


@pytest.fixture(scope="module")
def toys(settings: Settings) -> Atlas:
    return open_atlas("heldout", TOYS, settings)


@pytest.fixture(scope="module")
def five(settings: Settings) -> None:
    filled(settings, settings.home / "pictures")


def opened(page: Page, place: str, asked: str = f"?model={TOYS}") -> Page:
    page.goto(place + asked)
    expect(page.locator(".penumbra-plot .gl-canvas").first).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile("^All ")).first).to_be_visible(timeout=LONG)
    settled(page)
    return page


def chart(page: Page) -> Locator:
    return page.locator(".penumbra-plot .drawing").first


def around(atlas: Atlas, name: str) -> np.ndarray:
    """Corners of a frame around the middle of a class."""
    assert atlas.points is not None
    mine = atlas.points[np.array(atlas.label_names) == name]
    middle = np.median(mine, axis=0)
    size = np.median(np.abs(mine - middle), axis=0) * 3
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)])
    return middle + corners * size


def lasso(page: Page, corners: np.ndarray) -> int:
    """Draw it, until the page says how many it holds."""
    line = page.get_by_role("heading", name=re.compile(r"^\d+ selected$"))
    again(
        lambda: swept(page, pixels(chart(page), *corners.T.tolist())), lambda: expect(line).to_be_visible(timeout=SHORT)
    )
    settled(page)
    return int(line.inner_text().split()[0])


def picked(page: Page, label: str, option: str) -> None:
    """An option of a list; the list closes where the page is drawn anew meanwhile."""
    wanted = page.get_by_role("option", name=option, exact=True)
    again(page.get_by_role("combobox", name=label).click, lambda: expect(wanted).to_be_visible(timeout=SHORT))
    wanted.click()


def lonely(atlas: Atlas) -> int:
    """The item with the most room around it: a click meets no other."""
    assert atlas.points is not None
    far = np.linalg.norm(atlas.points[:, None] - atlas.points[None], axis=2)
    np.fill_diagonal(far, np.inf)
    return int(far.min(axis=1).argmax())


def test_a_link_restores_what_was_chosen_and_keys_move_it_walk_the_points_and_pick_one(
    page: Page, place: str, toys: Atlas
) -> None:
    opened(page, place, f"?model={TOYS}&colour=error&keep=0.5&measure=novelty")
    expect(page.get_by_text(f"{len(toys) // 2} of {len(toys)} stay")).to_be_visible()
    wrong = int((toys.right == 0).sum())
    expect(page.get_by_text(f"{wrong} of {len(toys)} answers are wrong")).to_be_visible()
    expect(chart(page)).to_contain_text("wrong")
    expect(page.get_by_role("application", name=re.compile("coloured by right or wrong"))).to_be_visible()
    page.get_by_text("How far to trust this map").click()
    expect(page.get_by_text(re.compile("Trustworthiness 0.9"))).to_be_visible()
    expect(page.get_by_text("of the neighbours stay neighbours (seeds 0 and 1)")).to_be_visible()
    slider = page.get_by_role("slider", name="Keep the surest")
    pressed(slider, "ArrowLeft", "49", "48", "47", "46", "45", attribute="value")
    expect(page.get_by_text(f"{int(np.ceil(0.45 * len(toys)))} of {len(toys)} stay")).to_be_visible()
    expect(page).to_have_url(re.compile("keep=0.45"))
    settled(page)

    def walk() -> None:
        for key in ("ArrowRight", "ArrowUp", "Enter"):
            chart(page).press(key)

    seen = page.get_by_alt_text(re.compile("as it was analysed"))
    again(walk, lambda: expect(seen).to_be_visible(timeout=SHORT))


def test_a_lasso_becomes_cards_lasts_and_is_exported(page: Page, place: str, toys: Atlas) -> None:
    opened(page, place)
    corners = around(toys, "boat")
    count = lasso(page, corners)
    held = page.get_by_role("heading", name=f"{count} selected")
    assert toys.points is not None
    low, high = corners.min(axis=0), corners.max(axis=0)
    inside = ((toys.points > low) & (toys.points < high)).all(axis=1)
    assert abs(count - int(inside.sum())) <= 4  # the hand misses by a pixel
    expect(page.get_by_text("the clearest").first).to_be_visible()
    picked(page, "Colour by", "Class")
    expect(chart(page)).to_contain_text("boat")
    settled(page)
    expect(held).to_be_visible()
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
    settled(page)
    page.get_by_role("link", name="Map", exact=True).first.click()
    expect(held).to_be_visible()  # held by the page, not by the chart
    page.get_by_role("button", name="Let go").click()
    expect(page.get_by_role("heading", name=f"All {len(toys)}")).to_be_visible()


def test_the_pointer_shows_and_a_click_plays_what_was_analysed(page: Page, place: str, settings: Settings) -> None:
    import soundfile

    box = open_atlas("heldout", BOX, settings)
    assert box.points is not None
    opened(page, place, f"?model={BOX}")
    row = lonely(box)
    spot = pixels(chart(page), *box.points[[row]].T.tolist())[0]
    beside = page.get_by_test_id("stColumn").filter(has=page.get_by_alt_text(f"thumbnail of {box.ids[row]}"))

    def point() -> None:
        page.mouse.move(spot[0] - 40, spot[1])
        page.mouse.move(*spot, steps=5)

    told = re.compile("recognised|taken for")
    again(point, lambda: expect(beside.last).to_contain_text(told, timeout=SHORT))
    player = page.locator("audio")
    again(lambda: page.mouse.click(*spot), lambda: expect(player).to_have_count(1, timeout=SHORT))
    page.wait_for_function("() => [...document.querySelectorAll('audio')].some(one => one.currentTime > 0)")
    answer = page.request.get(player.evaluate("node => node.currentSrc || node.src"))
    heard, rate = soundfile.read(io.BytesIO(answer.body()), dtype="float32")
    stored, stored_rate = soundfile.read(io.BytesIO(read_item(box, box.ids[row], settings)), dtype="float32")
    assert rate == stored_rate
    assert np.abs(heard - stored.reshape(len(stored), -1).mean(axis=1)).max() < 1e-4


def test_a_collection_without_a_map_is_drawn_as_a_job_across_a_reload(page: Page, place: str, five: None) -> None:
    page.goto(f"{place}?model={TOYS}&data=five")
    drawing = page.get_by_text("Draw five").first
    expect(page.get_by_role("button", name="Draw the map").or_(drawing).first).to_be_visible(timeout=LONG)
    settled(page)
    if not drawing.is_visible():  # a second try finds the job of the first
        page.get_by_role("button", name="Draw the map").click()
    expect(drawing).to_be_visible()
    page.reload()  # the job goes on
    expect(page.get_by_text(re.compile("Draw five: done"))).to_be_visible(timeout=LONG)
    page.reload()
    expect(page.locator(".penumbra-plot .gl-canvas").first).to_be_visible(timeout=LONG)
    settled(page)
    expect(page.get_by_text("Only 4 pictures are drawn")).to_be_visible()
    page.get_by_text("The collection five: 1 file was refused").click()
    page.get_by_text("How far to trust this map").click()
    expect(page.get_by_text("they lie along their principal directions")).to_be_visible()


def test_a_visitors_own_labels_are_mapped_to_classes_before_answers_are_judged(
    page: Page, place: str, five: None
) -> None:
    page.goto(f"{place.replace('/Map', '/Retention')}?model={TOYS}&data=five&keep=1")
    kept = page.get_by_test_id("stMetric").filter(has_text="Kept").get_by_test_id("stMetricValue")
    expect(kept).to_have_text("3 of 3", timeout=LONG)  # the zebra is of no class
    wrong = page.get_by_test_id("stMetric").filter(has_text="Errors refused").get_by_test_id("stMetricValue")
    expect(wrong).to_have_text("0 of 2")
    page.get_by_text("Your labels: 3 of 4 are classes of the model").click()
    table = page.get_by_test_id("stDataFrame")
    expect(table).to_be_visible()
    settled(page)
    listed = page.get_by_role("option", name="boat", exact=True)

    def ask() -> None:
        box = table.bounding_box()
        assert box is not None
        table.dblclick(position={"x": box["width"] * 0.8, "y": 52.0})  # the first label "means": that of no class

    def answer() -> None:
        again(ask, lambda: expect(listed).to_be_visible(timeout=SHORT))
        listed.click()

    again(answer, lambda: expect(kept).to_have_text("4 of 4", timeout=SHORT))  # a table drawn anew drops its editor
    expect(wrong).to_have_text("0 of 2")  # the zebra that means a boat is taken for one


def test_own_files_lie_among_their_neighbours_and_two_visitors_never_see_each_others(
    visitor: Visitor, place: str, toys: Atlas, settings: Settings
) -> None:
    pages = {name: opened(visitor(), place) for name in ("boat", "cup")}
    uploads = {name: page.locator("input[type=file]").first for name, page in pages.items()}
    for name, page in pages.items():
        page.get_by_text("Place your own file").click()
        raw = read_item(toys, toys.ids[toys.label_names.index(name)], settings)
        given = {"name": f"secret-{name}.png", "mimeType": "image/png", "buffer": raw}
        uploads[name].set_input_files([given])  # type: ignore[list-item]
    for name, page in pages.items():
        expect(page.get_by_text(f"secret-{name}.png lies where its 15 most similar items are")).to_be_visible(
            timeout=LONG
        )
        expect(chart(page)).to_contain_text(f"secret-{name}")
        expect(page.get_by_text("cosine 1", exact=True).first).to_be_visible()  # itself is its nearest neighbour
    for name, page in pages.items():
        (other,) = pages.keys() - {name}
        settled(page)
        assert f"secret-{name}" in page.content()
        assert f"secret-{other}" not in page.content()
    uploads["cup"].set_input_files({"name": "fake.wav", "mimeType": "audio/wav", "buffer": b"RIFF" + bytes(60)})
    expect(pages["cup"].get_by_role("alert").filter(has_text="fake.wav")).to_be_visible()


def test_on_a_phone_the_page_stacks_and_fits(visitor: Visitor, place: str) -> None:
    """In the dark theme; in the light one test_every_page looks."""
    page = opened(visitor(390, 800, color_scheme="dark", has_touch=True), place)
    narrow(page)
    box = chart(page).bounding_box()
    assert box
    assert 320 <= box["width"] <= 390
    cards = page.get_by_alt_text(re.compile("^thumbnail of"))
    expect(cards.nth(1)).to_be_visible()
    first, second = (cards.nth(place).bounding_box() for place in (0, 1))
    assert first
    assert second
    assert abs(first["y"] - second["y"]) < 2  # two beside each other
