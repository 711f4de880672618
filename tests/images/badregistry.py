#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""badregistry - a registry that misbehaves in the way its repositories' names say.

Usage: badregistry.py LAYOUT LOG [--tls CERT KEY]

Serves the image "t" of an OCI layout at 127.0.0.1 (and 127.0.0.2, which is another host to whoever follows a redirect), on ports that it prints:
one line "PORT OTHER-PORT", both on both addresses. A repository is NAME or NAME/ARGUMENT; NAME is a function below. LOG gets a line of JSON for
each request: host, path, and the headers that matter.
"""
import base64
import gzip
import hashlib
import http.server
import json
import os
import random
import re
import socket
import ssl
import sys
import threading
import time

sys.dont_write_bytecode = True

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
TOKEN_TTL = 300
lock = threading.Lock()
counters = {}  # what a repository has seen so far: (name, what) -> number


def count(*key):
    """How often this was called with the same key before."""
    with lock:
        counters[key] = counters.get(key, 0) + 1
        return counters[key] - 1


def digest_of(data, algorithm="sha256"):
    return algorithm + ":" + hashlib.new(algorithm, data).hexdigest()


def encode(doc):
    return json.dumps(doc).encode()


class Layout:
    """The image, and what is derived from it."""

    def __init__(self, path):
        self.blobs = {}
        for name in os.listdir(os.path.join(path, "blobs/sha256")):
            with open(os.path.join(path, "blobs/sha256", name), "rb") as f:
                self.blobs["sha256:" + name] = f.read()
        with open(os.path.join(path, "index.json"), "rb") as f:
            index = json.load(f)
        for d in index["manifests"]:
            if d.get("annotations", {}).get("org.opencontainers.image.ref.name") == "t":
                self.digest = d["digest"]
        self.text = self.blobs[self.digest]
        self.manifest = json.loads(self.text)

    def layers(self):
        return [d["digest"] for d in self.manifest["layers"]]

    def last(self):
        return self.layers()[-1]

    def add(self, data, algorithm="sha256"):
        d = digest_of(data, algorithm)
        self.blobs[d] = data
        return d

    def descriptor(self, media_type, data, algorithm="sha256", **more):
        return dict(mediaType=media_type, digest=self.add(data, algorithm), size=len(data), **more)

    def changed(self, change):
        """A manifest like ours but for a change."""
        m = json.loads(self.text)
        change(m)
        return encode(m)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def log_message(self, *args):
        pass

    # --- answers

    def head(self, status, headers, reason="x"):
        lines = ["HTTP/1.1 %d %s" % (status, reason)] + ["%s: %s" % h for h in headers]
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def answer(self, status, data=b"", media_type="application/json", **more):
        headers = [("Content-Length", len(data)), ("Content-Type", media_type)]
        self.head(status, headers + [(k.replace("_", "-"), v) for k, v in more.items()])
        self.wfile.write(data)

    def error(self, status, code="UNKNOWN", message="no", **more):
        self.answer(status, encode({"errors": [{"code": code, "message": message}]}), **more)

    def hang_up(self, reset=False):
        """`reset`: what is still on its way is lost as well."""
        self.close_connection = True
        if reset:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()

    def manifest(self, text=None, media_type=MANIFEST, **more):
        text = self.image.text if text is None else text
        more.setdefault("Docker_Content_Digest", digest_of(text))
        self.answer(200, text, media_type, **more)

    def blob(self, data=None, cut=None, ranges=True):
        """Whole or from where a range begins; `cut`: hang up after so many bytes."""
        data = self.image.blobs.get(self.what) if data is None else data
        if data is None:
            return self.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        start = self.range_start() if ranges else None
        part = data[start or 0:]
        headers = [("Content-Length", len(part)), ("Content-Type", "application/octet-stream")]
        if start is not None:
            if start >= len(data):
                return self.error(416, "RANGE", "past the end")
            headers.append(("Content-Range", "bytes %d-%d/%d" % (start, len(data) - 1, len(data))))
        self.head(200 if start is None else 206, headers)
        if cut is not None and cut < len(part):
            self.wfile.write(part[:cut])
            return self.hang_up()
        self.wfile.write(part)

    def range_start(self):
        m = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(m.group(1)) if m else None

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def usual(self):
        if self.kind == "manifests":
            if self.what in ("t", self.image.digest):
                return self.manifest()
            if self.what in self.image.blobs:
                return self.manifest(self.image.blobs[self.what])
            return self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")
        return self.blob()

    def is_layer(self):
        return self.kind == "blobs" and self.what in self.image.layers()

    def base(self, host="127.0.0.1", port=None):
        return "%s://%s:%d" % (self.scheme, host, port or self.server.server_port)

    # --- dispatch

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.note(body.decode("latin-1"))
        self.token(body.decode("latin-1"))

    def note(self, body=""):
        entry = {"host": self.headers.get("Host"), "method": self.command, "path": self.path, "body": body}
        for name in ("Authorization", "Range", "Accept", "Accept-Encoding", "Proxy-Authorization"):
            entry[name.lower()] = self.headers.get(name)
        with lock, open(self.log_path, "a") as f:
            f.write(json.dumps(entry) + "\n")

    def do_GET(self):
        self.note()
        try:
            self.route()
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError, OSError):
            self.close_connection = True

    def route(self):
        path = self.path
        if path.startswith("http://"):  # we are somebody's proxy
            path = "/" + path.split("/", 3)[3]
        self.url = path
        if path.startswith("/token"):
            return self.token()
        if path.startswith("/elsewhere/"):
            self.what = path.split("/")[-1].split("?")[0]
            return self.blob()
        if path.startswith("/wants-token/"):
            return self.error(401, WWW_Authenticate='Bearer realm="%s/token/evil",service="evil"' % self.base("127.0.0.2"))
        if path == "/v2/":
            self.repository, self.argument, self.kind, self.what = "basic", "", "ping", ""
            return self.basic()
        m = re.fullmatch(r"/v2/([a-z0-9-]+)(?:/([a-z0-9-]+))?/(manifests|blobs)/([^?]+)(?:\?.*)?", path)
        if not m:
            return self.error(404, "NAME_UNKNOWN", "no such thing")
        self.repository, self.argument, self.kind, self.what = m.group(1), m.group(2) or "", m.group(3), m.group(4)
        getattr(self, self.repository.replace("-", "_"), self.usual)()

    # --- connections that end

    def cut(self):
        """Each answer ends after ARGUMENT bytes; ranges work."""
        return self.blob(cut=int(self.argument)) if self.is_layer() else self.usual()

    def cutonce(self):
        """The first answer for a layer ends after ARGUMENT bytes."""
        if self.is_layer() and count("cutonce", self.argument, self.what) == 0:
            return self.blob(cut=int(self.argument))
        return self.usual()

    def reset(self):
        """The same by a reset."""
        if self.is_layer() and count("reset", self.what) == 0:
            data = self.image.blobs[self.what]
            self.head(200, [("Content-Length", len(data))])
            self.wfile.write(data[:int(self.argument)])
            return self.hang_up(True)
        return self.usual()

    def norange(self):
        """The first answer for a layer ends after ARGUMENT bytes, and ranges are ignored."""
        if self.is_layer() and count("norange", self.argument, self.what) == 0:
            return self.blob(cut=int(self.argument), ranges=False)
        return self.blob(ranges=False) if self.kind == "blobs" else self.usual()

    def badrange(self):
        """Like norange, but for a range the wrong part comes."""
        if self.is_layer() and count("badrange", self.what) == 0:
            return self.blob(cut=1000)
        start = self.range_start()
        if start:
            data = self.image.blobs[self.what][start - 1:]
            self.head(206, [("Content-Length", len(data)), ("Content-Range", "bytes %d-%d/%d" % (
                start - 1, start - 2 + len(data), start - 1 + len(data)))])
            return self.wfile.write(data)
        return self.usual()

    def liarange(self):
        """For a range, its beginning is right, and the bytes are others."""
        if self.is_layer() and count("liarange", self.what) == 0:
            return self.blob(cut=1000)
        if self.range_start():
            return self.blob(bytes(len(self.image.blobs[self.what])))
        return self.usual()

    def range416(self):
        if self.is_layer() and count("range416", self.what) == 0:
            return self.blob(cut=1000)
        return self.error(416, "RANGE", "no") if self.range_start() else self.usual()

    def noclen(self):
        """No Content-Length: the end of the connection is that of the blob; the first time too early."""
        if not self.is_layer():
            return self.usual()
        data = self.image.blobs[self.what]
        self.head(200, [("Content-Type", "application/octet-stream"), ("Connection", "close")])
        self.wfile.write(data[:1000] if count("noclen", self.what) == 0 else data)
        self.close_connection = True

    def chunked(self):
        if not self.is_layer():
            return self.usual()
        data = self.image.blobs[self.what]
        self.head(200, [("Transfer-Encoding", "chunked")])
        for i in range(0, len(data), 7777):
            self.chunk(data[i:i + 7777])
        self.chunk(b"")

    def stall(self):
        """Half of it, and then nothing."""
        if not self.is_layer():
            return self.usual()
        data = self.image.blobs[self.what]
        self.head(200, [("Content-Length", len(data))])
        self.wfile.write(data[:len(data) // 2])
        self.wfile.flush()
        time.sleep(30)
        self.close_connection = True

    def stallmanifest(self):
        self.head(200, [("Content-Length", "1000"), ("Content-Type", MANIFEST)])
        self.wfile.flush()
        time.sleep(30)
        self.close_connection = True

    # --- content that is not what it should be

    def digest(self):
        """A layer of the right size with another content."""
        if self.is_layer():
            data = bytearray(self.image.blobs[self.what])
            data[len(data) // 2] ^= 1
            return self.blob(bytes(data))
        return self.usual()

    def configdigest(self):
        if self.kind == "blobs" and not self.is_layer():
            return self.blob(bytes(len(self.image.blobs[self.what])))
        return self.usual()

    def mdigest(self):
        """The header says another digest."""
        return self.manifest(Docker_Content_Digest=digest_of(b"x")) if self.kind == "manifests" else self.usual()

    def mbaddigest(self):
        return self.manifest(Docker_Content_Digest="sha256:../../x") if self.kind == "manifests" else self.usual()

    def m512(self):
        """The header's digest is sha512."""
        return self.manifest(Docker_Content_Digest=digest_of(self.image.text, "sha512")) if self.kind == "manifests" else self.usual()

    def mother(self):
        """Asked for by digest, another one comes."""
        return self.manifest(self.image.text + b" ") if self.kind == "manifests" else self.usual()

    def short(self):
        """The server has fewer bytes than the manifest says."""
        return self.blob(self.image.blobs[self.what][:-10]) if self.is_layer() else self.usual()

    def long(self):
        return self.blob(self.image.blobs[self.what] + b"0123456789") if self.is_layer() else self.usual()

    def endless(self):
        """A layer without end."""
        if not self.is_layer():
            return self.usual()
        self.head(200, [("Transfer-Encoding", "chunked")])
        self.chunk(self.image.blobs[self.what])
        while True:
            self.chunk(bytes(65536))

    def lielength(self):
        """Says more than there is, each time."""
        if not self.is_layer():
            return self.usual()
        data = self.image.blobs[self.what]
        self.head(200, [("Content-Length", len(data) + 10)])
        self.wfile.write(data)
        self.hang_up()

    def size(self):
        """The manifest has another size for a layer than it has: ARGUMENT is how many more."""
        more = {"plus": 1, "minus": -1, "huge": 1 << 61}[self.argument]

        def change(m):
            m["layers"][-1]["size"] += more
        return self.manifest(self.image.changed(change)) if self.kind == "manifests" else self.usual()

    def bigconfig(self):
        def change(m):
            m["config"]["size"] = 1 << 40
        return self.manifest(self.image.changed(change)) if self.kind == "manifests" else self.usual()

    def wrongdiff(self):
        """Layers whose digests are right, and whose content is not what the config says."""
        config = json.loads(self.image.blobs[self.image.manifest["config"]["digest"]])
        config["rootfs"]["diff_ids"][-1] = digest_of(b"other")
        data = encode(config)

        def change(m):
            m["config"] = self.image.descriptor(CONFIG, data)
        return self.manifest(self.image.changed(change)) if self.kind == "manifests" else self.usual()

    def endlessmanifest(self):
        self.head(200, [("Transfer-Encoding", "chunked"), ("Content-Type", MANIFEST)])
        while True:
            self.chunk(b" " * 65536)

    def bigmanifest(self):
        self.head(200, [("Content-Length", 5 << 20), ("Content-Type", MANIFEST)])
        self.wfile.write(b" " * (5 << 20))

    def endlessheaders(self):
        self.wfile.write(b"HTTP/1.1 200 x\r\n")
        while True:
            self.wfile.write(b"X-%d: %s\r\n" % (random.getrandbits(32), b"y" * 1000))

    def longheader(self):
        self.wfile.write(b"HTTP/1.1 200 x\r\nX-Long: ")
        while True:
            self.wfile.write(b"y" * 1000)

    def endless100(self):
        while True:
            self.wfile.write(b"HTTP/1.1 100 Continue\r\nX-Y: z\r\n\r\n")

    def endlesserror(self):
        self.head(404, [("Transfer-Encoding", "chunked"), ("Content-Type", "text/plain")])
        self.chunk(b"an error\x1b[31m without end\n")
        while True:
            self.chunk(b"x" * 65536)

    def nohttp(self):
        self.wfile.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
        self.close_connection = True

    def empty(self):
        return self.manifest(b"") if self.kind == "manifests" else self.usual()

    def html(self):
        return self.answer(200, b"<html>log in to this hotel's network</html>", "text/html")

    def untyped(self):
        """What some file servers say of a manifest."""
        return self.manifest(media_type="application/octet-stream") if self.kind == "manifests" else self.usual()

    def both(self):
        """A manifest and an index at once (CVE-2021-41190)."""
        def change(m):
            m["manifests"] = []
        return self.manifest(self.image.changed(change)) if self.kind == "manifests" else self.usual()

    def contradiction(self):
        return self.manifest(media_type=INDEX) if self.kind == "manifests" else self.usual()

    def artifact(self):
        def change(m):
            m["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
        return self.manifest(self.image.changed(change)) if self.kind == "manifests" else self.usual()

    def schema1(self):
        text = encode({"schemaVersion": 1, "name": "a", "tag": "t", "architecture": "amd64", "fsLayers": [], "history": []})
        kind = {"typed": "application/vnd.docker.distribution.manifest.v1+prettyjws"}.get(self.argument, "application/json")
        return self.manifest(text, kind)

    def gzipped(self):
        """Encoded although nobody asked: the manifest (ARGUMENT "manifest"), or a layer that is only called so ("label")."""
        if self.argument == "manifest" and self.kind == "manifests":
            return self.answer(200, gzip.compress(self.image.text), MANIFEST, Content_Encoding="gzip")
        if self.argument == "label" and self.is_layer():
            data = self.image.blobs[self.what]
            return self.answer(200, data, "application/octet-stream", Content_Encoding="gzip")
        return self.usual()

    # --- indexes and other shapes

    def index(self):
        """Platforms; ARGUMENT: "nested", "foreign" (none for linux), "deep"."""
        ours = {"mediaType": MANIFEST, "digest": self.image.digest, "size": len(self.image.text)}
        machine = os.uname().machine
        arch = {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)

        def other(architecture, os_name="linux"):
            config = encode({"architecture": architecture, "os": os_name, "rootfs": {"type": "layers", "diff_ids": []}})
            text = encode({"schemaVersion": 2, "mediaType": MANIFEST, "config": self.image.descriptor(CONFIG, config), "layers": []})
            return self.image.descriptor(MANIFEST, text, platform={"os": os_name, "architecture": architecture})

        entries = [other("s390x"), other("amd64", "windows")]
        if self.argument != "foreign":
            entries.insert(1, dict(ours, platform={"os": "linux", "architecture": arch}))
        doc = {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}
        for _ in range({"nested": 1, "deep": 9}.get(self.argument, 0)):
            doc = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [
                self.image.descriptor(INDEX, encode(doc), platform={"os": "linux", "architecture": arch})]}
        if self.kind == "manifests" and self.what == "t":
            return self.manifest(encode(doc), INDEX)
        return self.usual()

    def sha512(self):
        """All digests are of the other algorithm."""
        def change(m):
            for d in [m["config"]] + m["layers"]:
                d["digest"] = self.image.add(self.image.blobs[d["digest"]], "sha512")
        return self.manifest(self.image.changed(change)) if self.kind == "manifests" else self.usual()

    def inline(self):
        """The config is in its descriptor, and nowhere else; ARGUMENT "wrong": and is another."""
        def change(m):
            data = self.image.blobs[m["config"]["digest"]]
            m["config"]["data"] = base64.b64encode(data if self.argument != "wrong" else data[::-1]).decode()
        if self.kind == "manifests":
            return self.manifest(self.image.changed(change))
        return self.usual() if self.is_layer() else self.error(404, "BLOB_UNKNOWN", "blob unknown to registry")

    def urls(self):
        """The last layer is not here but elsewhere."""
        def change(m):
            last = m["layers"][-1]
            last["urls"] = [self.base("127.0.0.2", self.other_port) + "/nothing", self.base("127.0.0.2", self.other_port) + "/elsewhere/" + last["digest"]]
            last["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        if self.kind == "manifests":
            return self.manifest(self.image.changed(change))
        return self.error(404, "BLOB_UNKNOWN", "blob unknown to registry") if self.what == self.image.last() else self.basic()

    # --- redirects

    def redirect(self):
        """ARGUMENT says where to."""
        if not self.is_layer():
            return self.basic() if self.argument in ("other", "same", "wants") else self.usual()
        to = {
            "other": self.base("127.0.0.2", self.other_port) + "/elsewhere/" + self.what + "?signature=secret",
            "same": "/v2/basic/x/blobs/" + self.what,
            "port": self.base(port=self.other_port) + "/elsewhere/" + self.what,
            "wants": self.base("127.0.0.2", self.other_port) + "/wants-token/" + self.what,
            "plain": "http://127.0.0.1:%d/elsewhere/%s" % (self.plain_port, self.what),
            "loop": self.url,
            "growing": self.url + ("&x" if "?" in self.url else "?x"),
            "file": "file:///etc/passwd",
            "user": "%s://u:p@127.0.0.1/x" % self.scheme,
            "nowhere": "",
            "nonsense": "http://[",
            "long": "/" + "x" * 20000,
        }[self.argument]
        if self.argument in ("other", "same", "wants") and not self.allowed():
            return self.challenge()
        self.answer(307, b"gone", **({"Location": to} if to else {}))

    # --- authentication

    USER = "Basic " + base64.b64encode(b"user:pass:word").decode()

    def allowed(self):
        return self.headers.get("Authorization") == self.USER

    def challenge(self):
        return self.error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate='Basic realm="here"')

    def basic(self):
        if not self.allowed():
            return self.challenge()
        return self.answer(200, b"{}") if self.kind == "ping" else self.usual()

    def forbidden(self):
        return self.error(403, "DENIED", "not for you") if self.allowed() else self.challenge()

    def digestauth(self):
        return self.error(401, WWW_Authenticate='Digest realm="here", nonce="x"')

    def bearer(self):
        """A token from /token. ARGUMENT: "N" requests later it ends."""
        sent = self.headers.get("Authorization", "")
        m = re.fullmatch(r"Bearer token-(\d+)-%s" % self.repository, sent)
        if m:
            uses = int(self.argument) if self.argument.isdigit() else 1000000
            if count("bearer", self.argument, m.group(1)) < uses:
                return self.usual()
        path = "repository:%s%s:pull" % (self.repository, "/" + self.argument if self.argument else "")
        error = ',error="invalid_token"' if sent else ""
        return self.error(401, "UNAUTHORIZED", "authentication required",
                          WWW_Authenticate='Bearer realm="%s/token/%s",service="reg & co",scope="%s"%s' % (self.base(), self.repository, path, error))

    bearer_user = bearer_refresh = bearer_denied = bearer_busy = bearer_redirected = bearer

    def realm(self):
        """Challenges that lead nowhere good."""
        value = {
            "none": "Bearer service=x",
            "empty": 'Bearer realm=""',
            "ftp": 'Bearer realm="ftp://127.0.0.1/token"',
            "file": 'Bearer realm="file:///etc/passwd"',
            "user": 'Bearer realm="%s://u:p@127.0.0.1/token"' % self.scheme,
            "plain": 'Bearer realm="http://127.0.0.1:%d/token/realm"' % self.plain_port,
            "unended": 'Bearer realm="x',
            "twice": 'Bearer realm="%s/token/a",realm="%s/token/b"' % (self.base(), self.base()),
            "endless": 'Bearer realm="%s/token/endless"' % self.base(),
            "blank": 'Bearer realm="%s/token/blank"' % self.base(),
            "crlf": 'Bearer realm="%s/token/crlf"' % self.base(),
            "long": 'Bearer realm="%s/token/long"' % self.base(),
            "notoken": 'Bearer realm="%s/token/notoken"' % self.base(),
            "nojson": 'Bearer realm="%s/token/nojson"' % self.base(),
            "useless": 'Bearer realm="%s/token/useless"' % self.base(),
            "loop": 'Bearer realm="%s/token/loop"' % self.base(),
            "wrongtype": 'Bearer realm="%s/token/wrongtype"' % self.base(),
        }[self.argument]
        return self.error(401, "UNAUTHORIZED", "authentication required", WWW_Authenticate=value)

    def token(self, body=""):
        name = self.path.split("?")[0].split("/")[-1]
        value = "token-%d-%s" % (count("token"), name)
        bad = {
            "blank": {"token": "a b"},
            "crlf": {"token": "a\r\nX-Injected: yes"},
            "long": {"token": "x" * 100000},
            "notoken": {"expires_in": 60},
            "useless": {"token": "useless"},
            "wrongtype": {"token": ["x"]},
        }
        if name in bad:
            return self.answer(200, encode(bad[name]))
        if name == "nojson":
            return self.answer(200, b"<html>", "text/html")
        if name == "loop":
            return self.answer(302, Location="/token/loop")
        if name == "endless":
            self.head(200, [("Transfer-Encoding", "chunked")])
            while True:
                self.chunk(b"x" * 65536)
        if name == "bearer-user" and not self.allowed():
            return self.error(401, "UNAUTHORIZED", "who are you")
        if name == "bearer-refresh" and "refresh_token=the+refresh%2Ftoken" not in body.replace("%20", "+"):
            return self.error(401, "UNAUTHORIZED", "no refresh token")
        if name == "bearer-denied":
            return self.error(403, "DENIED", "no tokens today")
        if name == "bearer-busy" and count("busy") < 2:
            return self.error(503, "BUSY", "later")
        if name == "bearer-redirected" and self.headers.get("Host", "").startswith("127.0.0.1"):
            return self.answer(302, Location=self.base("127.0.0.2", self.other_port) + "/token/bearer-redirected")
        key = "access_token" if body else "token"
        return self.answer(200, encode({key: value, "expires_in": TOKEN_TTL}))

    # --- overload

    def busy(self):
        """429 with Retry-After: ARGUMENT, twice for each thing."""
        if count("busy", self.argument, self.what) < 2:
            return self.error(429, "TOOMANYREQUESTS", "slow down", Retry_After=self.argument)
        return self.usual()

    def faulty(self):
        """ARGUMENT times 500 for each thing."""
        if count("faulty", self.argument, self.what) < int(self.argument):
            return self.error(500 + count("which") % 3 * 2 % 5, "INTERNAL", "oops")
        return self.usual()

    def flaky(self):
        """The first request of each connection is not answered."""
        if count("flaky", self.what) == 0:
            return self.hang_up(True)
        return self.usual()

    def half(self):
        """A mirror that lacks the last layer."""
        if self.kind == "blobs" and self.what == self.image.last():
            return self.error(404, "BLOB_UNKNOWN", "blob unknown to registry")
        return self.usual()

    def nothing(self):
        return self.error(404, "MANIFEST_UNKNOWN", "manifest unknown")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    context = None

    def handle_error(self, request, client_address):
        pass

    def finish_request(self, request, client_address):
        if self.context:
            request.settimeout(20)
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)


def bind(port=0):
    """The same port at both addresses."""
    while True:
        first = Server(("127.0.0.1", port), Handler)
        try:
            return first, Server(("127.0.0.2", first.server_port), Handler)
        except OSError:
            first.server_close()


def main():
    args = sys.argv[1:]
    Handler.image = Layout(args[0])
    Handler.log_path = args[1]
    Handler.scheme = "http"
    plain = bind()
    other = bind()
    servers = list(plain)
    if "--tls" in args:
        at = args.index("--tls")
        Server.context = None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args[at + 1], args[at + 2])
        if "--client-ca" in args:
            context.load_verify_locations(args[args.index("--client-ca") + 1])
            context.verify_mode = ssl.CERT_REQUIRED
        Handler.scheme = "https"
        main_pair = bind()
        for s in list(main_pair) + list(other):
            s.context = context
        servers += list(main_pair)
    else:
        main_pair = plain
    Handler.plain_port = plain[0].server_port
    Handler.other_port = other[0].server_port
    for s in servers + list(other):
        threading.Thread(target=s.serve_forever, daemon=True).start()
    print(main_pair[0].server_port, other[0].server_port, flush=True)
    # Until whoever started us has gone.
    sys.stdin.read()


if __name__ == "__main__":
    main()
