#!/usr/bin/env python3
"""verify.py LOG KEY [CHECKPOINT...]: checks a decision log.
verify.py --proof PROOF KEY: checks a proof that a record is in a log.

Written from docs/audit-format.md, without any library. Exit status: 0 intact,
1 not, 2 it could not be checked. $ZSTD is the command that decodes a zstd frame
from stdin to stdout ("zstd -dc").
"""
import base64
import hashlib
import json
import os
import re
import struct
import subprocess
import sys


class Bad(Exception):
    pass


# Ed25519 (RFC 8032), verification only.
P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def point_add(a, b):
    s, t = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    u, v = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = t - s, v - u, v + u, t + s
    return e * f % P, g * h % P, f * g % P, e * h % P


def point_mul(n, p):
    r = (0, 1, 1, 0)
    while n:
        if n & 1:
            r = point_add(r, p)
        p, n = point_add(p, p), n >> 1
    return r


def recover_x(y, sign):
    if y >= P:
        raise Bad("not a point")
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    if (x * x - x2) % P or (x == 0 and sign):
        raise Bad("not a point")
    return P - x if x & 1 != sign else x


def decode_point(b):
    n = int.from_bytes(b, "little")
    y, sign = n & (2**255 - 1), n >> 255
    x = recover_x(y, sign)
    return x, y, 1, x * y % P


GY = 4 * pow(5, P - 2, P) % P
GX = recover_x(GY, 0)
G = (GX, GY, 1, GX * GY % P)


def signed_by(key, message, signature):
    a, r = decode_point(key), decode_point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % Q
    left, right = point_mul(s, G), point_add(r, point_mul(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


# Keys and checkpoints.
def parse_key(text):
    name, digits, data = text.strip().split("+", 2)
    raw = base64.b64decode(data, validate=True)
    if len(raw) != 33 or raw[0] != 1:
        raise Bad("not an Ed25519 key")
    want = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if want.hex() != digits:
        raise Bad("the key's hash is wrong")
    return name, want, raw[1:]


def parse_checkpoint(data, key):
    name, key_hash, public = key
    text, empty, signatures = data.partition(b"\n\n")
    if not empty:
        raise Bad("not a checkpoint")
    text += b"\n"
    good = False
    for line in signatures.decode().splitlines():
        m = re.fullmatch("\u2014 ([^ ]+) ([A-Za-z0-9+/=]+)", line)
        if not m:
            raise Bad("not a signature line: %r" % line)
        raw = base64.b64decode(m[2], validate=True)
        if m[1] == name and raw[:4] == key_hash:
            if len(raw) != 68 or not signed_by(public, text, raw[4:]):
                raise Bad("the signature does not match")
            good = True
    if not good:
        raise Bad("not signed by the key")
    origin, size, root = text.decode().split("\n")[:3]
    if origin != name or not re.fullmatch("0|[1-9][0-9]*", size):
        raise Bad("of another log, or of no size")
    return int(size), base64.b64decode(root, validate=True)


# The tree.
def leaf(record):
    return hashlib.sha256(b"\0" + record).digest()


def node(left, right):
    return hashlib.sha256(b"\1" + left + right).digest()


class Tree:
    """The roots of the whole subtrees from left to right, as (height, hash)."""

    def __init__(self):
        self.parts, self.size = [], 0

    def add(self, h):
        height = 0
        while self.parts and self.parts[-1][0] == height:
            h, height = node(self.parts.pop()[1], h), height + 1
        self.parts.append((height, h))
        self.size += 1

    def root(self):
        if not self.parts:
            return hashlib.sha256(b"").digest()
        h = self.parts[-1][1]
        for _, left in reversed(self.parts[:-1]):
            h = node(left, h)
        return h


def whole_root(hashes):
    while len(hashes) > 1:
        hashes = [node(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


def tile_path(level, n, width):
    groups = ["%03d" % (n % 1000)]
    while n >= 1000:
        n //= 1000
        groups.insert(0, "x%03d" % (n % 1000))
    path = "tile/%d/%s" % (level, "/".join(groups))
    return path if width == 256 else path + ".p/%d" % width


def read_tile(log, level, n, width):
    base = os.path.join(log, tile_path(level, n, 256))
    names = [base]
    if os.path.isdir(base + ".p"):
        names += [os.path.join(base + ".p", w) for w in os.listdir(base + ".p") if int(w) >= width]
    for name in names:
        if os.path.exists(name):
            data = open(name, "rb").read()
            if len(data) % 32 or len(data) < 32 * width:
                raise Bad("%s: of a wrong length" % name)
            return [data[i * 32:i * 32 + 32] for i in range(width)]
    raise Bad("%s is missing" % tile_path(level, n, width))


def tree_from_tiles(log, size):
    """The tree of a size whose records are gone."""
    tree, level, parts = Tree(), 0, []
    while size >> (8 * level):
        count = size >> (8 * level)
        if count % 256:
            hashes = read_tile(log, level, count // 256, count % 256)
            at, width, here = 0, 128, []
            while width:
                if count % 256 & width:
                    here.append((8 * level + width.bit_length() - 1, whole_root(hashes[at:at + width])))
                    at += width
                width //= 2
            parts = here + parts
        level += 1
    tree.parts, tree.size = parts, size
    return tree


# Segments.
def unzstd(data):
    command = os.environ.get("ZSTD", "zstd -dc").split()
    done = subprocess.run(command, input=data, capture_output=True)
    if done.returncode:
        raise Bad("zstd: " + done.stderr.decode().strip())
    return done.stdout


def packed_lines(path, first):
    data, at = open(path, "rb").read(), 0
    while at < len(data):
        head = data[at:at + 48]
        if len(head) < 48:
            raise Bad("%s: cut short" % path)
        magic, length, tag, packed, plain, records, seq, _, _ = struct.unpack("<II4sIIIQqq", head)
        if magic != 0x184D2A5A or length != 40 or tag != b"OSA1" or seq != first:
            raise Bad("%s: record %d: not the header of its frame" % (path, first))
        lines = unzstd(data[at + 48:at + 48 + packed])
        if len(lines) != plain or lines.count(b"\n") != records or not lines.endswith(b"\n"):
            raise Bad("%s: record %d: not what the header says" % (path, first))
        yield from lines[:-1].split(b"\n")
        first, at = first + records, at + 48 + packed


def segments(log):
    found = {}
    for name in os.listdir(os.path.join(log, "segments")):
        m = re.fullmatch(r"(\d{20})\.ndjson(\.zst)?", name)
        if m and not (int(m[1]) in found and not m[2]):
            found[int(m[1])] = os.path.join(log, "segments", name)
    return sorted(found.items())


def records(log):
    """Every record with its number, and the paths of the segments."""
    segs = segments(log)
    for i, (first, path) in enumerate(segs):
        end = segs[i + 1][0] if i + 1 < len(segs) else None
        n, rest = first, b""
        if path.endswith(".zst"):
            for line in packed_lines(path, first):
                if n == end:
                    raise Bad("%s: more records than its place has room for" % path)
                yield n, line
                n += 1
        else:
            data, at = open(path, "rb").read(), 0
            while n != end:
                stop = data.find(b"\n", at)
                if stop < 0:
                    break
                yield n, data[at:stop]
                n, at = n + 1, stop + 1
            rest = data[at:]
        if end is None:
            return
        if n != end:
            raise Bad("%s: record %d to %d are missing" % (path, n, end - 1))
        if rest:
            following = segs[i + 1][1]
            data = b"".join(l + b"\n" for l in packed_lines(following, end)) if following.endswith(".zst") else open(following, "rb").read()
            if not data.startswith(rest):
                raise Bad("%s: lines stand behind record %d" % (path, end - 1))


def verify(log, key, copies):
    checks = [("checkpoint", parse_checkpoint(open(os.path.join(log, "checkpoint"), "rb").read(), key))]
    for name in sorted(os.listdir(os.path.join(log, "segments"))):
        if name.endswith(".checkpoint"):
            checks.append((name, parse_checkpoint(open(os.path.join(log, "segments", name), "rb").read(), key)))
    size = checks[0][1][0]
    if size < max(c[1][0] for c in checks):
        raise Bad("checkpoint is older than that of a closed segment")
    for name in copies:
        checks.append((name, parse_checkpoint(open(name, "rb").read(), key)))
    segs = segments(log)
    first = segs[0][0] if segs else 1
    tree = tree_from_tiles(log, first - 1)
    compared, pruned = 0, 0

    def compare():
        nonlocal compared
        for name, (n, root) in checks:
            if n == tree.size:
                if tree.root() != root:
                    raise Bad("the first %d records are not those of %s" % (n, name))
                compared += 1

    for name, (n, root) in checks:
        if n < first - 1:
            if tree_from_tiles(log, n).root() != root:
                raise Bad("the first %d records were not those of %s" % (n, name))
            compared += 1
    compare()
    hashes = []
    for n, line in records(log):
        if not line.endswith(b'"seq":%d}}' % n):
            raise Bad("record %d: in its place stands %r" % (n, line[-40:]))
        if b'"type":"pruned"' in line:
            custom = json.loads(line)["custom"]
            if custom["type"] == "pruned":
                pruned = max(pruned, custom["pruned"]["through"])
        h = leaf(line)
        hashes.append(h)
        tree.add(h)
        compare()
    if compared != len(checks):
        late = [(name, n) for name, (n, _) in checks if n > tree.size]
        raise Bad("the log ends at record %d; checkpoints are of more: %s" % (tree.size, late))
    if pruned < first - 1:
        raise Bad("records 1 to %d are missing, and no record says that they expired" % (first - 1))
    tiles = check_tiles(log, hashes, first, size)
    print("intact: %s, records %d to %d, signed up to %d; %d checkpoints, %d tiles" % (key[0], first, tree.size, size, compared, tiles))


def check_tiles(log, hashes, first, size):
    """Compares the tiles of level 0 over records that are there, and each tile
    with the one above it."""
    seen = 0
    for n in range((first - 1) // 256, -(-size // 256)):
        width = min(256, size - 256 * n)
        tile = read_tile(log, 0, n, width)
        for i in range(width):
            at = 256 * n + i - (first - 1)
            if at >= 0 and tile[i] != hashes[at]:
                raise Bad("%s: not the hash of record %d" % (tile_path(0, n, width), 256 * n + i + 1))
        if width == 256 and read_tile(log, 1, n // 256, n % 256 + 1)[n % 256] != whole_root(tile):
            raise Bad("%s: not the hash of the tile below" % tile_path(1, n // 256, n % 256 + 1))
        seen += 1
    return seen


# Proofs.
def check_proof(path, key):
    head, _, checkpoint = open(path, "rb").read().partition(b"\n\n")
    lines = head.decode().split("\n")
    if lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise Bad("not a proof")
    record, index = base64.b64decode(lines[1][6:], validate=True), int(lines[2][6:])
    size, root = parse_checkpoint(checkpoint, key)
    if index >= size or not record.endswith(b'"seq":%d}}' % (index + 1)):
        raise Bad("the record is not the one of its number")
    at, last, h = index, size - 1, leaf(record)
    for line in lines[3:]:
        other = base64.b64decode(line, validate=True)
        if last == 0:
            raise Bad("the proof is too long")
        if at & 1 or at == last:
            h = node(other, h)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            h = node(h, other)
        at, last = at >> 1, last >> 1
    if last or h != root:
        raise Bad("the proof does not lead to the root")
    print("proved: record %d of %s" % (index + 1, key[0]))


def main(args):
    if len(args) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        if args[0] == "--proof":
            check_proof(args[1], parse_key(open(args[2]).read()))
        else:
            verify(args[0], parse_key(open(args[1]).read()), args[2:])
    except (Bad, ValueError, KeyError, IndexError, struct.error) as e:
        print("NOT intact:", e)
        return 1
    except OSError as e:
        print("error:", e, file=sys.stderr)
        return 1 if isinstance(e, FileNotFoundError) else 2
    return 0


sys.exit(main(sys.argv[1:]))
