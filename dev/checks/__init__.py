"""The checks of dev/check, one per file. Each takes a Tree and gives findings."""
