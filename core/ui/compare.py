"""The Compare page: all models that were judged on the same items, what they cost, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import streamlit as st

from core.errors import UserFacingError
from core.pipeline.atlas import HELDOUT
from core.pipeline.sheets import Bench, Sheet
from core.pipeline.table import COSTS, DOUBT, KEYS, QUALITY
from core.pipeline.tabled import Benches
from core.ui import (
    _cached_compare,
    _compare_ask,
    _compare_report,
    _compare_table,
    _compare_tabs,
    _compare_views,
    address,
    bound,
    models,
    tables,
    words,
)
from core.ui._compare_views import Page
from core.ui.address import Kept
from core.ui.controls import Choice
from core.ui.measures import LABELS

MOST_DRAWN, _DRAWN = 8, 4
_NOWHERE, _OWN = "none", "own"


def page(choice: Choice) -> None:
    """The answer, choices, the table, and what lies behind it."""
    answer = st.container()
    found = opened(choice)
    if found is None:
        return
    finding = _compare_table.finding(found.table, found.titles, found.sort)
    answer.markdown(f"**{words.plain(finding, 400)}**")
    table = st.container()
    with bound.telling():
        drawn = _drawn(found)
    found = replace(found, drawn=drawn)
    with table:
        _table(found)
    _compare_tabs.live(found)


def opened(choice: Choice) -> Page | None:
    """What the side bar and the choices of the page lead to; None after a sentence that says what is missing."""
    if choice.model is None:
        st.info("No trained model is here yet. Make those that come with the app with 'make models'.")
        return None
    try:
        here = _cached_compare.benches(models.facts(choice.model).kind, choice.data)
    except UserFacingError as error:
        st.info(words.plain(str(error), 400), icon=":material/inbox:")
        st.page_link("pages/2_Map.py", label="Index data with a model on the Map page", icon=":material/scatter_plot:")
        return None
    with bound.telling():
        return _page(choice, here)


def _page(choice: Choice, here: Benches) -> Page | None:
    bench = _bench(choice, here)
    known = _cached_compare.known(bench)
    titles = _titles(bench)
    one, two, three, four = st.columns([4, 3, 4, 3], vertical_alignment="bottom")
    with one:
        reference = _reference(bench, titles)
    with two:
        measure = _measure(bench)
    with three:
        domain = _domain(bench, known)
    with four:
        sort = _sort(bench)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _set_aside(here, bench)
        _compare_ask.panel(bench, known, domain)
    _compare_ask.watch()
    _compare_ask.absent(choice, here)
    _refused(here)
    if domain is not None:
        _compare_ask.missing(bench, domain, _compare_ask.titles(bench, known).get(domain, domain))
    try:
        asked = domain if domain in known else None
        table = _cached_compare.table(bench, reference=reference, measure=measure, domain=asked, seed=choice.seed)
    except UserFacingError as error:
        st.error(words.plain(str(error), 400), icon=":material/block:")
        return None
    return Page(choice, bench, table, titles, measure, asked, sort, (), known)


def _bench(choice: Choice, here: Benches) -> Bench:
    """Models judged on other items are in another table; never two in one ranking."""
    keys: dict[str, Bench] = {}
    for bench in here.found:
        name = bench.sheets[0].card.data.key if bench.data == HELDOUT else bench.data
        keys[name if name not in keys else f"{name}-{len(keys)}"] = bench
    own = next((key for key, bench in keys.items() if choice.model in bench.names), next(iter(keys)))
    if len(keys) == 1:
        return keys[own]
    kept = Kept("set", own, bound.one_of(tuple(keys)), "a set of items that models share")
    chosen = st.segmented_control(
        "Judged on",
        list(keys),
        format_func=lambda key: _named(keys[key], several=len({bench.title for bench in here.found}) < len(keys)),
        required=True,
        help="Models that were judged on different items are never ranked against each other.",
        **bound.widget(kept),
    )
    return keys[str(chosen)]


def _named(bench: Bench, *, several: bool) -> str:
    """``several``: more than one is of the same data."""
    items = f", {words.counted(len(bench.ids), 'item')}" if several else ""
    return f"{bench.title}{items}: {words.counted(len(bench.names), 'model')}"


def _titles(bench: Bench) -> dict[str, str]:
    """The method where it tells the models apart, else what the side bar calls them."""
    known = {one.name: one for one in models.model_list()}
    short = {name: known[name].title.partition(", ")[2] if name in known else name for name in bench.names}
    counts = list(short.values())
    long = {name: known[name].title if name in known else name for name in bench.names}
    return {name: title if title and counts.count(title) == 1 else long[name] for name, title in short.items()}


def _reference(bench: Bench, titles: Mapping[str, str]) -> str:
    plain = next((sheet.name for sheet in bench.sheets if sheet.card.method == "deterministic"), bench.names[0])
    kept = Kept("reference", plain, bound.one_of(bench.names), "one of these models")
    return str(
        st.selectbox(
            "Differences to",
            bench.names,
            format_func=lambda name: titles[name],
            help="Every other model is compared with this one, item by item.",
            **bound.widget(kept, address.get(kept) if address.get(kept) in bench.names else plain),
        )
    )


def _measure(bench: Bench) -> str | None:
    here = [name for name in LABELS if any(name in sheet.doubts for sheet in bench.sheets)]
    kept = Kept("doubt", _OWN, bound.one_of((_OWN, *here)), "a measure of doubt that these models have")
    chosen = st.selectbox(
        "Doubt",
        [_OWN, *here],
        format_func=lambda name: "each model's own" if name == _OWN else LABELS[str(name)],
        help="Behind AURC, AUGRC, both AUROCs and OOD. A model's own is its score where it has one, else the total.",
        **bound.widget(kept, address.get(kept) if address.get(kept) in (_OWN, *here) else _OWN),
    )
    return None if chosen == _OWN else str(chosen)


def _domain(bench: Bench, known: Mapping[str, str]) -> str | None:
    named = _compare_ask.titles(bench, known)
    offered = [key for key in named if key not in ("mixing", "spoiling")]
    first = next((key for key in offered if key in known), _NOWHERE)
    kept = Kept("elsewhere", first, bound.one_of((_NOWHERE, *offered)), "items from elsewhere for these models")
    value = address.get(kept)
    chosen = st.selectbox(
        "Out of distribution",
        [_NOWHERE, *offered],
        format_func=lambda key: "nothing yet" if key == _NOWHERE else named[str(key)],
        help="Items from elsewhere, which doubt should tell apart from the held-out ones.",
        **bound.widget(kept, value if value in (_NOWHERE, *offered) else first),
    )
    return None if chosen == _NOWHERE else str(chosen)


def _sort(bench: Bench) -> str:
    """Columns that these items can have; the first of them that says how good the answers are, unless chosen."""
    first = bench.sheets[0]
    judged, near = first.errors is not None, first.neighbour is not None
    there = dict.fromkeys((*QUALITY, *DOUBT), judged)
    there |= dict.fromkeys(("nll", "brier"), first.losses is not None) | {"map": first.truth is not None}
    there |= {"r_at_1": near, "r_auroc": near}
    keys = tuple(key for key in (*KEYS, *COSTS) if there.get(key, True))
    usual = next((key for key in ("nll", "augrc", "r_auroc") if there[key]), keys[0])
    kept = Kept("sort", usual, bound.one_of(keys), "a column of this table")
    value = address.get(kept)
    return str(
        st.selectbox("Best first by", keys, format_func=lambda key: _compare_table.COLUMNS[str(key)].title,
                     **bound.widget(kept, value if value in keys else usual))
    )  # fmt: skip


def _drawn(page: Page) -> tuple[Sheet, ...]:
    """The models of the charts: the best few and the reference, unless a visitor chooses."""
    bench, ranked = page.bench, [row.name for row in page.table.ordered(page.sort)]
    few = [*ranked[: _DRAWN - 1], page.table.reference, *ranked]
    usual = tuple(dict.fromkeys(few))[: min(_DRAWN, len(ranked))]
    kept = Kept("drawn", (), bound.several(MOST_DRAWN), f"up to {MOST_DRAWN} of these models", ",".join)
    wished = [name for name in address.get(kept) if name in bench.names]
    chosen = st.multiselect(
        "Models that are drawn",
        ranked,
        format_func=lambda name: page.titles[name],
        max_selections=MOST_DRAWN,
        placeholder="The best and the reference",
        **bound.widget(kept, wished or list(usual)),
    )
    names = chosen or usual
    return tuple(sheet for name in names for sheet in bench.sheets if sheet.name == name)


def _set_aside(here: Benches, bench: Bench) -> None:
    """Who is not in this table, and why."""
    others = {one.title: set(one.names) - set(bench.names) for one in here.found if one is not bench}
    said = [f"{words.count(len(names))} on {words.plain(title)}" for title, names in others.items() if names]
    aside = f" Not ranked here, being judged on other items: {', '.join(said)}." if said else ""
    st.caption(f"{words.plain(_compare_views.sentence_of(bench), 300)}{aside}", width="stretch")


def _refused(here: Benches) -> None:
    for name, why in here.refused:
        st.caption(f":material/block: {words.plain(name)} cannot be judged: {words.plain(why, 200)}")


# ---- the table ----


@st.fragment
def _table(page: Page) -> None:
    style, config = _compare_table.styled(page.table, page.titles, page.sort)
    alt = f"Table of {len(page.table.rows)} models. {_compare_table.finding(page.table, page.titles, page.sort)}"
    st.caption(_compare_table.legend(page.table, page.titles))
    st.dataframe(style, hide_index=True, column_config=config, alt=alt, key="compare-table", height="content")
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        with st.popover("Copy the table", icon=":material/content_copy:"):
            _copied(page)
        rows = partial(_compare_table.columns, page.table, page.titles, page.sort)
        tables.downloads(rows, "compare", about=page.about(), name=page.stem)
        _compare_report.downloads(page, _asked_items(page))


def _copied(page: Page) -> None:
    ways = {
        "Markdown": ("md", "markdown", _compare_table.markdown),
        "LaTeX": ("tex", "latex", _compare_table.latex),
    }
    about = page.about()
    texts = {name: make(page.table, page.titles, page.sort, about) for name, (_, _, make) in ways.items()}
    texts["CSV"] = tables.csv_of(_compare_table.columns(page.table, page.titles, page.sort), about).decode()
    kinds = {name: (end, language) for name, (end, language, _) in ways.items()} | {"CSV": ("csv", "text")}
    way = str(st.segmented_control("As", list(texts), default="Markdown", required=True, key="compare-copy"))
    end, language = kinds[way]
    st.code(texts[way], language=language, height=260)
    st.download_button(
        f"Download {way}", texts[way], f"{page.stem}.{end}", on_click="ignore", icon=":material/download:",
        key=f"compare-copy-{end}",
    )  # fmt: skip


def _asked_items(page: Page) -> int:
    """How many items of the domain were asked about."""
    if page.domain is None:
        return _compare_ask.MOST
    found = _cached_compare.asked(page.bench, page.domain).values()
    return max((one.most for one in found), default=_compare_ask.MOST)
