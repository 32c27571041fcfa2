"""The picture of open findings: days counted back from today, areas that add up."""

from datetime import date

from netvigil.web.chart import HEIGHT, WIDTH, Day, Step, build_chart, open_by_day

TODAY = date(2026, 11, 24)


def test_days_are_counted_back_from_today():
    steps = [
        Step(date(2026, 11, 23), "new", "HIGH", 5),
        Step(TODAY, "resolved", "HIGH", 2),
        Step(TODAY, "regressed", "LOW", 1),
        Step(date(2026, 11, 22), "withdrawn", "CRITICAL", 4),
    ]
    days = open_by_day({"HIGH": 3, "LOW": 1}, steps, TODAY, 4)
    assert [one.day.day for one in days] == [21, 22, 23, 24]
    assert [one.open["HIGH"] for one in days] == [0, 0, 5, 3]
    assert [one.open["LOW"] for one in days] == [0, 0, 0, 1]
    assert [one.open["CRITICAL"] for one in days] == [4, 0, 0, 0]


def test_numbers_that_do_not_add_up_never_fall_below_nothing():
    days = open_by_day({"HIGH": 1}, [Step(TODAY, "new", "HIGH", 9)], TODAY, 2)
    assert [one.open["HIGH"] for one in days] == [0, 1]


def test_areas_lie_on_each_other():
    days = [Day(TODAY, {"CRITICAL": 1, "HIGH": 0, "MEDIUM": 3, "LOW": 0, "NONE": 0})]
    chart = build_chart(days)
    assert chart.top == 4
    assert [one.severity for one in chart.bands] == ["CRITICAL", "MEDIUM"]
    assert chart.bands[0].points == f"0,180 {WIDTH},180 {WIDTH},{HEIGHT} 0,{HEIGHT}"
    assert chart.bands[1].points == f"0,0 {WIDTH},0 {WIDTH},180 0,180"


def test_upper_edge_is_round_and_can_be_halved():
    for number in (1, 2, 3, 7, 11, 99, 100, 129, 1601, 99_999, 1_000_000):
        top = build_chart([Day(TODAY, {"CRITICAL": number, "HIGH": 0, "MEDIUM": 0, "LOW": 0, "NONE": 0})]).top
        assert number <= top <= max(4, number * 1.7)
        assert top % 2 == 0


def test_nothing_makes_no_picture():
    assert build_chart(open_by_day({}, [], TODAY, 14)) is None


def test_table_names_the_days_that_changed():
    days = open_by_day({"HIGH": 3}, [Step(date(2026, 11, 20), "new", "HIGH", 3)], TODAY, 14)
    assert [one.day for one in build_chart(days).turns] == [date(2026, 11, 20), date(2026, 11, 11)]
