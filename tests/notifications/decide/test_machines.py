"""Who opened or clicked: a person, or a machine and which."""

import datetime as dt

import pytest

from apps.notifications.decide import machines
from apps.notifications.decide.machines import Look, Machine, judge, sign_of

AT = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)
HOUR_AGO = AT - dt.timedelta(hours=1)
PEOPLE = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; CUBOT NOTE 50) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/139.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0",
]
READERS = [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)",
    "Outlook-iOS/2.0",
]
OTHERS = {
    "Mozilla/5.0": Machine.IMAGE_PROXY,
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)": (
        Machine.IMAGE_PROXY
    ),
    "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html": Machine.IMAGE_PROXY,
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


@pytest.mark.parametrize("agent", PEOPLE)
def test_a_browser_is_a_person(agent: str) -> None:
    assert said(looked(agent)) == ""
    assert said(looked(agent, link=0)) == ""


@pytest.mark.parametrize("agent", READERS)
def test_a_mail_program_that_shows_images_is_a_person(agent: str) -> None:
    assert said(looked(agent, link=0)) == ""


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


def test_every_reason_has_words() -> None:
    assert set(machines.EXPLANATIONS) == set(Machine)
    assert machines.explain("burst") == "several links of the message at once"
    assert machines.explain("") == ""
