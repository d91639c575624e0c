"""Files of other programs: which formats are read. Each public module is one."""

PACKAGE = "core.checkpoints.foreign"
