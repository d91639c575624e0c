"""Compare to take along: the report, and the script that gives the table's numbers again."""

from __future__ import annotations

from core.pipeline.table import KEYS
from core.ui import _compare_table, _compare_views, report
from core.ui._compare_views import Page
from core.ui.report import Chart, Listing, Report

_SCRIPT = '''"""The table of Penumbra's Compare page again. Run it in the folder of the app: python {stem}.py

{said}
"""

from core.pipeline.tabled import asked, open_benches, tabled
from core.settings import load

settings = load()  # PENUMBRA_HOME and PENUMBRA_CHECKPOINTS say where models and collections are
models = {models}
bench = open_benches(settings, {kind!r}, {data!r}, models).found[0]
domain = {domain!r}  # items from elsewhere; None: none
stored = domain is None or domain.startswith("collection:")
if domain is not None and not stored and len(asked(bench, domain, settings)) < len(models):
    from core.pipeline.ask import ask
    from core.pipeline.elsewhere import domain_of

    for way in sorted({{(sheet.draws, sheet.seed) for sheet in bench.sheets}}):
        names = [sheet.name for sheet in bench.sheets if (sheet.draws, sheet.seed) == way]
        ask(names, domain_of(domain), settings, most={most}, draws=way[0], seed=way[1])
found = tabled(
    bench, settings, reference={reference!r}, measure={measure!r}, domain=domain, seed={seed}, resamples={resamples}
)
keys = {keys}
print("model", *keys, sep="\\t")
for row in found.ordered({sort!r}):
    values = [row.cells[key].figure.value for key in keys]
    print(row.name, *("" if value is None else f"{{value:.6g}}" for value in values), sep="\\t")
'''


def script_of(page: Page, most: int) -> str:
    """``most``: items of the domain that were asked about."""
    table = page.table
    names = ",\n".join(f"    {name!r}" for name in page.bench.names)
    keys = tuple(key for key in _compare_table.shown(table) if key in KEYS)
    return _SCRIPT.format(
        stem=page.stem,
        said=f"{_compare_views.sentence_of(page.bench)} Data {page.about()['fingerprint']}, seed {table.seed}.",
        models=f"[\n{names},\n]",
        kind=page.bench.kind,
        data=page.bench.data,
        domain=page.domain if table.outside else None,
        most=most,
        reference=table.reference,
        measure=page.measure,
        seed=table.seed,
        resamples=table.resamples,
        keys=repr(keys),
        sort=page.sort,
    )


def report_of(page: Page, script: str) -> Report:
    """All that the page can draw now, on light ground."""
    head, rows = _compare_table.grid(page.table, page.titles, page.sort)
    legend = _compare_table.legend(page.table, page.titles)
    parts: list[Chart | Listing] = [Listing("All models on the same items", head, rows, legend)]
    for part, views in _compare_views.whole(page):
        parts += [Chart(f"{part}: {view.title}", view.draw(False), view.finding, view.alt) for view in views]
    sentences = (
        _compare_views.sentence_of(page.bench),
        _compare_table.finding(page.table, page.titles, page.sort),
        *((f"Items from elsewhere: {page.table.outside}.",) if page.table.outside else ()),
    )
    about = {**page.about(), "models": ", ".join(page.bench.names), "resamples": str(page.table.resamples)}
    return Report(f"{page.bench.title}: models compared", sentences, tuple(parts), about, script)


def downloads(page: Page, most: int) -> None:
    report.downloads(
        lambda: report_of(page, script_of(page, most)), "compare", page.stem, script=lambda: script_of(page, most)
    )
