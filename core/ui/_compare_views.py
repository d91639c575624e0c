"""What Compare draws, part by part: the same views on the page and in its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.pipeline import contrasts
from core.pipeline.atlas import HELDOUT
from core.pipeline.contrasts import Box, Sweep
from core.pipeline.elsewhere import KNOBS, Elsewhere
from core.pipeline.sheets import Bench, Sheet
from core.pipeline.table import Table
from core.ui import _cached_compare, _compare_charts, _compare_tradeoffs, words
from core.ui.controls import Choice

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COSTS = ("train_seconds", "seconds_per_item", "macs", "stored", "params", "peak_memory")
LOSSES = ("nll", "ece", "brier", "aurc", "augrc")


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """Everything that the parts of the page are drawn from."""

    choice: Choice
    bench: Bench
    table: Table
    titles: Mapping[str, str]  # model -> what it is called beside the others
    measure: str | None  # None: each model's own score, or else the total
    domain: str | None  # of items from elsewhere
    sort: str
    drawn: tuple[Sheet, ...]  # models that are drawn, not only listed
    known: Mapping[str, str] = field(default_factory=dict)  # domains that were asked about: key -> title

    def about(self) -> dict[str, str]:
        """What every exported row stands on."""
        facts = {"data": self.bench.title, "fingerprint": self.bench.version.rpartition(" ")[2][:16]}
        facts |= {"seed": str(self.table.seed), "reference": self.table.reference}
        return facts | {"doubt": self.measure or "own"} | ({"elsewhere": self.domain} if self.domain else {})

    @property
    def stem(self) -> str:
        return f"compare-{self.bench.sheets[0].card.data.key if self.bench.data == HELDOUT else self.bench.data}"

    def place(self, name: str) -> int:
        return self.bench.names.index(name)


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One chart with its sentence."""

    key: str
    title: str
    draw: Callable[[bool], Figure]  # told whether the ground is dark
    finding: str
    alt: str


def reliability(page: Page) -> list[View]:
    views = []
    for sheet in page.drawn:
        bins = contrasts.bins_of(sheet)
        if bins is None:
            continue
        ece = page.table.row(sheet.name).cells["ece"].figure.value
        finding = _compare_charts.reliability_finding(contrasts.overconfidence(sheet), ece)
        title = page.titles[sheet.name]
        alt = f"Reliability diagram of {title}: share right against confidence. {finding}"
        views.append(
            View(
                f"reliability-{sheet.name}",
                title,
                lambda dark, bins=bins: _compare_charts.reliability(bins, dark),
                finding,
                alt,
            )
        )
    return views


def boxes(page: Page, measure: str | None, domains: Sequence[str]) -> list[View]:
    """``measure`` None: each model's own doubt; scales are shared only where the measure is one for all."""
    found: list[tuple[Sheet, str, tuple[Box, ...]]] = []
    for sheet in page.drawn:
        name = sheet.measure(measure)
        there = [one for key in domains if (one := _asked(page, key).get(sheet.name)) is not None]
        found.append((sheet, name, contrasts.boxes_of(sheet, name, there)))
    shared = len({name for _, name, _ in found}) == 1
    most = max((box.high for _, _, each in found for box in each), default=0.0) if shared else None
    views = []
    for sheet, name, each in found:
        finding = _compare_charts.boxes_finding(each, name, sheet.score_name)
        if not each:
            continue
        title = page.titles[sheet.name]

        def draw(dark: bool, each=each, name=name, sheet=sheet) -> Figure:
            return _compare_charts.boxes(each, name, sheet.score_name, dark, most)

        alt = f"Box plots of {title}'s doubt on held-out items and elsewhere. {finding}"
        views.append(View(f"boxes-{sheet.name}", title, draw, finding, alt))
    return views


def notes(page: Page, domains: Sequence[str]) -> list[str]:
    """What was left out of some domains."""
    found = {key: dict.fromkeys(note for one in _asked(page, key).values() for note in one.notes) for key in domains}
    return [f"{page.known[key]}: {note.rstrip('.')}." for key, several in found.items() for note in several]


def sweeps(page: Page, knob: str, what: str, label: str) -> View | None:
    """``what``: "accuracy", or a measure; None where no model was asked."""
    asked, found = _asked(page, knob), dict[str, Sweep]()
    for sheet in page.drawn:
        one = asked.get(sheet.name)
        name = what if what == "accuracy" else sheet.measure(page.measure if what == "own" else what)
        sweep = None if one is None else contrasts.sweep_of(one, name)
        if sweep is not None:
            found[page.titles[sheet.name]] = sweep
    if not found:
        return None
    finding = _compare_charts.sweep_finding(found, what)
    x_title = {"mixing": "share of the second class", "spoiling": "severity of the corruption"}[knob]
    names = [page.titles[name] for name in page.bench.names]
    return View(
        f"sweep-{knob}-{what}",
        f"{KNOBS[knob].title}: {label}",
        lambda dark: _compare_charts.sweeps(found, names, x_title, label, dark, what == "accuracy"),
        finding,
        f"{label[:1].upper()}{label[1:]} against the {x_title}, one line a model. {finding}",
    )


def stories(page: Page) -> View | None:
    found = _cached_compare.stories(page.bench, [sheet.name for sheet in page.drawn])
    finding = _compare_charts.stories_finding(found, page.titles)
    if all(one.figure.value is None for one in found):
        return None
    return View(
        "stories",
        "Do the two kinds of doubt tell two stories?",
        lambda dark: _compare_charts.stories(found, page.titles, dark),
        finding,
        f"Rank correlation of ambiguity and unfamiliarity, one dot a model. {finding}",
    )


def tradeoffs(page: Page, loss: str, costs: Sequence[str]) -> list[View]:
    views = []
    for cost in costs:
        if _compare_tradeoffs.tradeoff(page.table, page.titles, cost, loss, False) is None:
            continue
        finding = _compare_tradeoffs.tradeoff_finding(page.table, page.titles, cost, loss)

        def draw(dark: bool, cost=cost) -> Figure:
            found = _compare_tradeoffs.tradeoff(page.table, page.titles, cost, loss, dark)
            assert found is not None
            return found

        title = f"Calibration against {_compare_tradeoffs.NOUNS[cost]}"
        views.append(View(f"tradeoff-{cost}", title, draw, finding, f"{title}, one dot a model. {finding}"))
    return views


def zero_shot() -> View | None:
    found = _cached_compare.zero_shots()
    if not found:
        return None
    finding = _compare_tradeoffs.shots_finding(found)
    return View(
        "zero-shot",
        "R-AUROC on classes never learned",
        lambda dark: _compare_tradeoffs.shots(found, dark),
        finding,
        f"R-AUROC of each doubt, one dot a set and seed. {finding}",
    )


def _asked(page: Page, domain: str) -> Mapping[str, Elsewhere]:
    return _cached_compare.asked(page.bench, domain)


def whole(page: Page) -> list[tuple[str, list[View]]]:
    """Every part that can be drawn, for a report."""
    turned = [key for key in page.known if key in KNOBS]
    domains = [key for key in page.known if key not in KNOBS]
    parts = [("Reliability", reliability(page)), ("Doubt here and elsewhere", boxes(page, page.measure, domains))]
    swept = [sweeps(page, knob, "own", "doubt") for knob in turned]
    if "spoiling" in turned:
        swept.insert(0, sweeps(page, "spoiling", "accuracy", "accuracy"))
    parts.append(("Turned knobs", [view for view in swept if view is not None]))
    story = stories(page)
    parts.append(("Two kinds of doubt", [] if story is None else [story]))
    parts.append(("Cost", tradeoffs(page, "nll", ("train_seconds", "seconds_per_item"))))
    return [(title, views) for title, views in parts if views]


def sentence_of(bench: Bench) -> str:
    """Who stands here."""
    models, items = words.counted(len(bench.names), "model"), words.count(len(bench.ids))
    return f"{models} answered {'the same ' if len(bench.names) > 1 else ''}{items} items of {bench.title}."
