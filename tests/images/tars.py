# SPDX-License-Identifier: Apache-2.0
"""Tars by hand, byte by byte: what no honest tool writes. Shared by the tests in this directory."""
import base64

REG, LINK, SYM, CHR, BLK, DIR, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
END = bytes(1024)


def number(value, width):
    """Octal where it fits, else GNU's base-256."""
    if isinstance(value, bytes):
        return value.ljust(width, b"\0")[:width]
    if 0 <= value < 8 ** (width - 1):
        return b"%0*o\0" % (width - 1, value)
    return b"\x80" + value.to_bytes(width - 1, "big") if value >= 0 else value.to_bytes(width, "big", signed=True)


def raw(name, kind=REG, size=0, mode=0o644, uid=0, gid=0, mtime=1000000000, link=b"", major=0, minor=0, magic=b"ustar\x0000",
        prefix=b"", tail=None):
    """A header block. `tail`: bytes from 345 on, in the place of the prefix."""
    name, link = (s.encode() if isinstance(s, str) else s for s in (name, link))
    block = (name.ljust(100, b"\0")[:100] + number(mode, 8) + number(uid, 8) + number(gid, 8) + number(size, 12) + number(mtime, 12)
             + b" " * 8 + kind + link.ljust(100, b"\0")[:100] + magic + b"root".ljust(32, b"\0") + b"root".ljust(32, b"\0")
             + number(major, 8) + number(minor, 8))
    block += (prefix if tail is None else tail).ljust(512 - len(block), b"\0")[:512 - len(block)]
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def padded(data):
    return data + bytes(-len(data) % 512)


def record(key, value):
    key, value = (s.encode() if isinstance(s, str) else s for s in (key, value))
    body = b" " + key + b"=" + value + b"\n"
    n = len(body)
    while n != len(body) + len(str(n)):
        n = len(body) + len(str(n))
    return str(n).encode() + body


def pax(records, kind=b"x"):
    data = b"".join(record(k, v) for k, v in records)
    return raw("PaxHeaders/x", kind, len(data)) + padded(data)


def gnu_long(kind, text):
    text = text.encode() if isinstance(text, str) else text
    return raw("././@LongLink", kind, len(text) + 1, magic=b"ustar  \0") + padded(text + b"\0")


def entry(name, kind=REG, data=b"", link=b"", xattrs=None, records=None, **kw):
    """A whole entry, with a pax header where the names or records want one."""
    name, link = (s.encode() if isinstance(s, str) else s for s in (name, link))
    records = list(records or [])
    for key, value in (xattrs or {}).items():
        records.append(("SCHILY.xattr." + key, value))
    if len(name) > 100:
        records.append(("path", name))
    if len(link) > 100:
        records.append(("linkpath", link))
    head = pax(records) if records else b""
    kw.setdefault("mode", 0o755 if kind == DIR else 0o644)
    kw.setdefault("size", len(data))
    return head + raw(name, kind, link=link, **kw) + padded(data)


def tar(*entries, end=END):
    return b"".join(entries) + end


def capability():
    """cap_net_raw=ep, as vfs_cap_data of revision 2."""
    return bytes.fromhex("0100000200200000000000000000000000000000")


def libarchive_xattr(key, value):
    return ("LIBARCHIVE.xattr." + key, base64.b64encode(value).rstrip(b"="))
