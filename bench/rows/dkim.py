"""What signing costs a campaign, end to end."""

from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench import mailservers, site
from bench.bench import Bench
from bench.processes import median, spread
from bench.report import Row, at_most

BARS = {"Ed25519": 25.0, "RSA-2048": 50.0}


def keys() -> dict[str, str]:
    made: dict[str, ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey] = {
        "Ed25519": ed25519.Ed25519PrivateKey.generate(),
        "RSA-2048": rsa.generate_private_key(public_exponent=65537, key_size=2048),
    }
    return {
        name: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        for name, key in made.items()
    }


def measure(bench: Bench) -> Row:
    """The same campaign unsigned and with each kind of key, in turns."""
    rates: dict[str, list[float]] = {}
    ways: dict[str, dict[str, str]] = {"unsigned": {}} | {
        name: {"dkim_selector": "bench", "dkim_key": key} for name, key in keys().items()
    }
    with mailservers.sink(bench.folder) as sink, site.worker(bench.folder):
        for _ in range(bench.sizes.rounds):
            for name, settings in ways.items():
                site.forget_campaigns()
                site.send_through(sink.port, **settings)
                sent = site.run_campaign(site.first(bench.sizes.beside), within=300)
                rates.setdefault(name, []).append(sent.rate)
    lines = []
    for name, bar in BARS.items():
        slower = median(
            [
                100 * (1 - one / plain)
                for one, plain in zip(rates[name], rates["unsigned"], strict=True)
            ]
        )
        lines.append(at_most(f"DKIM {name} on: slower than unsigned by", slower, bar, unit=" %"))
    return Row(
        lines, [", ".join(f"{name} {spread(found)} mails/s" for name, found in rates.items()) + "."]
    )
