"""What the source papers asked, answered here: one file a study, whose STUDY the Questions page finds by itself."""
