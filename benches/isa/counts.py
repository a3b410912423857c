"""What the layer printed of pipelines, and what their loops are made of."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from assembly import READERS, Block, Instruction

# Input channels (weight gradients: positions) that a shader stages in workgroup memory at a time. Loops without a
# constant count stand in the assembly once, and are counted as often as the tile and this number say.
STAGED = {"conv_gemm_workgroup": 8, "conv_weight_grad_gemm_workgroup": 8, "conv_gemm_cooperative": 16}
# Input channels that conv_gemm_subgroup sums at one tap before it computes addresses again.
CHANNELS = 32
# What a product of cooperative matrices weighs against multiply-adds, where the loop that makes the most is looked for.
MATRIX_WEIGHT = 64


@dataclass
class Loop:
    """A natural loop: control enters it by its header, and some block of it jumps back there."""

    header: str
    body: set[str]
    inner: list[Loop] = field(default_factory=list)
    own: list[Instruction] = field(default_factory=list)  # those that are in no inner loop

    def count(self, *kinds: str) -> int:
        return sum(instruction.kind in kinds for instruction in self.own)

    @property
    def fmas(self) -> int:
        return sum(instruction.fmas for instruction in self.own)

    @property
    def products(self) -> int:
        return self.fmas + MATRIX_WEIGHT * self.count("matrix")

    @property
    def stages(self) -> bool:
        """Whether it writes workgroup memory, itself or in an inner loop."""
        writes = r"ds_(write|store)|.*st\.shared|.*\bSTS|.*\bstl|.*send.*store"
        own = any(one.kind == "shared" and re.match(writes, one.text) for one in self.own)
        return own or any(loop.stages for loop in self.inner)

    def sizes(self, kind: str) -> str:
        """Accesses by the bytes of a lane, such as `8x4`: eight of four bytes."""
        sizes = Counter(instruction.bytes for instruction in self.own if instruction.kind == kind)
        return " ".join(f"{count}x{size}" for size, count in sorted(sizes.items()))


@dataclass
class Share:
    """Multiply-adds, and the issue slots that they are a part of: the vector unit's, and all of a subgroup's."""

    fmas: float = 0
    vector: float = 0
    issued: float = 0

    def of(self, device: str) -> float | None:
        """The percentage that limits the kind of device: AMD issues other instructions beside those of the vector unit,
        of other subgroups, and the others issue one instruction a cycle."""
        slots = self.vector if device.startswith("amd") else self.issued
        return 100 * self.fmas / slots if self.fmas else None


@dataclass
class Pipeline:
    """A compiled shader: the driver's statistics, and its loops, outer ones first."""

    device: str
    subgroup: int
    stats: dict[str, str] = field(default_factory=dict)
    text: str = ""
    loops: list[Loop] = field(default_factory=list)

    def stat(self, *names: str) -> str:
        """The first of these statistics that the driver has."""
        return next((self.stats[name] for name in names if name in self.stats), "")

    @property
    def registers(self) -> str:
        return self.stat("VGPRs", "Number of GPRs", "Registers used", "GPRs", "Max live registers")

    @property
    def spilled(self) -> int:
        """Values that are spilled to memory."""
        return int(self.stat("Spilled VGPRs", "Spills to memory", "STP Count", "Spills") or 0)

    @property
    def resident(self) -> str:
        """Subgroups that run beside each other, by registers and workgroup memory."""
        waves = self.stat("Subgroups per SIMD")
        if waves:  # of 32 threads each
            return f"{int(waves) * 32 // self.subgroup}/SIMD"
        units = {"Max warps/SM": "/SM", "Max Waves Per Core": "/core", "Threads": " threads"}
        return next((self.stats[name] + unit for name, unit in units.items() if name in self.stats), "")

    def hot(self) -> Loop | None:
        """The loop of the most multiply-adds, of those that have none in an inner loop. What is prefetched is summed
        once more after the loop over steps, perhaps in a loop too, which is not meant."""
        innermost = [loop for loop in self.loops if loop.products and not any(map(has_products, loop.inner))]
        most = max((loop.products for loop in innermost), default=0)
        # Outer loops are first.
        return next((loop for loop in reversed(innermost) if 2 * loop.products > most), None)

    def share(self, loops: dict[str, float]) -> Share:
        """The sum over loops, given by their headers, that take this many turns."""
        share = Share()
        for loop in self.loops:
            turns = loops.get(loop.header, 0)
            share.fmas += turns * loop.fmas
            share.vector += turns * sum(i.slots for i in loop.own if i.kind in ("fma", "matrix", "vector", "lane"))
            share.issued += turns * self.issued(loop)
        return share

    def issued(self, loop: Loop) -> int:
        """Issue slots of a subgroup. Waiting takes none; turnip says how long each instruction takes."""
        if self.device.startswith("fd"):
            return sum(instruction.delay for instruction in loop.own)
        return len(loop.own) - loop.count("wait") - (loop.count("nop") if self.device.startswith("amd") else 0)

    def step(self, recipe: str) -> Share | None:
        """Of a whole step of a product, with staging, addresses and loop control; `None` if the recipe has no steps.
        The step is the innermost loop around the hot loop that stages something, and may be the hot loop itself.
        Without workgroup memory it is all channels at one tap."""
        hot = self.hot()
        around = [loop for loop in self.loops if hot and hot.body <= loop.body]
        tile = re.search(r" tile(\d+)x(\d+)", recipe)
        steps = [loop for loop in around if loop.stages]
        if not steps:
            return self.share({around[-2].header: 1, hot.header: CHANNELS}) if tile and len(around) > 1 else None
        turns = {steps[-1].header: 1}
        inner = [loop for loop in steps[-1].inner if loop is hot or loop.stages]
        if inner and not tile:
            return None
        if inner:
            sides, threads = [int(side) for side in tile.groups()], int(re.search(r" wg(\d+)", recipe)[1])
            staged = STAGED[recipe.split()[0]]  # a new shader has to be added there
            loads = zip(sides, [loop for loop in inner if loop is not hot])
            turns |= {loop.header: max(1, side // 4 * staged // threads) for side, loop in loads}
            if hot is not steps[-1]:
                # However many channels a turn sums.
                turns[hot.header] = sides[0] * sides[1] * staged / threads / hot.fmas
        return self.share(turns)


def has_products(loop: Loop) -> bool:
    return loop.products > 0 or any(map(has_products, loop.inner))


def back_edges(blocks: dict[str, Block], entry: str) -> list[tuple[str, str]]:
    """The jumps to blocks that control has come through on its way (in a depth-first search)."""
    edges, seen, path = [], {entry}, {entry}
    stack = [(entry, iter(blocks[entry].next))]
    while stack:
        name, successors = stack[-1]
        successor = next(successors, None)
        if successor is None:
            stack.pop()
            path.discard(name)
        elif successor in path:
            edges.append((name, successor))
        elif successor in blocks and successor not in seen:
            seen.add(successor)
            path.add(successor)
            stack.append((successor, iter(blocks[successor].next)))
    return edges


def find_loops(ordered: list[Block]) -> list[Loop]:
    """The natural loops, outer ones first. Shaders have no jumps into loops."""
    blocks = {block.name: block for block in ordered}
    before = defaultdict(list)
    for block in ordered:
        for successor in block.next:
            before[successor].append(block.name)
    bodies: dict[str, set[str]] = defaultdict(set)
    for tail, header in back_edges(blocks, ordered[0].name):
        body, work = {header, tail}, [tail]
        while work:
            name = work.pop()
            new = [other for other in before[name] if name != header and other not in body]
            body.update(new)
            work += new
        bodies[header] |= body
    places = {block.name: place for place, block in enumerate(ordered)}
    found = [Loop(header, body) for header, body in bodies.items()]
    loops = sorted(found, key=lambda loop: (sum(loop.body < other.body for other in found), places[loop.header]))
    for loop in loops:
        loop.inner = [other for other in loops if other.body < loop.body]
        names = loop.body.difference(*(other.body for other in loop.inner))
        loop.own = [one for name in sorted(names, key=places.get) for one in blocks[name].instructions]
    return loops


def read(output: str, device: str) -> list[tuple[str, list[Pipeline]]]:
    """The titles of the sections that the program and the layer printed, with the sections' pipelines."""
    sections, pipelines, in_text = [], [], False
    for line in output.splitlines():
        mark, _, rest = line.partition(" ")
        if mark in ("#@", "#executable", "#stat", "#text", "#end"):
            in_text = mark == "#text"
        if mark == "#@":
            # What is compiled after a section is in none.
            pipelines = []
            sections += [(rest, pipelines)] if rest != "end" else []
        elif mark == "#executable":
            pipelines.append(Pipeline(device, int(rest.rsplit(" ", 1)[1])))
        elif mark == "#stat":
            name, _, value = rest.rpartition(" | ")
            pipelines[-1].stats[name] = value
        elif in_text and mark != "#text":
            pipelines[-1].text += line + "\n"
    reader = READERS.get(device.partition(":")[0])
    for pipeline in [one for _, section in sections for one in section]:
        blocks = reader(pipeline.text) if reader and pipeline.text else []
        pipeline.loops = find_loops(blocks) if blocks else []
    return sections
