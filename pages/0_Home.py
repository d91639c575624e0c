"""Where to go and what is in the box."""

from core.ui import home, shell

ICON = ":material/home:"

shell.frame()
home.hero()
home.doors()
home.gallery()
