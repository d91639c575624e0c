"""What the source papers asked, and what was found here: every figure from a command that anyone can run."""

from core.ui import questions, shell

ICON = ":material/quiz:"

shell.frame()
shell.head("Questions", "What did the papers claim or leave open, and what came out when it was measured here?")
questions.page()
