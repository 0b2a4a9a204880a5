"""How much a line of the log matters, the gravest first."""

LEVELS = ("error", "warning", "info", "debug")
ERROR, WARNING, INFO, DEBUG = range(4)
