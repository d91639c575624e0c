"""How much better the rest becomes when the most doubtful answers are set aside."""

from core.ui import controls, retention, shell

ICON = ":material/tune:"

shell.frame()
shell.head("Retention", "If the most doubtful answers are handed to a person instead, how right is what remains?")
page = retention.opened(controls.choice())
if page is not None:
    retention.live(page)
