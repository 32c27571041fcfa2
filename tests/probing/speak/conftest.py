"""The fixture of scripted servers for every protocol's tests."""

from __future__ import annotations

from scripted import bench

__all__ = ["bench"]
