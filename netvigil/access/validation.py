"""Request bodies to typed values, with the contract's codes and messages for whatever is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, StrictStr, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from netvigil.errors import Invalid, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic_core import ErrorDetails

Model = TypeVar("Model", bound=BaseModel)
UUID_LENGTH = 36
SHOWN_ERRORS = 100
KNOWN_CODES = frozenset(
    {"site_unknown", "subnet_invalid", "subnet_out_of_scope", "threshold_order", "timezone_unknown"}
)


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
                f"The '{field}' parameter is invalid: {_lower(detail['msg'])}.",
            )
        if not code:
            code, message = this_code, text
        errors.setdefault(field, []).append(text)
    return Invalid(code, message, errors)


def path_id(value: str, what: str) -> UUID:
    """The UUID in a path; anything else is a thing that does not exist, so it raises NotFound."""
    try:
        if len(value) == UUID_LENGTH:
            return UUID(value)
    except ValueError:
        pass
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


def _lower(message: str) -> str:
    return (message[:1].lower() + message[1:]).rstrip(".")


def _uuid(value: Any) -> UUID:
    if isinstance(value, UUID):
        return value
    try:
        if isinstance(value, str) and len(value) == UUID_LENGTH:
            return UUID(value)
    except ValueError:
        pass
    raise PydanticCustomError("uuid", "It must be a UUID such as 9c3c1392-7f36-4240-85f2-273573c0384a")


def _text(value: str) -> str:
    if "\0" in value:
        raise PydanticCustomError("text", "It must not contain a NUL character")
    return value


Id = Annotated[UUID, BeforeValidator(_uuid)]
Text = Annotated[StrictStr, AfterValidator(_text), WithJsonSchema({"type": "string"})]
