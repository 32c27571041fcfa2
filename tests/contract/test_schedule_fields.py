"""Every bound of every field that a client sends for a schedule, from both sides."""

import json

import pytest

SCHEDULES = "/scans/cve/scheduled"
SITE = "9c3c1392-7f36-4240-85f2-273573c0384a"
REQUIRED = (
    "description",
    "day_of_week",
    "time_of_day",
    "every_n_weeks",
    "timezone",
    "min_cvss",
    "warning_threshold",
    "sites",
    "notification_group",
)
NO_NUMBER_FROM_0_TO_10 = ['"4"', "true", "null", "-0.1", "-1", "10.1", "11", "1e308", "[]", "{}", "[4]"]

# raw JSON, so that 1.0 stays 1.0 and a huge number stays huge
INVALID = {
    "description": ["1", "1.5", "true", "null", "[]", "{}", '""', f'"{"x" * 256}"', f'"{"😀" * 256}"', r'"a\u0000"'],
    "day_of_week": [
        '"1"', "1.0", "1e0", "true", "false", "null", "-1", "7", "[]", "{}", "18446744073709551616", "-9223372036854775809",
    ],
    "time_of_day": [
        "2", "null", "true", '""', '"2"', '"24:00"', '"2:60"', '"002:00"', '"02:0"', '"02:00:00"', '"0200"', '"-1:00"',
        '" 2:00"', '"02:00 "', r'"02:00\n"', r'"\u0660\u0662:\u0660\u0660"', r'"2\uff1a00"', r'"\u0000"', f'"{"1" * 99999}"', '"{0}"',
    ],
    "every_n_weeks": ['"2"', "2.0", "1e1", "true", "null", "1", "0", "53", "-2", "[]", "9223372036854775808"],
    "timezone": ["1", "null", "true", "[]", r'"UTC\u0000"'],
    "min_cvss": NO_NUMBER_FROM_0_TO_10,
    "warning_threshold": NO_NUMBER_FROM_0_TO_10,
    "ignore_offline_sites": ['"false"', '"no"', "0", "1", "null", "[]"],
    "notification_group": ['""', "1", "null", "true", "[]", f'"{"x" * 101}"', r'"\u0000"'],
    "sites": ["null", "{}", '"x"', "1", "[]", json.dumps([{"id": SITE, "subnet": "10.0.0.0/24"}] * 501)],
    "notify": ["{}", '"x"', "1", json.dumps([1] * 501)],
    "notify.0": ["[true]", "[null]", "[1.5]", "[[1]]", '[{"id": 1}]', '[""]', r'["\u0000"]', f'["{"x" * 256}"]', "[" * 300 + "]" * 300],
    "sites.0": ["[null]", "[1]", '["x"]', "[[]]"],
}  # fmt: skip

NO_UUID = [
    "1", "null", "true", '""', '"x"', "{}", '"9c3c13927f36424085f2273573c0384a"', '"{{9c3c13927f36424085f2273573c0384a}}"',
    '"urn:9c3c13927f36424085f2273573c0384a"', rf'"{SITE}\n"', f'" {SITE[1:]}"', f'"{SITE[:-1]}g"', f'"{SITE[:-1]}٣"',
]  # fmt: skip
UNKNOWN_ZONES = [
    "", "Mars/Base", "america/new_york", "UTC+2", "+02:00", "../etc/passwd", "/etc/localtime", "localtime", "right/UTC",
    "Europe/Zürich", "UTC ", "{name}", "x" * 9999,
]  # fmt: skip
BAD_SUBNETS = {
    "192.168.0.0/21": "/22 and /32",
    "192.168.0.0/33": "/22 and /32",
    "0.0.0.0/0": "/22 and /32",
    "192.168.1.7/24": "192.168.1.0/24",  # the corrected value
    "192.168.1.0/22": "192.168.0.0/22",
    "fd00::/64": "IPv4",
    "::ffff:10.0.0.0/120": "IPv4",
    "192.168.1.0": "CIDR",
    "192.168.1.0/255.255.255.0": "CIDR",
    " 192.168.1.0/24": "CIDR",
    "192.168.1.0/24\n": "CIDR",
    "192.168.1.0 /24": "CIDR",
    "192.168.01.0/24": "leading zeros",
    "192.168.1.0/024": "CIDR",
    "192.168.1.256/32": "0 to 255",
    "192.168.1/24": "CIDR",
    "١٩٢.168.1.0/24": "CIDR",
    "": "CIDR",
    "x" * 5000: "CIDR",
    "224.0.0.0/24": "multicast",
    "255.255.255.255/32": "broadcast",
    "0.0.0.0/32": "this network",
}


def said(answer, status, code):
    """The error document, after the checks that hold for every one."""
    body = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    assert body["type"] == "invalid_request_error"
    assert body["doc_url"] == f"http://netvigil.test/docs/errors/{code}"
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert body["message"].endswith((".", "?"))
    for word in (
        "ydantic",
        "dictionary",
        "ScanSchedule",
        "after validation",
        "Traceback",
        "x" * 300,
        "1" * 300,
    ):
        assert word not in answer.text
    return body


@pytest.fixture
def post(api, published_example):
    """POST the example with one field as raw JSON; None leaves it out."""

    async def run(field, raw):
        rest = {name: value for name, value in published_example.items() if name != field}
        text = json.dumps(rest) if raw is None else f'{json.dumps(rest)[:-1]}, "{field}": {raw}}}'
        return await api.post(
            SCHEDULES, content=text.encode(), headers={"Content-Type": "application/json; charset=utf-8"}
        )

    return run


@pytest.mark.parametrize("field", INVALID)
async def test_wrong_types_and_values_name_their_field(post, field):
    for raw in INVALID[field]:
        body = said(await post(field.partition(".")[0], raw), 422, "parameter_invalid")
        assert list(body["errors"]) == [field], (field, raw[:40])
        assert body["message"] == body["errors"][field][0]
        assert body["message"].startswith(f"The '{field}' parameter is invalid: ")


async def test_what_json_cannot_say_is_malformed(post):
    outside = [
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "9" * 400,
        "0x1",
        "01",
        "+1",
        "'1'",
        r'"\ud800"',
        "1,",
        "\x00",
    ]
    for raw in [*outside, "[" * 5000 + "]" * 5000]:
        said(await post("min_cvss", raw), 400, "malformed_json")


async def test_a_missing_field_is_named_in_the_published_words(post):
    for field in REQUIRED:
        body = said(await post(field, None), 422, "parameter_missing")
        assert body["message"] == f"The '{field}' parameter is required for this request."
        assert body["errors"] == {field: [body["message"]]}


async def test_all_that_is_wrong_is_said_at_once(api, post):
    body = said(await api.post(SCHEDULES, json={}), 422, "parameter_missing")
    assert body["message"] == "The 'description' parameter is required for this request."
    assert set(body["errors"]) == set(REQUIRED)

    sites = json.dumps([{"id": "x", "subnet": "10.0.0.1/24"}, {"subnet": 5}, {"id": SITE}, 7])
    body = said(await post("sites", sites), 422, "parameter_invalid")
    wanted = ["sites.0.id", "sites.0.subnet", "sites.1.id", "sites.1.subnet", "sites.2.subnet", "sites.3"]
    assert list(body["errors"]) == wanted
    assert body["errors"]["sites.0.subnet"] == ["10.0.0.1/24 has host bits set; did you mean 10.0.0.0/24?"]
    assert body["errors"]["sites.2.subnet"] == [
        "The 'sites.2.subnet' parameter is required for this request."
    ]


async def test_a_site_id_is_a_uuid_in_its_one_form(post):
    for raw in NO_UUID:
        body = said(
            await post("sites", f'[{{"id": {raw}, "subnet": "10.0.0.0/24"}}]'), 422, "parameter_invalid"
        )
        assert list(body["errors"]) == ["sites.0.id"], raw


async def test_only_names_of_the_tz_database_are_timezones(post):
    for name in UNKNOWN_ZONES:
        body = said(await post("timezone", json.dumps(name)), 422, "timezone_unknown")
        assert list(body["errors"]) == ["timezone"]
        assert name[:60] in body["message"]


async def test_subnets_that_are_none(post):
    for raw in ("1", "null", "true", "[]", r'"10.0.0.0/24\u0000"'):
        body = said(await post("sites", f'[{{"id": "{SITE}", "subnet": {raw}}}]'), 422, "parameter_invalid")
        assert list(body["errors"]) == ["sites.0.subnet"]
    for subnet, word in BAD_SUBNETS.items():
        body = said(await post("sites", json.dumps([{"id": SITE, "subnet": subnet}])), 422, "subnet_invalid")
        assert list(body["errors"]) == ["sites.0.subnet"], subnet
        assert word in body["message"], subnet


async def test_thresholds_are_in_order(api, published_example):
    for low, high in [(7, 7), (8, 7), (10, 10), (0, 0), (0, 0.0), (7.000000001, 7)]:
        wrong = {**published_example, "min_cvss": low, "warning_threshold": high}
        body = said(await api.post(SCHEDULES, json=wrong), 422, "threshold_order")
        assert list(body["errors"]) == ["min_cvss"]
        assert "warning_threshold" in body["message"]


async def test_values_just_inside_the_bounds(create):
    values = {
        "description": ["x", "😀" * 255, "<script>", "{0}%s", "a\nb"],
        "day_of_week": [0, 6],
        "every_n_weeks": [2, 52],
        "timezone": ["UTC", "Etc/GMT+12", "Asia/Calcutta", "America/Argentina/ComodRivadavia", "GMT0"],
        "min_cvss": [0, 6.9, 0.000001],
        "warning_threshold": [10, 4.1, 10.0],
        "notification_group": ["x", "y" * 100],
        "ignore_offline_sites": [True, False],
        "notify": [None, [], [1, "u-2", 2**63]],
    }
    for field, goods in values.items():
        for good in goods:
            assert (await create(**{field: good}))[field] == good


async def test_times_are_stored_with_two_digits(create):
    for given, stored in {
        "2:00": "02:00",
        "02:00": "02:00",
        "0:00": "00:00",
        "23:59": "23:59",
        "9:05": "09:05",
    }.items():
        schedule = await create(time_of_day=given, timezone="Asia/Tokyo")
        assert schedule["time_of_day"] == stored
        assert schedule["next_scan_at"].endswith(f"T{stored}:00+09:00")


async def test_the_widest_and_narrowest_subnets(create):
    sites = [{"id": SITE, "subnet": "10.1.0.0/22"}, {"id": SITE, "subnet": "10.1.4.0/32"}]
    assert (await create(sites=sites))["sites"] == sites
    upper = await create(sites=[{"id": SITE.upper(), "subnet": "10.1.0.0/22"}])
    assert upper["sites"] == [{"id": SITE, "subnet": "10.1.0.0/22"}]


async def test_one_site_twice_must_not_overlap(api, published_example):
    for second in ("10.0.0.0/24", "10.0.0.128/25", "10.0.0.0/22", "10.0.0.255/32"):
        pair = [{"id": SITE, "subnet": "10.0.0.0/24"}, {"id": SITE.upper(), "subnet": second}]
        body = said(
            await api.post(SCHEDULES, json={**published_example, "sites": pair}), 422, "subnet_invalid"
        )
        assert list(body["errors"]) == ["sites"]
        assert second in body["message"]
        assert SITE in body["message"]


async def test_unknown_fields_are_ignored_even_the_pages_own_misspelt_ones(api, published_example):
    as_printed = {**published_example, 'ignore_offline_sites"': True, "id": "x", "running": 1, "": None}
    del as_printed["ignore_offline_sites"]
    answer = await api.post(SCHEDULES, json=as_printed, params={"limit": "nonsense", "nobody": "knows"})
    assert answer.status_code == 201
    assert answer.json()["ignore_offline_sites"] is False
    as_printed['notification_group"'] = as_printed.pop("notification_group")
    body = said(await api.post(SCHEDULES, json=as_printed), 422, "parameter_missing")
    assert body["message"] == "The 'notification_group' parameter is required for this request."


async def test_as_many_sites_as_allowed(create):
    sites = [{"id": f"{number:08x}-0000-4000-8000-000000000000", "subnet": f"10.{number // 256}.{number % 256}.0/24"} for number in range(500)]  # fmt: skip
    sites.reverse()
    assert (await create(sites=sites))["sites"] == sites


async def test_an_error_answer_stays_small_however_much_is_wrong(post):
    answer = await post("sites", json.dumps([{"id": "x", "subnet": "y"}] * 500))
    body = said(answer, 422, "parameter_invalid")
    assert len(body["errors"]) == 100
    assert len(answer.content) < 50_000
