"""The watch: app.py starts the services on a board."""
