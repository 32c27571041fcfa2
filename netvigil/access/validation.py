"""Request bodies to typed values, with the contract's codes and messages for whatever is wrong."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, StrictStr, ValidationError
from pydantic_core import PydanticCustomError

from netvigil.errors import Invalid, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)
# RFC 9562, section 4; Python's own reader also takes braces, "urn:" and no hyphens, and so two names for one thing
UUID_FORM = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
SHOWN_ERRORS = 100
KNOWN_CODES = frozenset(
    {"site_unknown", "subnet_invalid", "subnet_out_of_scope", "threshold_order", "timezone_unknown"}
)
# where the validator speaks of Python's types or of our classes, which a client does not know
_WORDS = {
    "list_type": "it must be an array",
    "dict_type": "it must be an object",
    "model_type": "it must be an object",
    "model_attributes_type": "it must be an object",
    "too_short": "it must have at least {min_length} element(s)",
    "too_long": "it must have at most {max_length} elements",
}


def validated(model: type[Model], value: dict[str, Any]) -> Model:
    """The model's value; raises Invalid (422) that lists every field that is wrong."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise invalid_from(error.errors(include_url=False)) from None


def invalid_from(details: Iterable[ErrorDetails]) -> Invalid:
    """One Invalid from many details; the first one gives the code and the message."""
    code = message = ""
    errors: dict[str, list[str]] = {}
    for detail in list(details)[:SHOWN_ERRORS]:
        # a check across fields has no place of its own; its context names the field to look at
        field = ".".join(str(part) for part in detail["loc"]) or str(
            detail.get("ctx", {}).get("field", "body")
        )
        if detail["type"] == "missing":
            this_code, text = "parameter_missing", f"The '{field}' parameter is required for this request."
        elif detail["type"] in KNOWN_CODES:
            this_code, text = detail["type"], detail["msg"]
        else:
            this_code, text = (
                "parameter_invalid",
                f"The '{field}' parameter is invalid: {_wording(detail)}.",
            )
        if not code:
            code, message = this_code, text
        errors.setdefault(field, []).append(text)
    return Invalid(code, message, errors)


def path_id(value: str, what: str) -> UUID:
    """The UUID in a path; anything else is a thing that does not exist, so it raises NotFound."""
    if UUID_FORM.fullmatch(value):
        return UUID(value)
    raise NotFound(f"No such {what}: '{value[:100]}'.")


def domain_check(check: Callable[[str], Any]) -> Callable[[str], Any]:
    """A validator from a pure function that raises Invalid, keeping its code and message."""

    def run(value: str) -> Any:
        try:
            return check(value)
        except Invalid as error:
            # as a value, not as the template: a client's own text may hold braces
            raise PydanticCustomError(error.code, "{said}", {"said": error.message}) from None

    return run


def _wording(detail: ErrorDetails) -> str:
    if detail["type"] in _WORDS:
        return _WORDS[detail["type"]].format_map(detail.get("ctx", {}))
    message = detail["msg"]
    return (message[:1].lower() + message[1:]).rstrip(".")


def _uuid(value: Any) -> UUID:
    if isinstance(value, UUID):
        return value
    if isinstance(value, str) and UUID_FORM.fullmatch(value):
        return UUID(value)
    raise PydanticCustomError("uuid", "It must be a UUID such as 9c3c1392-7f36-4240-85f2-273573c0384a")


def _without_nul(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("text", "It must not contain a NUL character")
    return value


Id = Annotated[UUID, BeforeValidator(_uuid)]
WITHOUT_NUL = AfterValidator(_without_nul)
"""PostgreSQL stores no NUL; put it after a text's own bounds, or the OpenAPI document loses them."""
Text = Annotated[StrictStr, WITHOUT_NUL]
