"""The assembly that Mesa's compilers print, as blocks of classified instructions."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

# The kinds of instructions. `fma` are multiply-adds of each lane, `matrix` products of cooperative matrices, `vector`
# other arithmetic of each lane, `lane` moves between lanes, `scalar` arithmetic of the whole subgroup, `shared` reads
# and writes of workgroup memory, `load` and `store` accesses to buffers or to spilled registers, `constant` loads of
# uniforms. A line is of the first kind whose pattern matches it from its start.
Kinds = dict[str, str]

AMD: Kinds = {
    "lane": r"v_\S*(readlane|readfirstlane|writelane|permlane|_dpp)|ds_\S*(bpermute|swizzle)",
    "matrix": r"v_(wmma|mfma|swmmac)",
    "fma": r"(v_dual_.*::\s*)?v_dual_(fmac|fma|fmaak|fmamk)|v_pk_(fma|fmac)|v_(fma|mad)_mix"
    r"|v_(fma|fmac|fmaak|fmamk|mad|mac)_(legacy_)?f32(_e32|_e64)?\s",
    "vector": r"v_",
    "shared": r"ds_",
    "load": r"(buffer|global|flat|scratch)_load",
    "store": r"(buffer|global|flat|scratch)_(store|atomic)",
    "constant": r"s_(buffer_)?load",
    "wait": r"s_wait|s_delay_alu",
    "nop": r"s_(nop|clause|code_end|inst_prefetch|sleep|set_inst_prefetch)",
    "branch": r"s_(cbranch|branch|endpgm)",
    "barrier": r"s_barrier",
    "scalar": r"",
}
AMD_QUARTER_RATE = r"v_(mul_lo_u32|mul_lo_i32|mul_hi_|rcp_|rsq_|exp_|log_|sqrt_|sin_|cos_)"

# Without predicates and destinations.
NVIDIA: Kinds = {
    "fma": r"ffma|hfma2",
    "matrix": r"hmma|imma",
    "lane": r"shfl|vote",
    "shared": r"(ld|st|atom)\.shared|ldsm",
    "load": r"ld\.",
    "store": r"st\.|atom\.|red\.",
    "constant": r"ldc",
    "barrier": r"bar\.",
    "branch": r"bra|exit|brk|bsync|bssy|warpsync|break|sync",
    "nop": r"nop|membar|fence|ccctl|depbar",
    "vector": r"",
}

# What NVIDIA's own compiler prints, without predicates.
SASS: Kinds = {
    "fma": r"FFMA|HFMA2",
    "matrix": r"[HI]MMA",
    "lane": r"SHFL|VOTE",
    "shared": r"LDS|STS|ATOMS",
    "load": r"LD[GL]",
    "store": r"ST[GL]|RED|ATOMG",
    "constant": r"LDC|ULDC",
    "barrier": r"BAR",
    "branch": r"BRA|EXIT|BRK|BSYNC|BSSY|WARPSYNC|BREAK",
    "nop": r"NOP|MEMBAR|DEPBAR",
    "scalar": r"U[A-Z]|R2UR|S2UR",
    "vector": r"",
}

# Without flags such as (sy), (rpt3).
ADRENO: Kinds = {
    "fma": r"mad\.f(32|16)",
    "lane": r"shfl|ballot|getone|movs|read_first|brcst|quad_shuffle|movmsk",
    "shared": r"ldl|stl",
    "load": r"ldib|ldg|isam|ldp|resinfo|sam",
    "store": r"stib|stg|stp",
    "constant": r"ldc",
    "barrier": r"bar(?!y)",
    "branch": r"b(?!ary)|jump|end|ret|getlast|pred[tfe]|shp[se]",
    "nop": r"nop|fence|sleep",
    "vector": r"",
}

# Without predicates. Before them, (W) marks arithmetic of the whole subgroup. A message's kind is in its comment.
INTEL: Kinds = {
    "fma": r"mad\s.*r\d+(\.\d+)?(<\d+>)?:f",
    "matrix": r"dpas",
    "nop": r"nop|send.*(//.*fence|gtwy)",
    "shared": r"send\.slm",
    "store": r"send.*//.*(store|scratch write)",
    "load": r"send",
    "branch": r"(break|while|if|else|endif|jmpi|halt|cont|goto|join)\b",
    "barrier": r"sync\.bar",
    "wait": r"sync",
    "vector": r"",
}


@dataclass
class Instruction:
    """One line of assembly."""

    kind: str
    text: str
    fmas: int = 0  # multiply-adds of a lane
    bytes: int = 0  # of a lane, if it loads or stores
    slots: int = 1  # issue slots of the vector unit, in instructions of full rate
    delay: int = 1  # cycles until the subgroup issues again, where the compiler says so


@dataclass
class Block:
    """Instructions without branches but at their end, and the names of the blocks that may follow."""

    name: str
    instructions: list[Instruction] = field(default_factory=list)
    next: list[str] = field(default_factory=list)


def kind_of(kinds: Kinds, code: str) -> str:
    return next(kind for kind, pattern in kinds.items() if re.match(pattern, code))


def amd(line: str) -> Instruction:
    kind = kind_of(AMD, line + " ")
    instruction = Instruction(kind, line)
    op = line.split()[0]
    if kind == "fma":
        instruction.fmas = 2 if "v_pk_" in op else max(1, len(re.findall(r"v_dual_fma", line)))
    elif kind == "vector" and re.match(AMD_QUARTER_RATE, op):
        instruction.slots = 4
    elif kind in ("shared", "load", "store"):
        bits, dwords = re.search(r"b(\d+)", op), re.search(r"dwordx(\d)", op)
        instruction.bytes = int(bits[1]) // 8 if bits else 4 * int(dwords[1]) if dwords else 4
        if re.search(r"read2|write2|2addr", op):
            instruction.bytes *= 2
        if re.search(r"[uib]16|d16|short", op):
            instruction.bytes = 2
    return instruction


def nvidia(line: str) -> Instruction:
    code, _, note = line.partition("//")
    code = re.sub(r"^\s*@\S+\s+", "", code).strip()
    assigned = re.match(r"([^=]*?)\s*=\s+(.*)", code)
    destination, op = (assigned[1], assigned[2]) if assigned else ("", code)
    kind = kind_of(NVIDIA, op)
    if kind == "vector" and re.match(r"u[rp]\d", destination):
        kind = "scalar"
    delay = re.search(r"delay=(\d+)", note)
    instruction = Instruction(kind, line, delay=int(delay[1]) if delay else 1)
    if kind == "fma":
        instruction.fmas = 2 if op.startswith("hfma2") else 1
    elif kind in ("shared", "load", "store"):
        bits = re.search(r"\.b(\d+)", op.split()[0])
        instruction.bytes = int(bits[1]) // 8 if bits else 4
    return instruction


def sass(line: str) -> Instruction:
    op = re.sub(r"^@!?U?P\w+\s+", "", line).split()[0]
    instruction = Instruction(kind_of(SASS, op), line)
    if instruction.kind == "fma":
        instruction.fmas = 2 if op.startswith("HFMA2") else 1
    elif instruction.kind in ("shared", "load", "store"):
        bits = re.search(r"\.(64|128)", op)
        instruction.bytes = int(bits[1]) // 8 if bits else 4
    return instruction


def adreno(line: str) -> Instruction:
    code = re.sub(r"\([^)]*\)", "", line).strip() or "nop"
    kind = kind_of(ADRENO, code)
    repeated, waited = re.search(r"\(rpt(\d)\)", line), re.search(r"\(nop(\d)\)", line)
    slots = 1 + (int(repeated[1]) if repeated else 0)
    instruction = Instruction(kind, line, slots=slots, delay=slots + (int(waited[1]) if waited else 0))
    if kind == "fma":
        instruction.fmas = slots
    elif kind in ("shared", "load", "store"):
        numbers = re.search(r", (\d)$", line)
        instruction.bytes = 4 * int(numbers[1]) if numbers else 4
    return instruction


def intel(line: str) -> Instruction:
    uniform = line.startswith("(W")
    code = re.sub(r"^\([^)]*\)\s*", "", line)
    kind = kind_of(INTEL, code)
    if uniform and kind in ("fma", "vector"):
        return Instruction("scalar", line)
    instruction = Instruction(kind, line, fmas=int(kind == "fma"), slots=4 if code.startswith("math") else 1)
    if kind in ("shared", "load", "store"):
        size = re.search(r"d(\d+)(?:u32)?x?(\d+)?", code.split("//")[-1])
        instruction.bytes = int(size[1]) // 8 * int(size[2] or 1) if size else 4
    return instruction


def linked(blocks: list[Block], leaves: Callable[[str], tuple[str | None, bool]]) -> list[Block]:
    """Finds which blocks follow which. `leaves` says where an instruction may jump, and whether it always leaves."""
    for block, after in zip(blocks, [*blocks[1:], None]):
        ended = False
        for instruction in block.instructions:
            target, always = leaves(instruction.text)
            block.next += [target] if target else []
            ended = ended or always
        block.next += [after.name] if after and not ended else []
    return blocks


def amd_blocks(text: str) -> list[Block]:
    def leaves(line):
        jump = re.match(r"s_c?branch\w*\s+(BB\d+)", line)
        return jump and jump[1], line.startswith(("s_branch", "s_endpgm"))

    blocks = []
    for line in text.splitlines():
        label, code = re.match(r"(BB\d+):", line), line.split(";")[0].strip()
        if label:
            blocks.append(Block(label[1]))
        elif blocks and re.match(r"[a-z]+\w*", code):
            blocks[-1].instructions.append(amd(code))
    return linked(blocks, leaves)


def nvidia_blocks(text: str) -> list[Block]:
    blocks = []
    for line in text.splitlines():
        head, tail = re.match(r"block(?:\.u)? (\d+) ", line), re.match(r"\} -> \[(.*)\]", line)
        if head:
            blocks.append(Block(head[1]))
        elif tail and blocks:
            blocks[-1].next = [name.strip() for name in tail[1].split(",") if name.strip()]
        elif blocks and line.strip():
            blocks[-1].instructions.append(nvidia(line))
    return blocks


def sass_blocks(text: str) -> list[Block]:
    """Blocks are named by their addresses, as jumps name them."""
    code = [(int(at, 16), line.strip()) for at, line in re.findall(r"/\*([0-9a-f]{4,5})\*/\s+(.*?);", text)]
    targets = {
        int(at, 16) for _, line in code if re.search(r"\bBRA\b", line) for at in re.findall(r"0x([0-9a-f]+)", line)
    }

    def leaves(line):
        jump = re.search(r"\bBRA\b.*0x([0-9a-f]+)", line)
        return jump and str(int(jump[1], 16)), bool(re.match(r"(BRA(\.\w+)*\s+0x|EXIT)", line))

    blocks = [Block("entry")]
    for at, line in code:
        if at in targets:
            blocks.append(Block(str(at)))
        blocks[-1].instructions.append(sass(line))
        if re.search(r"\b(BRA|EXIT)\b", line):
            blocks.append(Block(f"after {at}"))
    return linked(blocks, leaves)


def adreno_blocks(text: str) -> list[Block]:
    def leaves(line):
        jump = re.search(r"#(l\d+)", line)
        return jump and jump[1], "jump" in line or bool(re.search(r"\bend\b", line))

    blocks = [Block("entry")]
    for line in text.splitlines():
        line = re.sub(r"^:\d+:\d+:\d+\[[^]]*\]\s*", "", line).strip()
        label = re.match(r"(l\d+):", line)
        if label:
            blocks.append(Block(label[1]))
        elif re.match(r"(\([a-z]+\d?\))*[a-z]", line):
            blocks[-1].instructions.append(adreno(line))
            if re.search(r"\b(br\w*|jump|brao|braa|brany|brall)\b.*#l\d+|\bend\b", line):
                blocks.append(Block(f"after {len(blocks)}"))
    return linked(blocks, leaves)


def intel_blocks(text: str) -> list[Block]:
    ends = r"\b(break|while|if|else|cont|jmpi)\b"

    def leaves(line):
        jump = re.search(ends, line) and (re.search(r"jip:(L\d+)", line) or re.search(r"while.*\b(L\d+)", line))
        return jump and jump[1], bool(re.search(r"\belse\b", line))

    blocks = [Block("entry")]
    for line in text.splitlines():
        label, code = re.match(r"(L\d+):", line.strip()), line.strip()
        if label:
            blocks.append(Block(label[1]))
        elif re.match(r"(\([^)]*\)\s*)?[a-z][\w.]*\s+\(", code):
            instruction = intel(code)
            blocks[-1].instructions.append(instruction)
            if instruction.kind == "branch" and re.search(ends, code):
                blocks.append(Block(f"after {len(blocks)}"))
    return linked(blocks, leaves)


# By the kind of a device, as in `amd:navi31`.
READERS = {"amd": amd_blocks, "nv": nvidia_blocks, "fd": adreno_blocks, "intel": intel_blocks}
