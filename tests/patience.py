"""How long a test waits for another process or page before it calls it broken: cores may be busy with other work."""

SECONDS = 600
