"""The groups of `propgauge` commands, one module each; `server/cli.py` joins them."""
