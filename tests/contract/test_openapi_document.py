"""The OpenAPI document resolves, and holds at least what the published page holds."""

import pytest

# The published page's schemas, written down by hand: field → (type, format, required)
WRITE = {
    "description": ("string", None, True),
    "day_of_week": ("integer", None, True),
    "time_of_day": ("string", "time", True),
    "every_n_weeks": ("integer", None, True),
    "timezone": ("string", None, True),
    "min_cvss": ("number", "float", True),
    "warning_threshold": ("number", "float", True),
    "ignore_offline_sites": ("boolean", None, False),
    "sites": ("array", None, True),
    "notification_group": ("string", None, True),
}
ANSWER = {
    "id": ("string", "uuid"),
    "description": ("string", None),
    "day_of_week": ("integer", None),
    "time_of_day": ("string", None),
    "every_n_weeks": ("integer", None),
    "timezone": ("string", None),
    "min_cvss": ("number", "float"),
    "warning_threshold": ("number", "float"),
    "ignore_offline_sites": ("boolean", None),
    "next_scan_at": ("string", "date-time"),
    "running": ("boolean", None),
    "sites": ("array", None),
    "created_at": ("string", "date-time"),
    "updated_at": ("string", "date-time"),
    "status": ("string", None),
    "last_run_at": ("string", "date-time"),
    "notification_group": ("string", None),
}
SITE = {"id": ("string", "uuid"), "subnet": ("string", None)}
ERROR = dict.fromkeys(("type", "code", "message", "doc_url"), ("string", None))
OPERATIONS = {
    "/scans/cve/scheduled": {"get", "post"},
    "/scans/cve/scheduled/{scanScheduleId}": {"get", "put", "patch", "delete"},
    "/scans/cve/scheduled/{scanScheduleId}/invoke": {"get", "post", "delete"},
    "/scans/cve/scheduled/single-ip": {"post"},
    "/scans/cve/scan/multiple-ips": {"post"},
    "/scans/cve": {"get"},
    "/scans/cve/{scan_id}": {"get"},
    "/scans/cve/{scanScheduleId}/status": {"get"},
    "/sites": {"get", "post"},
    "/sites/{site_id}": {"get", "put", "patch", "delete"},
}


@pytest.fixture
async def document(api):
    answer = await api.get("/openapi.json", headers={"Authorization": ""})
    assert answer.status_code == 200
    return answer.json()


def every_ref(node):
    """Every $ref in a JSON document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from every_ref(value)
    elif isinstance(node, list):
        for value in node:
            yield from every_ref(value)


def meaning(schema):
    """(type, format) of a property; the null beside it is a value we add, not another type."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    assert len(kinds) == 1
    return kinds[0]["type"], kinds[0].get("format")


async def test_every_reference_resolves(document):
    refs = set(every_ref(document))
    assert "#/components/schemas/ErrorResponse" in refs
    for ref in refs:
        node = document
        assert ref.startswith("#/"), ref
        for part in ref[2:].split("/"):
            node = node[part]
        assert node.get("type") in {"object", "string"}, ref


async def test_the_request_is_the_published_one(document):
    schema = document["components"]["schemas"]["ScanScheduleWrite"]
    assert schema["type"] == "object"
    for field, (kind, form, required) in WRITE.items():
        assert meaning(schema["properties"][field]) == (kind, form), field
        assert (field in schema["required"]) is required, field
    assert schema["properties"]["time_of_day"]["pattern"] == "^([0-1]?[0-9]|2[0-3]):[0-5][0-9]$"
    assert schema["properties"]["sites"]["items"]["$ref"].endswith("/ScanScheduleSiteInput")
    site = document["components"]["schemas"]["ScanScheduleSiteInput"]
    assert {name: meaning(p) for name, p in site["properties"].items()} == SITE
    assert set(site["required"]) == {"id", "subnet"}


async def test_the_request_says_its_bounds(document):
    fields = document["components"]["schemas"]["ScanScheduleWrite"]["properties"]
    bounds = {
        ("description", "minLength"): 1,
        ("description", "maxLength"): 255,
        ("day_of_week", "minimum"): 0,
        ("day_of_week", "maximum"): 6,
        ("every_n_weeks", "minimum"): 2,
        ("every_n_weeks", "maximum"): 52,
        ("min_cvss", "minimum"): 0,
        ("warning_threshold", "maximum"): 10,
        ("sites", "minItems"): 1,
        ("sites", "maxItems"): 500,
        ("notification_group", "minLength"): 1,
        ("notification_group", "maxLength"): 100,
        ("ignore_offline_sites", "default"): False,
    }
    assert {key: fields[key[0]].get(key[1]) for key in bounds} == bounds


async def test_the_answers_hold_the_published_fields(document):
    schemas = document["components"]["schemas"]
    for name, fields in (("ScanSchedule", ANSWER), ("ScanScheduleSite", SITE), ("ErrorResponse", ERROR)):
        properties = schemas[name]["properties"]
        assert {field: meaning(properties[field]) for field in fields} == fields, name
    assert schemas["ScanSchedule"]["properties"]["sites"]["items"]["$ref"].endswith("/ScanScheduleSite")
    assert set(ANSWER) <= set(schemas["ScanSchedule"]["required"])


async def test_the_create_operation_is_the_published_one(document):
    operation = document["paths"]["/scans/cve/scheduled"]["post"]
    assert operation["operationId"] == "createScanSchedule"
    assert operation["tags"] == ["Scan Schedules"]
    assert operation["summary"] == "Create Scan Schedule"
    body = operation["requestBody"]
    assert body["required"] is True
    assert body["content"]["application/json"]["schema"]["$ref"].endswith("/ScanScheduleWrite")
    assert set(operation["responses"]) >= {"201", "400", "401", "403", "422", "500"}
    for status, response in operation["responses"].items():
        ref = response["content"]["application/json"]["schema"]["$ref"]
        assert ref.rpartition("/")[2] == ("ScanSchedule" if status == "201" else "ErrorResponse"), status


async def test_every_operation_is_there_once_with_its_errors_and_its_key(document):
    assert document["openapi"].startswith("3.")
    assert document["components"]["securitySchemes"]["bearerAuth"]["scheme"] == "bearer"
    assert document["security"] == [{"bearerAuth": []}]
    for path, methods in OPERATIONS.items():
        assert set(document["paths"][path]) == methods, path
        for operation in document["paths"][path].values():
            assert {"401", "403", "500"} <= set(operation["responses"])
            assert "security" not in operation
    operations = [o for path in document["paths"].values() for o in path.values()]
    assert len({o["operationId"] for o in operations}) == len(operations)
    assert document["paths"]["/healthz"]["get"]["security"] == []
    assert "HTTPValidationError" not in str(document)


async def test_a_change_of_some_fields_requires_none(document):
    for name in ("ScanScheduleWrite", "SiteWrite"):
        part = document["components"]["schemas"][f"{name}Part"]
        assert "required" not in part
        assert set(part["properties"]) == set(document["components"]["schemas"][name]["properties"])
        assert not any("default" in field for field in part["properties"].values())
    change = document["paths"]["/scans/cve/scheduled/{scanScheduleId}"]["patch"]["requestBody"]
    assert change["content"]["application/json"]["schema"]["$ref"].endswith("/ScanScheduleWritePart")


async def test_the_docs_page_names_every_operation_and_code(api, document):
    page = (await api.get("/docs", headers={"Authorization": ""})).text
    for path in document["paths"]:
        assert f"<code>{path}</code>" in page
    assert "<script" not in page
    assert "http://" not in page.replace("http://netvigil.test", "")
