"""The walks: from a source to a stored, shown or judged result. They return plain data."""
