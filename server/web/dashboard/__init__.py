"""The dashboard: one module and template per page; `PAGES` in `site.py` lists them."""
