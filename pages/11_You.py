"""A person and a model label the same items: whose doubt points better at whose errors?"""

from core.ui import controls, shell, you

ICON = ":material/sports_score:"

shell.frame()
shell.head("You versus the model", "Label twelve items yourself: does your doubt point at your errors as well as its?")
you.page(controls.choice())
