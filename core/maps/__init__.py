"""Maps of a data set: what lies where, and what a person picks on them."""
