"""How Soundbox makes its sounds: signal blocks, voices, the scene around a voice, the plan of clips."""
