"""One file in: what it is, how far to trust that, and why."""

from core.ui import controls, inspect, shell

ICON = ":material/search:"

shell.frame()
shell.head("Inspect", "Drop a sound or a picture and read what it is, how far to trust that answer, and why.")
chosen = controls.choice()
files = inspect.page_of(inspect.choose())
inspect.meet(files, chosen)
inspect.show(files, chosen)
