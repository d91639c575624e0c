"""One file in: what it is, how it sounds or looks, what was done to it."""

from core.ui import inspect, shell

ICON = ":material/search:"

shell.frame()
shell.head(
    "Inspect",
    "Drop a sound or a picture and see exactly what a model would receive, and what was done to it on the way.",
)
files = inspect.choose()
for file in inspect.page_of(files):
    inspect.show(file)
