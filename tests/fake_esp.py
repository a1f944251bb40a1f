"""A local server that speaks like five ESPs and keeps each message as its recipient would get it.

`with FakeEsp() as fake: Mailgun.open(fake.settings("mailgun"))`. It merges by each ESP's own rules,
refuses what the ESP refuses, and breaks where a test says so: `fake.faults` are used up one a call,
`fake.bad` are addresses it won't take. What no ESP would take from us is in `fake.complaints`;
leaving the `with` fails on any.
"""

import base64
import json
import re
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from email.utils import parseaddr
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

from tests.patience import PATIENCE

KEY = "k3y-0f-the-account-nobody-may-see"
# What happens to a call beside an answer
LOST = "take it and close without an answer"
HALF = "take it and close in mid-answer"
SILENT = "take it and never answer"
GARBAGE = "take it and say nothing that makes sense"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Arrived:
    """What lies in the mailbox."""

    to: str
    name: str
    sender: tuple[str, str]  # name, address
    subject: str
    text: str
    html: str
    headers: dict[str, str]  # by lower-case name
    delivery: str
    call: int = 0


class Refused(Exception):
    """The call as a whole is not taken."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


@dataclass
class Call:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def _lower(headers: Any) -> dict[str, str]:
    if isinstance(headers, dict):
        pairs = headers.items()
    else:
        pairs = ((each["Name"], each["Value"]) for each in headers)
    return {name.lower(): value for name, value in pairs}


def _whole_call_refused(fake: "FakeEsp", esp: str, mails: list[Arrived]) -> None:
    for mail in mails:
        if mail.to in fake.bad:
            raise Refused(SAYS[esp][fake.bad[mail.to]])


def _mailgun(fake: "FakeEsp", call: Call) -> tuple[list[Arrived], Any]:
    if call.headers["authorization"] != "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode():
        raise Refused(Answer(401, "Forbidden"))
    if not call.path.endswith("/carillon.example/messages"):
        raise Refused(Answer(404, {"message": "Domain not found"}))
    form = parse_qs(call.body.decode(), keep_blank_values=True, strict_parsing=True)
    one = {name: values[0] for name, values in form.items()}
    variables = json.loads(one.pop("recipient-variables", "null"))
    assert variables is not None or len(form["to"]) == 1, "each would see the addresses of all"
    mails = []
    for to in form["to"]:
        name, address = _mailbox(to)
        if variables:
            own = variables[address]
        else:
            own = {}

        def filled(text: str, own: dict[str, str] = own) -> str:
            if own:
                return re.sub(r"%recipient\.([^%\s]+)%", lambda found: own[found[1]], text)
            return text

        parts = {key: filled(value) for key, value in one.items()}
        headers = {key[2:].lower(): value for key, value in parts.items() if key.startswith("h:")}
        assert (parts["o:tracking-clicks"], parts["o:tracking-opens"]) == ("no", "no")
        mails.append(
            Arrived(
                address,
                name,
                _mailbox(parts["from"]),
                parts["subject"],
                parts["text"],
                parts.get("html", ""),
                headers,
                parts["v:delivery"],
            )
        )
    _whole_call_refused(fake, "mailgun", mails)
    return mails, {"id": f"<{len(fake.calls)}@mailgun.test>", "message": "Queued. Thank you."}


def _sendgrid(fake: "FakeEsp", call: Call) -> tuple[list[Arrived], Any]:
    if call.headers["authorization"] != f"Bearer {KEY}":
        raise Refused(SAYS["sendgrid"]["account"])
    data = call.json
    mails = []
    assert len(data["personalizations"]) <= 1000
    for each in data["personalizations"]:
        [to] = each["to"]
        substitutions = each.get("substitutions", {})
        if (
            sum(len(key.encode()) + len(value.encode()) for key, value in substitutions.items())
            > 10_000
        ):
            raise Refused(
                Answer(400, {"errors": [{"message": "Substitutions are limited to 10000 bytes"}]})
            )

        def filled(text: str, own: dict[str, str] = substitutions) -> str:
            for key, value in own.items():
                text = text.replace(key, value)
            return text

        content = {part["type"]: filled(part["value"]) for part in data["content"]}
        headers = each.get("headers") or data.get("headers", {})
        assert not {"to", "from", "subject", "content-type"} & set(_lower(headers))
        delivery = {**data.get("custom_args", {}), **each["custom_args"]}["delivery"]
        assert not data["tracking_settings"]["click_tracking"]["enable"]
        mails.append(
            Arrived(
                to["email"],
                to.get("name", ""),
                (data["from"].get("name", ""), data["from"]["email"]),
                filled(data.get("subject", "")),
                content.get("text/plain", ""),
                content.get("text/html", ""),
                _lower(headers),
                delivery,
            )
        )
    assert len({mail.to for mail in mails}) == len(mails), "SendGrid takes an address once a call"
    _whole_call_refused(fake, "sendgrid", mails)
    return mails, Answer(202)


def _postmark(fake: "FakeEsp", call: Call) -> tuple[list[Arrived], Any]:
    if call.headers["x-postmark-server-token"] != KEY:
        raise Refused(SAYS["postmark"]["account"])
    data = call.json
    many = call.path.endswith("/email/batch")
    assert many or call.path.endswith("/email")
    mails = []
    answers = []
    for each in data if many else [data]:
        name, address = _mailbox(each["To"])
        headers = _lower(each["Headers"])
        assert headers.pop("x-pm-keepid") == "true"
        assert each["TrackLinks"] == "None"
        assert each["MessageStream"] == "broadcast"
        if address in fake.bad:
            answers.append(SAYS["postmark"][fake.bad[address]].body)
            continue
        mails.append(
            Arrived(
                address,
                name,
                _mailbox(each["From"]),
                each["Subject"],
                each["TextBody"],
                each.get("HtmlBody", ""),
                headers,
                each["Metadata"]["delivery"],
            )
        )
        answers.append(
            {
                "To": each["To"],
                "MessageID": f"pm-{each['Metadata']['delivery']}",
                "ErrorCode": 0,
                "Message": "OK",
            }
        )
    if not many and not mails:
        raise Refused(Answer(422, answers[0]))
    return mails, answers if many else answers[0]


def _brevo(fake: "FakeEsp", call: Call) -> tuple[list[Arrived], Any]:
    if call.headers["api-key"] != KEY:
        raise Refused(SAYS["brevo"]["account"])
    data = call.json
    if not data.get("htmlContent"):
        raise Refused(
            Answer(
                400, {"code": "missing_parameter", "message": "Either of htmlContent is required"}
            )
        )
    versions = data.get("messageVersions") or [{"to": data["to"]}]
    mails = []
    for version in versions:
        [to] = version["to"]
        parts = {**data, **version}
        headers = _lower({**data.get("headers", {}), **version.get("headers", {})})
        custom = json.loads(headers.pop("x-mailin-custom"))
        mails.append(
            Arrived(
                to["email"],
                _plain(to.get("name", "")),
                (_plain(data["sender"].get("name", "")), data["sender"]["email"]),
                parts.get("subject", ""),
                parts.get("textContent", ""),
                parts["htmlContent"],
                headers,
                custom["delivery"],
            )
        )
    _whole_call_refused(fake, "brevo", mails)
    ids = [f"<{mail.delivery}@brevo.test>" for mail in mails]
    return mails, Answer(
        201, {"messageIds": ids} if "messageVersions" in data else {"messageId": ids[0]}
    )


def _amazon_ses(fake: "FakeEsp", call: Call) -> tuple[list[Arrived], Any]:
    if "Credential=AKIACARILLON/" not in call.headers["authorization"]:
        raise Refused(SAYS["amazon_ses"]["account"])
    data = call.json
    if call.path.endswith("/v2/email/outbound-emails"):
        [address] = data["Destination"]["ToAddresses"]
        mime = message_from_bytes(base64.b64decode(data["Content"]["Raw"]["Data"]), policy=default)
        html = mime.get_body(("html",))
        headers = {name.lower(): str(value) for name, value in mime.items()}
        [to] = mime["To"].addresses
        [writer] = mime["From"].addresses
        assert to.addr_spec == address
        mail = Arrived(
            address, to.display_name, (writer.display_name, writer.addr_spec),
            str(mime["Subject"]).strip(),
            mime.get_body(("plain",)).get_content(), html.get_content() if html else "", headers,
            json.loads(headers.pop("x-metadata"))["delivery"],
        )  # fmt: skip
        _whole_call_refused(fake, "amazon_ses", [mail])
        return [mail], {"MessageId": f"ses-{mail.delivery}"}
    assert call.path.endswith("/v2/email/outbound-bulk-emails")
    if fake.no_bulk:
        raise Refused(
            _ses(
                403, "AccessDeniedException", "User is not authorized to perform ses:SendBulkEmail"
            )
        )
    assert len(data["BulkEmailEntries"]) <= 50
    assert len(call.body) < 1_000_000
    template = data["DefaultContent"]["Template"]["TemplateContent"]
    mails = []
    results = []
    for entry in data["BulkEmailEntries"]:
        name, address = _mailbox(entry["Destination"]["ToAddresses"][0])
        own = json.loads(
            entry["ReplacementEmailContent"]["ReplacementTemplate"]["ReplacementTemplateData"]
        )
        headers = _lower(entry["ReplacementHeaders"])
        assert "message-id" not in headers
        assert all(len(value) <= 870 and value.isascii() for value in headers.values())
        delivery = json.loads(headers.pop("x-metadata"))["delivery"]

        def filled(
            part: str, own: dict[str, str] = own, template: dict[str, str] = template
        ) -> str:
            text = template.get(part, "")
            assert not re.search(r"\{\{\{|\}\}\}|\\\{\{", text), "means something else"
            return re.sub(r"\{\{(\w+)\}\}", lambda found: own[found[1]], text)

        if address in fake.bad:
            wrong = "Invalid MIME"
            if fake.bad[address] == "recipient":
                wrong = "Illegal address"
            results.append({"Status": "INVALID_PARAMETER", "Error": wrong})
            continue
        sender = _mailbox(data["FromEmailAddress"])
        parts = [filled(part) for part in ("Subject", "Text", "Html")]
        mails.append(Arrived(address, name, sender, *parts, headers, delivery))
        results.append({"Status": "SUCCESS", "MessageId": f"ses-{delivery}"})
    return mails, {"BulkEmailEntryResults": results}


def _mailbox(text: str) -> tuple[str, str]:
    name, address = parseaddr(text)
    return _plain(name), address


def _plain(name: str) -> str:
    """Encoded words as they are shown."""
    return str(make_header(decode_header(name)))


def _ses(status: int, code: str, message: str, **headers: str) -> Answer:
    return Answer(status, {"message": message}, {"x-amzn-ErrorType": code, **headers})


def _postmark_code(code: int, message: str, status: int = 422) -> Answer:
    return Answer(status, {"ErrorCode": code, "Message": message})


# How each refuses a call, in its own words
SAYS: dict[str, dict[str, Answer]] = {
    "mailgun": {
        "recipient": Answer(
            400, {"message": "to parameter is not a valid address. please check documentation"}
        ),
        "content": Answer(
            400,
            {"message": "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters"},
        ),
        "sender": Answer(
            400, {"message": "from parameter is not a valid address. please check documentation"}
        ),
        "account": Answer(401, "Forbidden"),
    },
    "sendgrid": {
        "recipient": Answer(
            400,
            {
                "errors": [
                    {
                        "message": "Does not contain a valid address.",
                        "field": "personalizations.0.to.0.email",
                    },
                ]
            },
        ),
        "content": Answer(
            400,
            {"errors": [{"message": "The content value must be a string", "field": "content.0"}]},
        ),
        "sender": Answer(
            403,
            {
                "errors": [
                    {
                        "message": "The from address does not match a verified Sender",
                        "field": "from",
                    }
                ]
            },
        ),
        "account": Answer(
            401, {"errors": [{"message": f"The provided grant {KEY} is invalid", "field": None}]}
        ),
    },
    "postmark": {
        "recipient": _postmark_code(
            406,
            "You tried to send to a recipient that has been marked as inactive. Found inactive"
            " addresses: a@b.c. Inactive recipients are ones that have generated a hard bounce or a"
            " spam complaint.",
        ),
        "content": _postmark_code(300, "Invalid metadata content."),
        "sender": _postmark_code(
            400, "The 'From' address you supplied is not a Sender Signature on your account."
        ),
        "account": _postmark_code(10, f"No Account or Server with the token {KEY}.", 401),
    },
    "brevo": {
        "recipient": Answer(
            400, {"code": "invalid_parameter", "message": "email is not valid in to"}
        ),
        "content": Answer(400, {"code": "invalid_parameter", "message": "subject is too long"}),
        "sender": Answer(
            400, {"code": "invalid_parameter", "message": "valid sender email required"}
        ),
        "account": Answer(401, {"code": "unauthorized", "message": "Key not found"}),
    },
    "amazon_ses": {
        "recipient": _ses(
            400, "BadRequestException", "Local address contains control or whitespace"
        ),
        "content": _ses(400, "MessageRejected", "Transaction failed: Invalid MIME content."),
        "sender": _ses(
            400, "MessageRejected", "Email address is not verified. These identities failed: a@b.c"
        ),
        "account": _ses(
            403, "InvalidClientTokenId", "The security token included in the request is invalid."
        ),
    },
}
DIALECTS: dict[str, Callable[["FakeEsp", Call], tuple[list[Arrived], Any]]] = {
    "mailgun": _mailgun,
    "sendgrid": _sendgrid,
    "postmark": _postmark,
    "brevo": _brevo,
    "amazon_ses": _amazon_ses,
}


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # 40 ms a call

    def do_POST(self) -> None:
        fake = self.server.fake
        self._impatient = fake.impatient
        body = self.rfile.read(int(self.headers["Content-Length"]))
        call = Call(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        fake.calls.append(call)
        fault = None
        if fake.faults:
            fault = fake.faults.pop(0)
        if isinstance(fault, Answer):
            self._answer(fault)
            return
        try:
            mails, answer = fake.dialects[self.path.split("/")[1]](fake, call)
        except Refused as refused:
            self._answer(refused.answer)
            return
        except (AssertionError, LookupError, ValueError) as error:
            fake.complaints.append(f"{self.path}: {error!r}")
            self._answer(Answer(400, {"message": f"{error!r}"}))
            return
        for mail in mails:
            mail.call = len(fake.calls)
        fake.arrived += mails
        if not isinstance(answer, Answer):
            answer = Answer(200, answer)
        match fault:
            case "take it and close without an answer":
                self._hang_up()
            case "take it and close in mid-answer":
                self.wfile.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length:"
                    b' 500\r\n\r\n{"id'
                )
                self._hang_up()
            case "take it and never answer":
                fake.over.wait(2 * PATIENCE)
                self._hang_up()
            case "take it and say nothing that makes sense":
                self._answer(Answer(200, "<html>Welcome to the airport</html>"))
            case _:
                self._answer(answer)

    def _answer(self, answer: Answer) -> None:
        if isinstance(answer.body, str):
            said = answer.body
        else:
            said = json.dumps(answer.body)
        if answer.body is None:
            content = b""
        else:
            content = said.encode()
        self.send_response(answer.status)
        for name, value in ({"Content-Type": "application/json"} | answer.headers).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        if self._impatient:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
        self.server.fake.closed += 1

    def setup(self) -> None:
        self.server.fake.connections += 1
        super().setup()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    fake: "FakeEsp"


class FakeEsp:
    dialects: dict[str, Any] = DIALECTS

    def __init__(self) -> None:
        self.arrived: list[Any] = []  # Arrived
        self.calls: list[Call] = []
        self.complaints: list[str] = []
        self.faults: list[Answer | str | None] = []
        self.bad: dict[str, str] = {}  # address -> recipient, content
        self.no_bulk = False  # SES: the keys may not call SendBulkEmail
        self.impatient = False  # closes each connection after its answer
        self.connections = self.closed = 0
        self.over = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.fake = self
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.005,), daemon=True
        )

    def settings(self, esp: str, **more: Any) -> dict[str, Any]:
        """Settings of an account that leads here."""
        own = {
            "mailgun": {"api_key": KEY, "api_url": f"{self.url}/mailgun/v3/"},
            "sendgrid": {"api_key": KEY, "api_url": f"{self.url}/sendgrid/v3"},
            "postmark": {
                "server_token": KEY,
                "api_url": f"{self.url}/postmark/",
                "message_stream": "broadcast",
            },
            "brevo": {"api_key": KEY, "api_url": f"{self.url}/brevo/v3/"},
            "amazon_ses": {
                "region": "eu-west-1",
                "access_key": "AKIACARILLON",
                "secret_key": KEY,
                "api_url": f"{self.url}/amazon_ses",
            },
        }[esp]
        return {
            **own,
            "from_name": "Carillon",
            "from_address": "hello@carillon.example",
            "timeout": PATIENCE,
            **more,
        }

    def __enter__(self) -> "FakeEsp":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        assert self.complaints == []


class Deaf:
    """A server that takes connections, reads a little, and closes them with a reset."""

    def __enter__(self) -> "Deaf":
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._reset, daemon=True)
        self._thread.start()
        return self

    def _reset(self) -> None:
        connection, _ = self._socket.accept()
        connection.recv(1000)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    def __exit__(self, *_: object) -> None:
        self._socket.close()
