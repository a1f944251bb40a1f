"""Reports of receivers, in the forms they come in, and what only looks like one."""

import datetime as dt
import gzip
import io
import json
import zipfile
import zlib
from email.message import EmailMessage

import pytest

from apps.channels.doctor.reports.read import reports_in, reports_of
from apps.channels.doctor.reports.report import BadReport, Sort
from apps.channels.returned.mail_parts import MailParts, mail_parts

BEGIN = 1796083200


def row(ip: str, count: int, *, dkim: str = "pass", spf: str = "pass", done: str = "none") -> str:
    return f"""<record><row><source_ip>{ip}</source_ip><count>{count}</count><policy_evaluated>
<disposition>{done}</disposition><dkim>{dkim}</dkim><spf>{spf}</spf></policy_evaluated></row>
<identifiers><header_from>shop.example</header_from></identifiers><auth_results><dkim><domain>
shop.example</domain><result>fail</result></dkim></auth_results></record>"""


def report(*rows: str, name: str = "r1", begin: int = BEGIN, root: str = "<feedback>") -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>{root}<report_metadata>
<org_name>mail.example</org_name><email>dmarc@mail.example</email><report_id>{name}</report_id>
<date_range><begin>{begin}</begin><end>{begin + 86399}</end></date_range></report_metadata>
<policy_published><domain>Shop.Example</domain><p>none</p></policy_published>
{"".join(rows)}</feedback>"""


MIXED = report(
    row("192.0.2.1", 5),
    row("192.0.2.1", 2, dkim="fail"),
    row("198.51.100.9", 3, dkim="fail", spf="fail", done="reject"),
)
TLS = {
    "organization-name": "Mail Example",
    "date-range": {
        "start-datetime": "2026-11-30T00:00:00Z",
        "end-datetime": "2026-11-30T23:59:59Z",
    },
    "report-id": "t1",
    "policies": [
        {
            "policy": {"policy-type": "sts", "policy-domain": "shop.example"},
            "summary": {"total-successful-session-count": 40, "total-failure-session-count": 2},
            "failure-details": [{"result-type": "certificate-expired", "failed-session-count": 2}],
        }
    ],
}


def mailed(data: bytes, kind: str = "application/gzip") -> bytes:
    mail = EmailMessage()
    mail["Subject"] = "Report domain: shop.example"
    mail["From"] = "dmarc@mail.example"
    mail.set_content("This is a report.")
    main, _, sub = kind.partition("/")
    mail.add_attachment(data, maintype=main, subtype=sub, filename="a.xml.gz")
    return mail.as_bytes()


def zipped(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("report.xml", text)
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        MIXED.encode(),
        gzip.compress(MIXED.encode()),
        zipped(MIXED),
        MIXED.replace("UTF-8", "ISO-8859-1").replace("mail.e", "mail.\xe9").encode("latin-1"),
        b"\xef\xbb\xbf" + MIXED.encode(),
        MIXED.replace("<feedback>", '<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">').encode(),
        MIXED.replace("<feedback>", "<schema><feedback>").encode(),
        MIXED.replace("mail.example", "mail.\xe9xample").encode("latin-1"),
    ],
    ids=["xml", "gzip", "zip", "latin-1", "mark", "rfc9990", "never closed", "a wrong byte"],
)
def test_a_dmarc_report_is_read_in_each_form(data: bytes) -> None:
    [found] = reports_of(data)
    assert (found.sort, found.domain, found.name) == (Sort.DMARC, "shop.example", "r1")
    assert (found.passed, found.failed) == (7, 3)
    assert found.begin == dt.datetime.fromtimestamp(BEGIN, dt.UTC)
    forged = {"ip": "198.51.100.9", "count": 3, "dkim": False, "spf": False, "done": "reject"}
    assert forged in found.rows


def test_a_tls_report_is_read() -> None:
    [found] = reports_of(gzip.compress(json.dumps(TLS).encode()))
    assert (found.sort, found.passed, found.failed) == (Sort.TLS, 40, 2)
    assert found.rows == [{"result": "certificate-expired", "count": 2, "host": ""}]


def test_reports_are_found_in_a_mail() -> None:
    [found] = reports_in(mail_parts(mailed(gzip.compress(MIXED.encode()))))
    assert found.domain == "shop.example"
    assert reports_in(mail_parts(mailed(b"%PDF-1.7", "application/octet-stream"))) == []


def test_a_report_about_very_many_servers_is_kept_small_and_counts_them_all() -> None:
    many = [row(f"10.0.{number // 250}.{number % 250}", 1) for number in range(1500)]
    [found] = reports_of(report(*many).encode())
    assert found.passed == 1500
    assert len(found.rows) == 1001


def several(*files: bytes) -> MailParts:
    mail = EmailMessage()
    mail["From"] = "dmarc@mail.example"
    mail.set_content("Reports.")
    for data in files:
        mail.add_attachment(data, maintype="application", subtype="gzip", filename="a.gz")
    return mail_parts(mail.as_bytes())


def test_a_bad_part_takes_none_of_the_good_ones_with_it() -> None:
    good = [gzip.compress(report(row("192.0.2.1", 1), name=name).encode()) for name in "ab"]
    parts = several(good[0], b"\x1f\x8bnothing of the sort", good[1])
    assert [each.name for each in reports_in(parts)] == ["a", "b"]


def test_a_whole_mail_has_one_budget() -> None:
    half = gzip.compress(report(row("192.0.2.1", 1)).encode() + b" " * 11_000_000)
    assert len(reports_in(several(half, half, half))) == 1
    many = gzip.compress(report(*["<record/>"] * 120_000, row("192.0.2.1", 1)).encode())
    assert len(reports_in(several(many, many, many))) == 1
    small = gzip.compress(report(row("192.0.2.1", 1)).encode())
    assert len(reports_in(several(*[small] * 9))) == 5
    wide = json.dumps(TLS | {"more": [0] * 120_000}).encode()
    assert len(reports_in(several(*[gzip.compress(wide)] * 3))) == 1


def test_names_are_cut_and_hold_only_what_a_database_stores() -> None:
    # text comes in pieces, and the last of them may be long
    name = "b" * 290 + "<!-- -->" + "c" * 290
    [found] = reports_of(report(row("192.0.2.1", 1), name=name).encode())
    assert len(found.name) == 300
    odd = {"organization-name": "a\0b", "report-id": "\ud800"}
    [told] = reports_of(json.dumps(TLS | odd).replace("expired", "ex\\u0000").encode())
    assert (told.organization, told.name) == ("a b", "?")
    assert told.rows[0]["result"] == "certificate-ex "


ENTITIES = '<!DOCTYPE a [<!ENTITY b "bbbbbbbb"><!ENTITY c "&b;&b;&b;">]>'


@pytest.mark.parametrize(
    "data",
    [
        report("&c;").replace("<feedback>", f"{ENTITIES}<feedback>").encode(),
        gzip.compress(b"<feedback>" + b" " * 30_000_000),
        zipped("<feedback>" + " " * 30_000_000),
        gzip.compress(MIXED.encode())[:-40],
        b"\x1f\x8bnothing of the sort",
        b"PK\x03\x04nothing of the sort",
        b"<feedback>" + b"<a>" * 100_000,
        b"<html><body>Hello</body></html>",
        b'<?xml version="1.0" encoding="hex"?><feedback></feedback>',
        report(row("192.0.2.1", 1)).replace(str(BEGIN), "9" * 40).encode(),
        report("<record><row><count>-5</count></row></record>").encode(),
        b"{}",
        b'{"policies": 1}',
        b"[" * 100_000,
        json.dumps(TLS | {"date-range": {"start-datetime": "now"}}).encode(),
        json.dumps(TLS).replace("40", "Infinity").encode(),
        json.dumps(TLS).replace("2026-11-30T00:00:00Z", "0001-01-01T00:00:00+14:00").encode(),
        b"{" + b'"a":{' * 100_000,
    ],
    ids=lambda data: zlib.crc32(data),
)
def test_bombs_and_what_is_no_report_are_refused(data: bytes) -> None:
    try:
        found = reports_of(data)
    except BadReport:
        found = []
    assert found == []
