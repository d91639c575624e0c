"""What is nearest to a query, how sure each of these is, and when it is better not to answer."""

from core.ui import controls, retrieve, shell

ICON = ":material/travel_explore:"

shell.frame()
shell.head("Retrieve", "Ask with a sound or a picture: what is nearest to it, and is that answer safe to use?")
page = retrieve.opened(controls.choice())
if page is not None:
    retrieve.live(page)
