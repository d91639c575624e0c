"""Where to go, what doubt is good for, and what is in the box."""

from core.ui import home, shell

ICON = ":material/home:"

shell.frame()
home.hero()
home.doors()
places = home.doubts()
home.results()
home.examples(places)
home.gallery()
