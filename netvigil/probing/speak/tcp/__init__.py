"""Protocols over TCP, one module each; `catalogue.py` beside this folder lists them."""
