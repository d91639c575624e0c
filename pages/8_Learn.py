"""Short lessons that are computed live: guess first, then see."""

from core.ui import learn, shell

ICON = ":material/school:"

shell.frame()
shell.head("Learn", "Why is a confident model wrong, and which knob shows it? Guess first; then it is computed here.")
learn.page()
