"""Protocols over UDP, one module each; `catalogue.py` beside this folder lists them."""
