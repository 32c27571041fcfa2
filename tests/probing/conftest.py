"""The fixture of small emulated devices for the probing tests."""

from __future__ import annotations

from small_devices import devices

__all__ = ["devices"]
