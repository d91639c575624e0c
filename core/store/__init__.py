"""Collections (LanceDB), vectors as memory maps, and artifacts."""
