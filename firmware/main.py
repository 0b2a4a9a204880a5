"""Starts the watch when the chip has booted."""

from muster import app

app.run()
