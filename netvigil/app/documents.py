"""What the service says about itself: `/openapi.json` and `/docs`, without anything from elsewhere."""

from __future__ import annotations

from html import escape
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse

from netvigil.access.edge import DOCUMENTED_BODIES
from netvigil.app.errors import EXPLANATIONS, page

if TYPE_CHECKING:
    from fastapi import FastAPI

OPEN_PATHS = ("/healthz", "/readyz", "/downloads", "/schemas")


def add_documents(app: FastAPI) -> None:
    """Serve the OpenAPI document with the bodies that routes read themselves, and a page that lists all."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(_docs_page(openapi()))


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="netvigil", version=version("netvigil"), summary=app.summary, routes=app.routes
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name, model in DOCUMENTED_BODIES.items():
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        if name != model.__name__:  # a change of some fields: none is required, none has a default
            schema.pop("required", None)
            for field in schema["properties"].values():
                field.pop("default", None)
        schemas[name] = schema
    # the framework's own error form, which no route here answers with
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    document["components"]["securitySchemes"] = {
        "bearerAuth": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    document["security"] = [{"bearerAuth": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            framework_form = operation["responses"].get("422", {}).get("content", {})
            if "HTTPValidationError" in str(framework_form):
                del operation["responses"]["422"]
            if path.startswith(OPEN_PATHS):
                operation["security"] = []
    return document


def _docs_page(document: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{method.upper()}</code></td><td><code>{escape(path)}</code></td>"
        f"<td>{escape(operation.get('summary', ''))}</td></tr>"
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    codes = " ".join(f'<a href="/docs/errors/{code}">{code}</a>' for code in EXPLANATIONS)
    return page(
        "netvigil API",
        '<p>The machine-readable description is <a href="/openapi.json">/openapi.json</a>. Every request below '
        "/scans and /sites needs a bearer token; <code>netvigil token create</code> makes one.</p>"
        f"<table><tr><th>Method</th><th>Path</th><th></th></tr>{''.join(rows)}</table>"
        f"<h2>Error codes</h2><p>{codes}</p>",
    )
