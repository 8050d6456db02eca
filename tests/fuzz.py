"""`make fuzz`: damaged files of every format; each must be read or refused in words, in time and in little memory.

What counts as a fault: any exception but a ValueError; a ValueError that does not begin with the file, say what was
expected, in one line, and name a place in the file (or speak of the whole file); more than 5 s of
the processor (what else the machine does is no fault); a peak of allocated memory above 16 x the size of the files read
+ 32 MB. A faulty file stays in runs/fuzz.
"""

from __future__ import annotations

import argparse
import codecs
import gzip
import io
import re
import shutil
import struct
import sys
import tempfile
import time
import tracemalloc
import warnings
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from mvlm.faces import Mesh, read_mesh, write_mesh
from mvlm.faces.formats.landmarks import BND_NAMES, LM3_NAMES, write_bnd, write_lm3
from mvlm.faces.formats.ply import FORMS, write_ply
from mvlm.settings import ROOT

SECONDS, FACTOR, ALLOWANCE = 5.0, 16, 32 * 2**20
KINDS = ("wrl", "obj", "mtl", "bnt", "ply", "bnd", "lm3")
LARGE_SHARE = 0.02  # of the cases: files of about a megabyte, where the allowance does not hide what memory grows with

Data = dict[str, bytes]  # name of a file -> what is in it; the mesh is first


def grid(side: int, rng: np.random.Generator) -> Mesh:
    """A bump of side x side vertices with a texture, whose vertices a .bnt can hold."""
    y, x = np.mgrid[:side, :side] * 2.0  # mm
    z = 10 * np.exp(-((x - side) ** 2 + (y - side) ** 2) / side**2) + rng.normal(0, 0.01, x.shape)
    number = np.arange(side * side).reshape(side, side)
    a, b, c, d = number[:-1, :-1], number[1:, :-1], number[:-1, 1:], number[1:, 1:]
    return Mesh(np.stack([x, y, z], axis=-1).reshape(-1, 3), np.stack([a, c, b, c, d, b], axis=-1).reshape(-1, 3),
                texture_coordinates=np.stack([x, y], axis=-1).reshape(-1, 2) / (2 * side))


@cache
def originals(side: int) -> dict[str, list[Data]]:
    """Sound files of each kind, in several layouts; `side` gives their size."""
    rng = np.random.default_rng(side)
    mesh = grid(side, rng)
    seam = Mesh(mesh.vertices, mesh.triangles, texture_coordinates=mesh.texture_coordinates,
                texture_triangles=mesh.triangles[:, [1, 2, 0]])
    bare = Mesh(mesh.vertices, mesh.triangles)
    painted = Mesh(mesh.vertices, mesh.triangles, texture_coordinates=mesh.texture_coordinates,
                   texture=np.zeros((2, 2, 3), np.uint8))
    found: dict[str, list[Data]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for which in (mesh, seam, bare, painted):
            for kind in ("wrl", "obj"):
                write_mesh(which, place / f"a.{kind}")
                found[kind].append({f"a.{kind}": (place / f"a.{kind}").read_bytes()})
            for form in FORMS:
                if which is not painted:
                    write_ply(which, place / "a.ply", form)
                    found["ply"].append({"a.ply": (place / "a.ply").read_bytes()})
        write_mesh(bare, place / "a.bnt")
        write_mesh(mesh, place / "b.bnt")
        found["bnt"] = [{"a.bnt": (place / name).read_bytes()} for name in ("a.bnt", "b.bnt")]
        library = b"# by hand\nnewmtl face\nKa 1 1 1\nKd 1 1 1\nillum 2\nmap_Kd -s 1 1 1 a.jpg\n"
        found["mtl"] = [{"a.obj": found["obj"][3]["a.obj"], "a.mtl": library}]
        write_bnd(dict(zip(BND_NAMES, mesh.vertices[:len(BND_NAMES)], strict=True)), mesh.vertices, place / "a.bnd")
        found["bnd"] = [{**found["wrl"][2], "a.bnd": (place / "a.bnd").read_bytes()}]
        write_lm3(dict(zip(LM3_NAMES, mesh.vertices[:len(LM3_NAMES)], strict=True)), place / "a.lm3")
        found["lm3"] = [{**found["bnt"][0], "a.lm3": (place / "a.lm3").read_bytes()}]
    for kind in ("wrl", "obj", "bnd", "lm3"):  # layouts that other writers choose
        first = found[kind][0]
        for change in ((b"\n", b"\r\n"), (b" ", b"\t "), (b"\n", b" # note\n")):
            name = list(first)[-1]
            found[kind].append({**first, name: first[name].replace(*change)})
    for kind, more in [*as_found(mesh, found).items(), *scenes(found).items()]:
        found[kind] += more
    quads = b" ".join(b"0 1 2 3 -1" for _ in range(side))
    found["wrl"].append({"a.wrl": re.sub(rb"(?s)coordIndex \[.*", b"coordIndex [ " + quads + b" ] } } ] }",
                                         found["wrl"][2]["a.wrl"], count=1)})
    quads = re.sub(rb"f (\S+ \S+) (.*)\nf \S+ (\S+) .*", rb"f \1 \3 \2", found["obj"][0]["a.obj"])
    found["obj"].append({"a.obj": quads})
    return found


def as_found(mesh: Mesh, found: dict[str, list[Data]]) -> dict[str, list[Data]]:
    """Layouts of .ply, .bnt, .bnd and .lm3 that people have and that are read another way than the usual ones."""
    points, triangles = mesh.vertices.tolist(), mesh.triangles.tolist()
    side = round(len(points) ** 0.5)
    xyz, corners, of_strip = ["double x", "double y", "double z"], "list uchar int vertex_indices", "list int int "
    faces, six = [(row,) for row in triangles], [0.0, 0.0, 1.0, 0.0, 1.0, 1.0]
    strip = [number for low in range(0, side * (side - 1), side)
             for number in [*(low + n // 2 + n % 2 * side for n in range(2 * side)), -1]]
    lame = [(row if n % 5 else row[:2], six if n % 5 else six[:4], n % 2) for n, row in enumerate(triangles)]
    layouts = {
        "lame": [("vertex", xyz, points), ("face", [corners, "list uchar float texcoord", "int texnumber"], lame)],
        "strips": [("vertex", xyz, points), ("tristrips", [f"{of_strip}vertex_indices"], [(strip,), (strip[:9],)])],
    }
    if side < 50:
        layouts |= {
            "normals": [("vertex", [*xyz, "float nx"], [(*p, np.nan) for p in points]), ("face", [corners], faces)],
            "wide": [("vertex", [*xyz, "uint64 id"], [(*p, 7) for p in points]),
                     ("face", ["list uint64 int64 vertex_indices"], faces)],
            "many": [("vertex", [*xyz, *(f"float f{n}" for n in range(150))], [(*p, *[0.5] * 150) for p in points]),
                     ("face", [corners], faces)],
            "twice": [("vertex", [*xyz, "uchar red", "uchar red"], [(*p, 1, 2) for p in points]),
                      ("edge", ["int a"], [(1,)]), ("edge", ["int a"], [(2,)]), ("face", [corners], faces)],
        }
    files = {(name, order): polygon_file(layout, order) for name, layout in layouts.items() for order in ("", "<", ">")}
    plain = files["lame", ""]
    odd = [re.sub(rb"(?m)^(3 .*)$", rb"\1 9 1 1 1 1 1 1 1 1 1", plain)]
    if side < 50:
        odd += [b"\xef\xbb\xbf" + plain, plain + b"\0" * 64, plain.replace(b"\n3 ", b"\n# face\n3 ", 3),
                plain.replace(b"\nelement", b"\nvendor 1\nelement"), files["normals", ""].replace(b"nan", b"-1.#IND")]
    grid, rows, labels = (found[kind][0][f"a.{kind}"] for kind in ("bnt", "bnd", "lm3"))
    hidden = {"bnt": [grid.replace(struct.pack("<d", points[5][2]), struct.pack("<d", np.nan)), grid + b"\0" * 64],
              "bnd": [re.sub(rb"(?m)^.*[05]$", row, rows) for row in (b"-1\t\t0 0 0", b"0 nan nan nan")],
              "lm3": [re.sub(rb"(?m)^.* .* .*[05]\r$", row, labels) for row in (b"-1 -1 -1\r", b"NaN 0 0\r")]}
    more = {kind: [{**found[kind][0], f"a.{kind}": data} for data in changed] for kind, changed in hidden.items()}
    return {**more, "ply": [{"a.ply": data} for data in [*files.values(), *odd]]}


SCENE = b"""PROTO Look [ exposedField SFColor c 1 0 0 ] { Material { diffuseColor IS c } }
Script { field SFNode a USE face url "javascript: f() { }" }
Transform { translation 1 2 3 rotation 0 1 0 6.2831853 scale 2 -2 2 center 1 1 1 children [ LOD { range [ 9 ] level [
%s Shape { geometry Box { } } ] } Switch { whichChoice 0 choice DEF lines Shape { geometry IndexedLineSet {
coord DEF points Coordinate { point [ 0 0 0, 1 0 0, nan 0 0 ] } coordIndex [ 0 1 -1 ] } } } ] }
Inline { url [ "b.wrl" ] } USE lines ROUTE a.b TO c.d
"""
MATERIALS = b"""newmtl "the skin #1"
map_Ka dark.png
map_Kd -blendu on -s 2 0.5 1 -o 0.25 0 my skin (2).tif -clamp off
newmtl other
map_Kd a.png
"""


def scenes(found: dict[str, list[Data]]) -> dict[str, list[Data]]:
    """Layouts of .wrl, .obj and .mtl that people have, likewise."""
    scan, lines = found["wrl"][0]["a.wrl"], found["obj"][0]["a.obj"]
    head, body = re.split(rb"(?<=utf8)\n+", scan, maxsplit=1)
    named = body.replace(b"Shape", b"DEF face Shape", 1)
    moved = body.replace(b"appearance Appearance {", b"appearance Appearance { texture ImageTexture { url [ \"x\" "
                         b"\"my%20skin.tif\" ] repeatS FALSE } textureTransform TextureTransform { scale 1 -1 "
                         b"center .5 .5 rotation 1 translation 3 0 }", 1)
    picture = io.BytesIO()
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8)).save(picture, "png")
    beside = {"my skin (2).png": picture.getvalue(), "my skin.png": picture.getvalue()}
    wrl = [b"%s\n%s" % (head, SCENE % named), b"%s\n%s USE face\n%s" % (head, named, moved), gzip.compress(scan),
           scan.decode().encode("utf-16"), scan + b"\x1a",
           re.sub(rb"(\d+), -1,\n", rb"\1, -1, 0, 1, -1\n", found["wrl"][2]["a.wrl"], count=9)]
    painted = lines.replace(b"f ", b"mtllib a.mtl\nusemtl \"the skin #1\"\nf ", 1)
    obj = [re.sub(rb"(?m)^(v .*)$", rb"\1 nan -nan 1.#IND", lines), painted, codecs.BOM_UTF8 + lines + bytes(64),
           lines.decode().encode("utf-16"), re.sub(rb"(?m)^(f \S+) ", rb"\1 \\ \n ", lines), lines.replace(
               b"f ", b"vc 1 1 1\nf 1 2\nf ", 5)]
    libraries = (MATERIALS, MATERIALS.decode().encode("utf-16"))
    return {"wrl": [{"a.wrl": data, **beside} for data in wrl], "obj": [{"a.obj": data, **beside} for data in obj],
            "mtl": [{"a.obj": painted, "a.mtl": data, **beside} for data in libraries]}


def polygon_file(elements: list[tuple[str, list[str], list[tuple]]], order: str) -> bytes:
    """A .ply of elements: name, properties such as "float x" or "list uchar int name", values of each row."""
    codes = {"uchar": "B", "int": "i", "int64": "q", "uint64": "Q", "float": "f", "double": "d"}
    form = next(form for form, mark in FORMS.items() if mark == order)
    lines, body = ["ply", f"format {form} 1.0", "comment TextureFile a.png", "comment TextureFile b.png"], []
    for name, properties, rows in elements:
        lines += [f"element {name} {len(rows)}", *(f"property {text}" for text in properties)]
        kinds = [text.split()[:-1] for text in properties]
        for row in rows:
            words: list[tuple[str, float]] = []
            for kind, value in zip(kinds, row, strict=True):
                if len(kind) == 3:
                    words.append((kind[1], len(value)))
                words += [(kind[-1], one) for one in (value if len(kind) == 3 else [value])]
            body.append(b"".join(struct.pack(order + codes[kind], value) for kind, value in words) if order else
                        " ".join(f"{value:.6g}" for _, value in words).encode() + b"\n")
    return "\n".join([*lines, "end_header", ""]).encode() + b"".join(body)


# -- damage -------------------------------------------------------------------------------------------------------

NUMBER = re.compile(rb"(?<![\w.])[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?")
WORDS = [b"0", b"-1", b"-0", b"1", b"3", b"255", b"65535", b"65536", b"2147483647", b"2147483648", b"4294967295",
         b"4294967296", b"-2147483649", b"9223372036854775807", b"9223372036854775808", b"99999999999999999999999",
         b"1e999", b"-1e999", b"1e-999", b"1e9", b"-1000000000", b"nan", b"NaN", b"inf", b"-Infinity", b"1.#IND",
         b"1.#QNAN", b"1,5", b"0x10", b"1_000", b"1e", b".", b"-", b"+-1", b"1d5", b"\xd9\xa3", b"1/2", b"1//", b"/1",
         b"//", b"1/1/1/1", b"0.5", b"1.5.5", b"1-1", b"- 1"]
GARBAGE = [b"\x00", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\xc3\x28", b"\x1a", b"\x0b", b"\x0c", b"\x85", b"\r",
           b"\n", b"\\", b"\\\n", b'"', b'\\"', b"#", b"{", b"}", b"[", b"]", b"*\n", b",", b"/", b"\x1b[2J", b"%s%n"]
NESTS = [b"Group { children [ ", b"[", b"{", b"Shape { ", b"a ", b"A{}", b'""', b"#\n", b"a 1 ", b"NULL ", b"DEF a ",
         b"Transform { children ", b"0 ", b"0 0 0 -1 ", b"f 1 1 1\n", b"f 1/1 1/1 1/1\n", b"v 0 0 0\n", b"vt 0 0\n",
         b"g\n", b"\n", b" ", b"\t\n", b"\\\n", b"comment\n", b"element e 1\n", b"property int p\n", b"usemtl a\n",
         b"mtllib a.mtl\n", b"map_Kd x\n", b"3 0 1 2\n", b"*\n", b"1 ", b"ROUTE a TO b ", b"nose\n1 2 3\n", b"- ",
         b"f " + b"1 " * 40 + b"\n", b"property list float half q\n", b"vendor 1\n", b"-1 nan nan nan\n",
         b"element tristrips 1\nproperty list int int vertex_indices\n"]


def flip(data: bytearray, rng: np.random.Generator) -> None:
    for at in rng.integers(0, len(data), int(rng.integers(1, 33))):
        data[at] ^= 1 << int(rng.integers(8))


def truncate(data: bytearray, rng: np.random.Generator) -> None:
    del data[int(rng.integers(len(data))):]


def cut(data: bytearray, rng: np.random.Generator) -> None:
    start = int(rng.integers(len(data)))
    del data[start:start + int(rng.integers(1, 200))]


def repeat(data: bytearray, rng: np.random.Generator) -> None:
    start = int(rng.integers(len(data)))
    block = data[start:start + int(rng.integers(1, 2000))]
    at = int(rng.integers(len(data)))
    data[at:at] = block * int(rng.integers(1, 20))


def exchange(data: bytearray, rng: np.random.Generator) -> None:
    a, b = sorted(rng.integers(0, len(data), 2).tolist())
    size = int(rng.integers(1, 400))
    data[a:a + size], data[b:b + size] = data[b:b + size], data[a:a + size]


def renumber(data: bytearray, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 4))):
        start = int(rng.integers(len(data)))
        number = NUMBER.search(data, start) or NUMBER.search(data)
        if number:
            data[number.start():number.end()] = WORDS[rng.integers(len(WORDS))]


def lie_in_header(data: bytearray, rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        form, most = [("<H", 2**16), ("<I", 2**32), (">I", 2**32)][rng.integers(3)]
        value = int(rng.choice([0, 1, most - 1, most // 2, int(rng.integers(most))]))
        at = int(rng.integers(min(len(data), 64)))
        data[at:at + struct.calcsize(form)] = struct.pack(form, value)
    elif number := NUMBER.search(data, int(rng.integers(min(len(data), 400)))):
        data[number.start():number.end()] = WORDS[rng.integers(len(WORDS))]


def garble(data: bytearray, rng: np.random.Generator) -> None:
    if rng.random() < 0.1:
        form = ["utf-16", "utf-16-be", "utf-32", "utf-7"][rng.integers(4)]
        data[:] = data.decode("latin-1").encode(form)
    for _ in range(int(rng.integers(1, 6))):
        at = int(rng.integers(len(data) + 1))
        data[at:at] = GARBAGE[rng.integers(len(GARBAGE))] * int(rng.integers(1, 4))


def nest(data: bytearray, rng: np.random.Generator) -> None:
    at = int(rng.integers(len(data) + 1))
    if rng.random() < 0.7:  # where a line begins
        at = data.rfind(b"\n", 0, at) + 1
    data[at:at] = NESTS[rng.integers(len(NESTS))] * int(10 ** rng.uniform(0, 5))


def swap_lines(data: bytearray, rng: np.random.Generator) -> None:
    lines = bytes(data).split(b"\n")
    for _ in range(int(rng.integers(1, 6))):
        a, b = rng.integers(0, len(lines), 2)
        lines[a], lines[b] = lines[b], lines[a] if rng.random() < 0.5 else b""
    data[:] = b"\n".join(lines)


def overwrite(data: bytearray, rng: np.random.Generator) -> None:
    start = int(rng.integers(len(data)))
    size = min(int(rng.integers(1, 300)), len(data) - start)
    data[start:start + size] = rng.bytes(size)


DAMAGE = [flip, truncate, cut, repeat, exchange, renumber, lie_in_header, garble, nest, swap_lines, overwrite]


# -- trial --------------------------------------------------------------------------------------------------------

@dataclass
class Findings:
    files: int = 0
    read: int = 0
    refused: int = 0
    seconds: float = 0.0  # the slowest
    share: float = 0.0  # of what is allowed, the most memory
    growth: float = 0.0  # x the size, the most memory, of files above 1 MB
    faults: list[str] = field(default_factory=list)




# Places that a refusal names, and the refusals that speak of a whole file.
PLACE = re.compile(r"^, (line|byte|row|element|face|\w+) [\w, ]+: |"
                   r"^: (row \d+, column \d+|(vertices|triangles|texture\w*)\[\d+\]): ")
WHOLE = re.compile(r"^: expected (a surface|a line|a \.bnt header|an? .* file|at most|\d+ bytes|83 rows|\d+ landmarks|"
                   r"indices of|the coordinates of|shape|texture|polygons of|text in|a whole gzip)|^, the header: ")


def damaged(original: Data, kind: str, rng: np.random.Generator) -> Data:
    name = next(name for name in original if name.endswith(kind))
    data = bytearray(original[name])
    for _ in range(1 + int(rng.geometric(0.6)) if rng.random() < 0.3 else 1):
        if data:
            DAMAGE[rng.integers(len(DAMAGE))](data, rng)
    return {**original, name: bytes(data)}


def unpacked_size(path: Path) -> int:
    """Bytes of a file, where it is packed those that a reader takes from it."""
    data = path.read_bytes()
    try:
        return len(zlib.decompressobj(wbits=31).decompress(data, 64 * len(data)))
    except zlib.error:
        return len(data)


def wrong_with(paths: list[Path], measure: Findings) -> str | None:
    """What is wrong with how these files are treated: the mesh, and what lies beside it."""
    size = sum(unpacked_size(path) for path in paths)
    landmarks = next((path for path in paths if path.suffix in (".bnd", ".lm3")), None)
    tracemalloc.start()
    begin = time.process_time()
    wrong = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pictures that are not there
            read_mesh(paths[0], landmarks=landmarks)
        measure.read += 1
    except ValueError as error:
        measure.refused += 1
        said = str(error)
        rest = next((said[len(str(path)):] for path in paths if said.startswith(str(path))), None)
        if type(error) is not ValueError or rest is None or "\n" in said or "expected" not in said or len(said) > 600:
            wrong = f"refused without file or expectation: {error!r:.300}"
        elif not PLACE.search(rest) and not WHOLE.search(rest):
            wrong = f"refused without a place: {rest:.300}"
    except Exception as error:
        wrong = f"{error!r:.300}"
    seconds, peak = time.process_time() - begin, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    measure.files += 1
    measure.seconds = max(measure.seconds, seconds)
    measure.share = max(measure.share, peak / (FACTOR * size + ALLOWANCE))
    if size > 2**20:
        measure.growth = max(measure.growth, peak / size)
    if seconds > SECONDS:
        return wrong or f"took {seconds:.1f} s"
    if peak > FACTOR * size + ALLOWANCE:
        return wrong or f"took {peak / 2**20:.0f} MB for {size / 2**20:.2f} MB"
    return wrong


def cases(count: int, seed: int) -> Iterator[tuple[int, str, Callable[[], Data]]]:
    """Number, kind and what makes the files of each case; the same for the same seed."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        kind = KINDS[number % len(KINDS)]
        choice = originals(110 if rng.random() < LARGE_SHARE else 10)[kind]
        yield number, kind, lambda choice=choice, kind=kind, rng=rng: damaged(choice[rng.integers(len(choice))],
                                                                             kind, rng)


def run(count: int, seed: int, *, keep: Path | None = None, quiet: bool = True) -> Findings:
    """Tries `count` damaged files; those that are treated wrongly are kept in a folder if one is given."""
    measure = Findings()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for number, _, make in tqdm(cases(count, seed), total=count, desc="fuzz", unit="file", disable=quiet):
            files = make()
            for name, data in files.items():
                (place / name).write_bytes(data)
            wrong = wrong_with([place / name for name in files], measure)
            if wrong:
                measure.faults.append(f"case {number} ({', '.join(files)}): {wrong}")
                if keep:
                    shutil.copytree(place, keep / str(number), dirs_exist_ok=True)
            for path in place.iterdir():
                path.unlink()
    return measure


def main() -> int:
    parser = argparse.ArgumentParser(description="Damaged files of every format, read or refused.")
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    keep = ROOT / "runs" / "fuzz"
    shutil.rmtree(keep, ignore_errors=True)
    found = run(arguments.files, arguments.seed, keep=keep, quiet=False)
    print(f"{found.files} files: {found.read} read, {found.refused} refused; slowest {found.seconds:.2f} s; "
          f"memory at most {found.growth:.1f} x a file above 1 MB and {100 * found.share:.0f} % of what is allowed; "
          f"{len(found.faults)} faults")
    for fault in found.faults[:20]:
        print(fault)
    return int(bool(found.faults))


if __name__ == "__main__":
    sys.exit(main())
