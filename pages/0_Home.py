"""Where to go and what is in the box."""

from core.ui import home

ICON = ":material/home:"

home.hero()
home.doors()
home.gallery()
