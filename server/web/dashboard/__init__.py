"""The dashboard: one module and template per page; `SECTIONS` in `site.py` lists them."""
