"""The doctor over a name server: a zone that is right, and one that is wrong in each way."""

import datetime as dt
from dataclasses import replace

import pytest

from apps.channels.doctor import bimi, dkim_record, dmarc, mailboxes, relay, spf
from apps.channels.doctor.examine import NO_HTTPS, Server, WayOut, examine
from apps.channels.doctor.finding import Finding, Verdict, finding_of
from apps.channels.doctor.lookup import UNANSWERED
from tests.channels.doctor.zones import Zones, served

TODAY = dt.date(2026, 12, 1)
KEY = dkim_record.Key("car", "v=DKIM1; k=rsa; p=MIIBkey")
SIGNED = "car._domainkey.shop.example"
OURS: Zones = {
    "shop.example": ["TXT v=spf1 a:relay.example ~all", "MX 10 mx.shop.example"],
    "mx.shop.example": ["A 192.0.2.25"],
    "relay.example": ["A 198.51.100.7", "AAAA 2001:db8::7"],
    SIGNED: [f"TXT {KEY.record}"],
    "_dmarc.shop.example": ["TXT v=DMARC1; p=reject; rua=mailto:dmarc@shop.example"],
}
WAY = WayOut(
    domain="shop.example",
    envelope="shop.example",
    contact="news@shop.example",
    site="https://news.shop.example",
    server=Server("relay.example", 25, "none"),
    key=KEY,
)


def found_in(zones: Zones, way: WayOut = WAY) -> list[Finding]:
    with served(zones) as names:
        return examine(way, names, today=TODAY)


def txt(name: str, *records: str) -> Zones:
    return {name: [f"TXT {record}" for record in records]}


def spf_of(*words: str) -> Zones:
    record = " ".join(["v=spf1", *words])
    return {"shop.example": [f"TXT {record}", "MX 10 mx.shop.example"]}


def test_a_domain_that_is_right_has_nothing_to_mend_but_the_way_to_its_server() -> None:
    found = found_in(OURS)
    assert [each.sentence for each in found if each.verdict != Verdict.GOOD] == [relay.CLEAR]
    assert {each.topic for each in found} == {"spf", "dkim", "dmarc", "mx", "tls", "one_click"}


TEN = {f"i{number}.example": ["TXT v=spf1 -all"] for number in range(11)}
WRONG: list[tuple[str, Zones, str, Verdict]] = [
    ("no spf", {"shop.example": ["MX 10 mx.shop.example"]}, spf.NO_RECORD, Verdict.FAULT),
    (
        "two spf",
        txt("shop.example", "v=spf1 mx -all", "v=spf1 a ~all"),
        spf.TWO_RECORDS,
        Verdict.FAULT,
    ),
    ("spf typo", spf_of("inclued:x.example", "~all"), spf.BAD_TERM, Verdict.FAULT),
    ("spf network", spf_of("ip4:300.1.1.1", "~all"), spf.BAD_TERM, Verdict.FAULT),
    ("spf wrong family", spf_of("ip4:2001:db8::1", "~all"), spf.BAD_TERM, Verdict.FAULT),
    ("spf prefix", spf_of("a/33", "~all"), spf.BAD_TERM, Verdict.FAULT),
    ("spf no value", spf_of("include:", "~all"), spf.BAD_TERM, Verdict.FAULT),
    (
        "spf eleven lookups",
        spf_of(*(f"include:{name}" for name in TEN), "~all") | TEN,
        spf.TOO_MANY,
        Verdict.FAULT,
    ),
    (
        "spf void",
        spf_of("a:x.example", "a:y.example", "mx:z.example", "~all"),
        spf.TOO_VOID,
        Verdict.FAULT,
    ),
    ("spf include of nothing", spf_of("include:x.example"), spf.NOTHING_THERE, Verdict.FAULT),
    ("spf redirect to nothing", spf_of("redirect=x.example"), spf.NOTHING_THERE, Verdict.FAULT),
    ("spf of itself", spf_of("include:shop.example", "~all"), spf.LOOP, Verdict.FAULT),
    (
        "spf in a circle",
        spf_of("include:a.example") | txt("a.example", "v=spf1 include:shop.example"),
        spf.LOOP,
        Verdict.FAULT,
    ),
    (
        "spf two in an include",
        spf_of("include:a.example") | txt("a.example", "v=spf1 mx", "v=spf1 a"),
        spf.TWO_RECORDS,
        Verdict.FAULT,
    ),
    ("spf for everybody", spf_of("+all"), spf.EVERYBODY, Verdict.FAULT),
    ("spf without an end", spf_of("a:relay.example"), spf.NO_END, Verdict.NOTICE),
    ("spf neutral", spf_of("a:relay.example", "?all"), spf.NO_END, Verdict.NOTICE),
    ("spf ptr", spf_of("a:relay.example", "ptr", "~all"), spf.SLOW, Verdict.NOTICE),
    ("spf of others", spf_of("ip4:203.0.113.0/24", "-all"), spf.NOT_NAMED, Verdict.NOTICE),
    ("spf only one family", spf_of("ip4:198.51.100.7", "-all"), spf.NOT_NAMED, Verdict.NOTICE),
    ("spf silent", {"shop.example": ["SERVFAIL"]}, UNANSWERED, Verdict.UNKNOWN),
    ("no key", {SIGNED: ["A 192.0.2.1"]}, dkim_record.MISSING, Verdict.FAULT),
    ("two keys", txt(SIGNED, KEY.record, "v=DKIM1; p=x"), dkim_record.TWO, Verdict.FAULT),
    ("another key", txt(SIGNED, "v=DKIM1; p=MIIBother"), dkim_record.OTHER, Verdict.FAULT),
    ("revoked key", txt(SIGNED, "v=DKIM1; p="), dkim_record.REVOKED, Verdict.FAULT),
    (
        "key of another kind",
        txt(SIGNED, "v=DKIM1; k=ed25519; p=MIIBkey"),
        dkim_record.OTHER,
        Verdict.FAULT,
    ),
    ("broken key", txt(SIGNED, "v=DKIM1 k=rsa p"), dkim_record.UNREADABLE, Verdict.FAULT),
    ("half a key", txt(SIGNED, "v=DKIM1; k=rsa"), dkim_record.UNREADABLE, Verdict.FAULT),
    (
        "key for other services",
        txt(SIGNED, KEY.record + "; s=tlsrpt"),
        dkim_record.NOT_FOR_MAIL,
        Verdict.FAULT,
    ),
    ("key for sha1", txt(SIGNED, KEY.record + "; h=sha1"), dkim_record.NO_SHA256, Verdict.FAULT),
    ("key in testing", txt(SIGNED, KEY.record + "; t=y"), dkim_record.TESTING, Verdict.NOTICE),
    ("no dmarc", {"_dmarc.shop.example": []}, dmarc.NO_RECORD, Verdict.FAULT),
    (
        "two dmarc",
        txt("_dmarc.shop.example", "v=DMARC1; p=none", "v=DMARC1; p=reject"),
        dmarc.TWO,
        Verdict.FAULT,
    ),
    ("broken dmarc", txt("_dmarc.shop.example", "v=DMARC1; p"), dmarc.UNREADABLE, Verdict.FAULT),
    (
        "no policy",
        txt("_dmarc.shop.example", "v=DMARC1; p=rejct"),
        dmarc.BAD_POLICY,
        Verdict.FAULT,
    ),
    ("not dmarc", txt("_dmarc.shop.example", "v=DMARC2; p=none"), dmarc.NO_RECORD, Verdict.FAULT),
    ("watching", txt("_dmarc.shop.example", "v=DMARC1; p=none"), dmarc.WATCHING, Verdict.NOTICE),
    (
        "policy left out",
        txt("_dmarc.shop.example", "v=DMARC1; rua=mailto:a@shop.example"),
        dmarc.WATCHING,
        Verdict.NOTICE,
    ),
    (
        "no reports",
        txt("_dmarc.shop.example", "v=DMARC1; p=reject"),
        dmarc.NO_REPORTS,
        Verdict.NOTICE,
    ),
    (
        "a share of mails",
        txt("_dmarc.shop.example", "v=DMARC1; p=reject; pct=50; ri=60"),
        dmarc.OLD,
        Verdict.NOTICE,
    ),
    (
        "testing",
        txt("_dmarc.shop.example", "v=DMARC1; p=reject; t=y"),
        dmarc.TESTING,
        Verdict.NOTICE,
    ),
    (
        "reports to strangers",
        txt("_dmarc.shop.example", "v=DMARC1; p=reject; rua=mailto:in@reports.example"),
        dmarc.NOT_ASKED,
        Verdict.NOTICE,
    ),
    (
        "null mx",
        spf_of("a:relay.example", "~all") | {"shop.example": ["MX 0 ."]},
        mailboxes.NO_MAIL,
        Verdict.FAULT,
    ),
    ("no mx", txt("shop.example", "v=spf1 a:relay.example ~all"), mailboxes.NOWHERE, Verdict.FAULT),
    (
        "no mx, an address",
        {"shop.example": ["TXT v=spf1 a:relay.example ~all", "A 192.0.2.1"]},
        mailboxes.NO_MX,
        Verdict.NOTICE,
    ),
    ("mx without address", {"mx.shop.example": []}, mailboxes.NO_ADDRESS, Verdict.FAULT),
    (
        "two logos",
        txt("default._bimi.shop.example", "v=BIMI1; l=https://a/b.svg", "v=BIMI1; l="),
        bimi.TWO,
        Verdict.NOTICE,
    ),
    (
        "a picture",
        txt("default._bimi.shop.example", "v=BIMI1; l=https://shop.example/logo.png"),
        bimi.NO_LOGO,
        Verdict.NOTICE,
    ),
    (
        "a logo nobody vouches for",
        txt("default._bimi.shop.example", "v=BIMI1; l=https://shop.example/logo.svg"),
        bimi.NO_CERTIFICATE,
        Verdict.NOTICE,
    ),
]


@pytest.mark.parametrize(
    ("zones", "sentence", "verdict"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_what_is_wrong_is_named(zones: Zones, sentence: str, verdict: Verdict) -> None:
    found = found_in(OURS | zones)
    named = {each.sentence: each.verdict for each in found}
    assert named.get(sentence) == verdict
    assert all(each.said for each in found)


def test_what_the_doctor_says_to_publish_mends_what_it_found() -> None:
    zones = {"mx.shop.example": ["A 192.0.2.25"], "relay.example": ["A 198.51.100.7"]}
    zones["shop.example"] = ["MX 10 mx.shop.example"]
    for _round in range(2):
        for each in found_in(zones):
            if each.publish:
                rows = zones.setdefault(each.publish.name, [])
                rows[:] = [row for row in rows if not row.startswith("TXT v=spf1")]
                rows.append(f"TXT {each.publish.value}")
    left = {each.sentence for each in found_in(zones) if each.verdict == Verdict.FAULT}
    assert left == {relay.CLEAR}


@pytest.mark.parametrize(
    ("records", "merged"),
    [
        (["v=spf1 mx ~all", "v=spf1 a mx -all"], "v=spf1 mx a ~all"),
        (["v=spf1 ip4:192.0.2.1 -all", "v=spf1 mx -all"], "v=spf1 ip4:192.0.2.1 mx -all"),
    ],
)
def test_two_records_are_made_one(records: list[str], merged: str) -> None:
    [said] = [
        each for each in found_in(OURS | txt("shop.example", *records)) if each.topic == "spf"
    ]
    assert said.publish
    assert said.publish.value == merged


def test_a_vendors_relay_is_known_by_what_its_customers_include() -> None:
    way = replace(WAY, server=Server("email-smtp.eu-west-1.amazonaws.com", 587, "none"))
    [missing, *_rest] = found_in(OURS, way)
    assert missing.verdict == Verdict.FAULT
    assert missing.publish
    assert missing.publish.value == "v=spf1 include:amazonses.com a:relay.example ~all"
    there = spf_of("include:amazonses.com", "-all") | txt("amazonses.com", "v=spf1 -all")
    assert found_in(OURS | there, way)[0].sentence == spf.GOOD


class TestDmarcIsFoundByWalkingUpwards:
    """RFC 9989, 4.10."""

    def test_eight_names_at_most_are_asked(self) -> None:
        assert dmarc.walked("a.mail.shop.example") == [
            "a.mail.shop.example",
            "mail.shop.example",
            "shop.example",
            "example",
        ]
        long = "a.b.c.d.e.f.g.h.i.j.mail.example.com"
        assert dmarc.walked(long)[:3] == [
            long,
            "g.h.i.j.mail.example.com",
            "h.i.j.mail.example.com",
        ]
        assert len(dmarc.walked(long)) == 8

    @pytest.mark.parametrize(
        ("zones", "domain", "home"),
        [
            (txt("_dmarc.shop.example", "v=DMARC1"), "a.shop.example", "shop.example"),
            (
                txt("_dmarc.shop.example", "v=DMARC1")
                | txt("_dmarc.a.shop.example", "v=DMARC1; p=none"),
                "a.shop.example",
                "shop.example",
            ),
            (
                txt("_dmarc.shop.example", "v=DMARC1")
                | txt("_dmarc.a.shop.example", "v=DMARC1; psd=n"),
                "b.a.shop.example",
                "a.shop.example",
            ),
            (txt("_dmarc.example", "v=DMARC1; psd=y"), "b.shop.example", "shop.example"),
            ({"nothing.example": []}, "b.shop.example", "b.shop.example"),
        ],
        ids=["above", "the highest", "psd=n ends it", "below a registry", "alone"],
    )
    def test_the_organization(self, zones: Zones, domain: str, home: str) -> None:
        with served(zones) as names:
            assert dmarc.organization(names, domain) == home

    @pytest.mark.parametrize(
        ("record", "policy"),
        [
            ("v=DMARC1; p=reject", "reject"),
            ("v=DMARC1; p=reject; sp=quarantine", "quarantine"),
            ("v=DMARC1; p=none; np=reject", "none"),
        ],
    )
    def test_the_policy_of_a_subdomain(self, record: str, policy: str) -> None:
        zones = txt("_dmarc.shop.example", record) | {"news.shop.example": ["A 192.0.2.1"]}
        with served(zones) as names:
            found = dmarc.examine(names, "news.shop.example", "news.shop.example", "a@b.example")
        assert found[0].sentence == dmarc.GOOD
        assert found[0].values["policy"] == policy

    def test_a_domain_that_is_not_there_is_told(self) -> None:
        with served(OURS) as names:
            [said] = dmarc.examine(names, "shpo.example", "shop.example", "a@shop.example")
        assert said.sentence == dmarc.NO_SUCH_DOMAIN

    def test_an_envelope_of_strangers_is_told_and_one_of_the_house_is_not(self) -> None:
        for envelope, apart in [("bounce.shop.example", False), ("vendor.example", True)]:
            with served(OURS) as names:
                found = dmarc.examine(names, "shop.example", envelope, "a@shop.example")
            assert (dmarc.ENVELOPE_APART in [each.sentence for each in found]) is apart


def test_a_relay_is_called_by_a_name_that_leads_back() -> None:
    zones: Zones = {
        "relay.example": ["A 8.8.4.4"],
        "other.example": ["A 8.8.8.8"],
        "4.4.8.8.in-addr.arpa": ["PTR relay.example."],
    }
    with served(zones) as names:
        assert [each.sentence for each in relay.reverse(names, "relay.example")] == [relay.NAMED]
    for name, sentence in [("other.example", relay.MISNAMED), (None, relay.NAMELESS)]:
        zones["4.4.8.8.in-addr.arpa"] = [f"PTR {name}."] if name else []
        with served(zones) as names:
            assert [each.sentence for each in relay.reverse(names, "relay.example")] == [sentence]


def test_readers_pages_without_https_are_told() -> None:
    way = replace(WAY, site="http://news.shop.example")
    assert NO_HTTPS in [each.sentence for each in found_in(OURS, way)]


def test_a_finding_is_stored_and_read_again() -> None:
    for each in found_in(OURS | {"_dmarc.shop.example": []}):
        assert finding_of(each.as_json()) == each
