"""Who opened or clicked: a person, or a machine and which."""

import datetime as dt
import re

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import given
from hypothesis import strategies as st

from apps.notifications.decide import machine_rules, machines
from apps.notifications.decide.machines import Look, Machine, judge, named, sign_of
from tests.notifications.decide.people import BROWSERS, READERS

AT = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)
HOUR_AGO = AT - dt.timedelta(hours=1)
PEOPLE = BROWSERS[:1]
OTHERS = {
    "Mozilla/5.0": Machine.PRIVACY,
    "Mozilla/5.0 (X11; Linux x86_64) HeadlessChrome/120.0 Safari/537.36": Machine.SCANNER,
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": Machine.SCANNER,
    "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5": Machine.SCANNER,
    "BarracudaCentral": Machine.SCANNER,
    "Microsoft Office Existence Discovery": Machine.SCANNER,
    "WhatsApp/2.23.20.0": Machine.SCANNER,
    "curl/8.5.0": Machine.SCANNER,
    "Go-http-client/2.0": Machine.SCANNER,
    "python-requests/2.32.3": Machine.SCANNER,
}


def looked(agent: str = PEOPLE[0], *, link: int = 1, sign: str = "") -> Look:
    return Look(link, AT, agent, sign)


def said(look: Look, *, handed_over: dt.datetime | None = HOUR_AGO, others: tuple[Look, ...] = ()):
    return judge(look, handed_over=handed_over, clicks=[look, *others])


def test_browsers_are_people_and_what_is_on_the_list_of_crawlers_is_not() -> None:
    crawlers = [agent for each in CRAWLER_USER_AGENTS_DATA for agent in each.get("instances", [])]
    assert len(crawlers) > 2000
    assert len(BROWSERS) > 200
    for link in (0, 1):
        found = [agent for agent in crawlers if named(agent, link)]
        assert len(found) / len(crawlers) >= 0.98
        wrong = [agent for agent in BROWSERS if named(agent, link)]
        assert wrong == []


def test_robots_that_no_list_knows_are_found_by_what_they_say() -> None:
    """The rules of our own, without the list."""
    crawlers = [agent for each in CRAWLER_USER_AGENTS_DATA for agent in each.get("instances", [])]
    patterns = [re.compile(rule.pattern, re.IGNORECASE) for rule in machine_rules.SCANNERS]
    found = [a for a in crawlers if any(pattern.search(a) for pattern in patterns)]
    assert len(found) / len(crawlers) >= 0.8


@pytest.mark.parametrize("agent", READERS)
def test_whoever_has_pictures_shown_is_a_person(agent: str) -> None:
    assert said(looked(agent, link=0)) == ""


@pytest.mark.reported
@pytest.mark.parametrize("agent", [agent for agent in READERS if "Proxy" in agent])
def test_a_mail_services_picture_proxy_clicks_for_nobody(agent: str) -> None:
    assert said(looked(agent)) == Machine.SCANNER


@pytest.mark.reported
@pytest.mark.parametrize(("agent", "why"), OTHERS.items())
def test_a_scanner_or_proxy_is_none(agent: str, why: Machine) -> None:
    assert said(looked(agent)) == why
    assert said(looked(agent, link=0)) == why


@pytest.mark.reported
@pytest.mark.parametrize("agent", ["", "  "])
def test_who_gives_no_name_opens_for_nobody(agent: str) -> None:
    assert said(looked(agent, link=0)) == Machine.NO_BROWSER


@pytest.mark.parametrize("agent", ["", "  ", "Outlook-iOS/2.0", "something"])
def test_no_browser_clicks_for_nobody(agent: str) -> None:
    assert said(looked(agent)) == Machine.NO_BROWSER


@pytest.mark.reported
@pytest.mark.parametrize(
    ("seconds", "why"), [(0, "too_soon"), (4, "too_soon"), (9.9, "too_soon"), (10, ""), (60, "")]
)
def test_nobody_reads_and_clicks_within_ten_seconds(seconds: float, why: str) -> None:
    handed_over = AT - dt.timedelta(seconds=seconds)
    assert said(looked(), handed_over=handed_over) == why


def test_who_is_faster_than_the_servers_answer_is_none() -> None:
    assert said(looked(), handed_over=None) == Machine.TOO_SOON


@pytest.mark.reported
@pytest.mark.parametrize(
    ("link", "seconds", "why"),
    [(2, 0, "burst"), (2, 4.9, "burst"), (2, -4.9, "burst"), (2, 5, ""), (1, 0, ""), (1, 1, "")],
)
def test_several_links_at_once_are_a_programs(link: int, seconds: float, why: str) -> None:
    other = Look(link, AT + dt.timedelta(seconds=seconds), PEOPLE[0])
    assert said(looked(), others=(other,)) == why


def test_an_open_beside_clicks_is_no_burst() -> None:
    assert said(looked(link=0), others=(looked(link=2),)) == ""


@pytest.mark.parametrize(
    "header",
    [
        {"HTTP_SEC_PURPOSE": "prefetch;prerender"},
        {"HTTP_PURPOSE": "prefetch"},
        {"HTTP_X_PURPOSE": "preview"},
        {"HTTP_X_MOZ": "prefetch"},
    ],
)
def test_a_browser_that_fetches_ahead_is_nobody_yet(header: dict[str, str]) -> None:
    assert sign_of(header, "", []) == Machine.PREFETCH
    assert said(looked(sign=Machine.PREFETCH)) == "prefetch"


def test_who_only_asks_where_a_link_leads_has_not_opened_it() -> None:
    assert sign_of({"REQUEST_METHOD": "HEAD"}, "", []) == Machine.LOOKED
    assert sign_of({"REQUEST_METHOD": "GET"}, "", []) == ""


@pytest.mark.parametrize(
    ("ip", "sign"),
    [
        ("104.47.1.2", "network"),
        ("17.58.0.1", "network"),
        ("203.0.113.9", ""),
        ("2001:db8::1", ""),
        ("2001:db8:1::1", "network"),
        ("", ""),
    ],
)
def test_the_networks_of_filters_are_known(ip: str, sign: str) -> None:
    networks = ["104.47.0.0/17", "17.0.0.0/8", "2001:db8:1::/48"]
    assert sign_of({}, ip, networks) == sign


seconds = st.floats(min_value=-30, max_value=3600, allow_nan=False)


@given(after=seconds, link=st.integers(0, 9), agent=st.sampled_from(BROWSERS))
def test_ten_seconds_after_the_hand_over_are_the_border_for_everybody(
    after: float, link: int, agent: str
) -> None:
    handed_over = AT - dt.timedelta(seconds=after)
    too_soon = AT - handed_over < dt.timedelta(seconds=10)
    why = said(looked(agent, link=link), handed_over=handed_over)
    assert why == (Machine.TOO_SOON if too_soon else "")


@given(
    clicks=st.lists(
        st.tuples(st.integers(1, 5), st.integers(0, 60_000)), min_size=1, max_size=12, unique=True
    )
)
def test_a_click_is_of_a_burst_where_another_link_was_clicked_within_five_seconds(
    clicks: list[tuple[int, int]],
) -> None:
    looks = [Look(link, AT + dt.timedelta(milliseconds=at), PEOPLE[0]) for link, at in clicks]
    for look, (link, at) in zip(looks, clicks, strict=True):
        near = {each for each, when in clicks if abs(when - at) < 5000}
        expected = Machine.BURST if near != {link} else ""
        # whatever order they came in
        assert judge(look, handed_over=HOUR_AGO, clicks=looks) == expected
        assert judge(look, handed_over=HOUR_AGO, clicks=looks[::-1]) == expected


def test_every_reason_has_words() -> None:
    assert set(machines.EXPLANATIONS) == set(Machine)
    assert machines.explain("burst") == "several links of the message at once"
    assert machines.explain("") == ""
