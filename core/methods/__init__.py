"""Ways to doubt: one file a method, found by name. Methods act on any network; none names a backbone."""
