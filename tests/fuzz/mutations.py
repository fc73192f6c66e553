"""Damaged and hostile inputs: files of every kind that the harness reads, changed at random, seeded."""

import io
import json
import random
import zipfile

NASTY = [
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\xf0\x9f\x98",  # a character that is cut off
    rb"\ud83d",  # half an emoji, as JSON writes it
    b"\r",
    b'"',
    b"'''",
    b"[" * 5_000,
    b"{" * 400 + b'"a":' * 3,
    b"9" * 5_000,
    b"-1",
    b"1e999",
    b"NaN",
    b"inf",
    b"0000-00-00",
    b"99999-12-31T25:61:61",
    b"../../../etc/passwd",
    b"/dev/zero",
    b"x" * 300,
    b"{{ 7 * 7 }}",
    b"{% for i in range(10**9) %}x{% endfor %}",
    "\u202e\u2066\u200b".encode(),
    b"\x1b[31m",
    b"=cmd|' /C calc'!A0",
    b"null",
    b"true",
    b"[]",
    b"{}",
]


def mutate(content: bytes, rng: random.Random) -> bytes:
    """Change bytes in one to three ways: flipped, cut, repeated, removed, or something nasty put in."""
    for _ in range(rng.randint(1, 3)):
        position = rng.randrange(len(content) + 1)
        end = min(len(content), position + rng.randint(1, 40))
        way = rng.randrange(6)
        if way == 0 and content:
            index = min(position, len(content) - 1)
            content = content[:index] + bytes([content[index] ^ (1 << rng.randrange(8))]) + content[index + 1 :]
        elif way == 1:
            content = content[:position]
        elif way == 2:
            content = content[:position] + content[position:end] * rng.randint(2, 50) + content[end:]
        elif way == 3:
            content = content[:position] + content[end:]
        else:
            content = content[:position] + rng.choice(NASTY) + content[position if way == 4 else end :]
    return content


def mutate_json(content: bytes, rng: random.Random) -> bytes:
    """Give one value of a JSON text another type or an extreme, so that it is still JSON."""
    tree = json.loads(content)
    paths: list[tuple[object, object]] = []
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        for key in node if isinstance(node, dict) else range(len(node)):
            paths.append((node, key))
            if isinstance(node[key], dict | list):
                nodes.append(node[key])
    for _ in range(rng.randint(1, 2)):
        node, key = rng.choice(paths)
        values = [None, [], {}, "", "\ud83d", -1, 10**400, 1e308, True, "x" * 300, [[]], {"a": {"b": []}}, 0.5]
        node[key] = rng.choice(values)
    return json.dumps(tree).encode("utf-8", "surrogatepass")


def mutate_zip(content: bytes, rng: random.Random) -> bytes:
    """Damage one member of a zip file, so that it can still be unpacked."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        names = source.namelist()
        damaged = rng.choice(names)
        for name in names:
            member = source.read(name)
            target.writestr(name, mutate(member, rng) if name == damaged else member)
    return out.getvalue()
