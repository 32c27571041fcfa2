"""The forms of export by name: every module of `formats` that has a `FORMAT`."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Final

from netvigil.errors import Invalid
from netvigil.reports.exports import formats

if TYPE_CHECKING:
    from netvigil.reports.exports.base import Format


def _find() -> dict[str, Format]:
    found: list[Format] = [
        import_module(f"{formats.__name__}.{module.name}").FORMAT for module in iter_modules(formats.__path__)
    ]
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}


FORMATS: Final = _find()


def get_format(name: str) -> Format:
    """The form of that name; raises Invalid (422), which names them all."""
    if name in FORMATS:
        return FORMATS[name]
    message = f"The 'format' parameter must be one of {', '.join(FORMATS)}."
    raise Invalid("parameter_invalid", message, {"format": [message]})


def find_format_by_extension(extension: str) -> Format | None:
    """The form whose files end so, without the first dot; None when there is none."""
    return next((one for one in FORMATS.values() if one.extension == extension), None)
