"""Maps of a collection: items drawn so that those with similar vectors lie close, and how far to trust that."""
