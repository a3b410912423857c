#!/usr/bin/env python3
"""What NVIDIA's own compiler makes of the matrix products, without a GPU and without root.

    tests/written FOLDER
    benches/isa/nvidia.py FOLDER [SHADER] [NAME=VALUE ...]      such as conv_gemm_workgroup merged=true

Takes the texts that naga writes for Metal, with all of its checks in them: Metal's language is C++, and metal.cuh makes
CUDA of it. nvcc is installed from PyPI. NVIDIA's Vulkan driver ends in the same code generator, but comes to it another
way, and checks the bounds of buffers itself. Counts the f32 texts of the shader, one for each size of tile, with the
constants below or those that are given. A text takes nvcc ten seconds or more.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True

from assembly import sass_blocks  # noqa: E402
from counts import STAGED, Pipeline, find_loops  # noqa: E402
from table import print_table, row  # noqa: E402

HERE = Path(__file__).resolve().parent
PACKAGES = "nvidia-cuda-nvcc nvidia-cuda-crt nvidia-nvvm nvidia-cuda-runtime nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm"
BUILTINS = {
    "threadgroup_position_in_grid": "metal::uint3(blockIdx.x, blockIdx.y, blockIdx.z)",
    "thread_index_in_threadgroup": "threadIdx.x",
    "thread_index_in_simdgroup": "threadIdx.x % 32",
}
# Of the texts that differ in constants beside the tile, those with these values are counted.
CONSTANTS = {"split": "false", "has_bias": "false", "activation": "0", "merged": "false"}


def tools(folder: Path) -> Path:
    """The folder of nvcc, which is installed if it is missing."""
    if not list(folder.glob("lib/python*/site-packages/nvidia/cu*/bin/cuobjdump")):
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([folder / "bin/python", "-m", "pip", "install", "-q", *PACKAGES.split()], check=True)
    return next(folder.glob("lib/python*/site-packages/nvidia/cu*/bin"))


def constants_of(text: str) -> dict[str, str]:
    return dict(re.findall(r"^constant \w+ ([a-z]\w*) = (\w+?)u?;", text, re.M))


def recipe_of(shader: str, constants: dict[str, str]) -> str:
    """The words of a recipe that say what its steps are."""
    words = [shader, f"wg{constants['workgroup_size']}"]
    if "staged_rows" in constants:
        sides = [4 * int(constants[f"staged_{side}"]) // STAGED[shader] for side in ("rows", "columns")]
        words.append(f"tile{sides[0]}x{sides[1]}")
    elif "quads" in constants:
        words.append(f"tile{4 * int(constants['quads'])}x{4 * int(constants['workgroup_size'])}")
    return " ".join(words)


def kernel(threads: str, signature: str) -> str:
    """A kernel that calls Metal's with buffers and workgroup memory."""
    declared, passed, shared = [], [], []
    for argument in signature.split("\n, "):
        typed, name, attribute = re.fullmatch(r"\s*(.*?)[ &]+(\w+)(?: \[\[(.*)\]\])?", argument).groups()
        space, _, kind = typed.partition(" ")
        if attribute in BUILTINS:
            passed.append(BUILTINS[attribute])
        elif space == "device":
            declared.append(f"{kind} *__restrict__ {name}")
            passed.append(f"*{name}")
        else:
            (shared if space == "threadgroup" else declared).append(f"{kind} {name}")
            passed.append(name)
    body = [f"__shared__ {variable};" for variable in shared] + [f"main_({', '.join(passed)});"]
    head = f'extern "C" __global__ void __launch_bounds__({threads}) counted({", ".join(declared)})'
    return "\n".join([head, "{", *body, "}", ""])


def cuda(text: str) -> str:
    """The text as CUDA."""
    text = text[text.index("using metal::uint;") :]
    entry = r"\[\[max_total_threads_per_threadgroup\((\d+)\)\]\] kernel (void main_\((.*?)\n\))"
    threads, head, signature = re.search(entry, text, re.S).groups()
    text = re.sub(entry, lambda match: head, text, flags=re.S)
    # Arrays of unknown length are written as arrays of one element.
    text = re.sub(r"(typedef \w+ \w+)\[1\];", r"\1[1 << 28];", text)
    text = re.sub(r"(?<!:)\buint2\b", "metal::uint2", text)
    text = re.sub(r"^([\w:]+ \w+\()", r"__device__ inline \1", text, flags=re.M)
    text = re.sub(r" \[\[.*?\]\]|\b(device|threadgroup) ", "", text)
    text = re.sub(r"\bconstant ", "const ", text)
    return f'#include "metal.cuh"\n{text}\n{kernel(threads, signature)}'


def count(tools_folder: Path, text: str, target: str, folder: Path) -> Pipeline:
    """Compiles a text, and reads the assembly. Bytes of the stack are where others have spilled values."""
    source, binary = folder / "counted.cu", folder / "counted.cubin"
    source.write_text(cuda(text))
    options = [f"-arch={target}", "-cubin", "-w", "-std=c++17", f"-I{HERE}"]
    environment = {**os.environ, "PATH": f"{tools_folder}:{os.environ['PATH']}"}
    command = ["nvcc", *options, f"-I{tools_folder.parent}/include", "-o", binary, source]
    subprocess.run(command, check=True, env=environment)
    dump = ["cuobjdump", "-sass", "-res-usage", binary]
    output = subprocess.run(dump, check=True, env=environment, capture_output=True, text=True).stdout
    stats = dict(zip(["GPRs", "Spills to memory"], re.search(r"REG:(\d+) STACK:(\d+)", output).groups()))
    return Pipeline("nv", 32, stats, output, find_loops(sass_blocks(output)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("words", nargs="*", metavar="SHADER | NAME=VALUE", help="default: conv_gemm_workgroup")
    parser.add_argument("--targets", default="sm_90,sm_86", help="default: sm_90,sm_86 (Hopper, Ampere)")
    parser.add_argument("--lab", type=Path, default="/tmp/isa-nvidia", help="default: /tmp/isa-nvidia")
    options = parser.parse_intermixed_args()
    wanted = CONSTANTS | dict(word.split("=") for word in options.words if "=" in word)
    shader = next((word for word in options.words if "=" not in word), "conv_gemm_workgroup")
    texts = {}
    for file in sorted(options.folder.glob(f"{shader}_[0-9]*_0_*.4_0.metal")):
        text = file.read_text()
        constants = constants_of(text)
        is_wanted = all(constants.get(name, value) == value for name, value in wanted.items())
        if is_wanted and int(constants["workgroup_size"]) >= 32:
            texts.setdefault(recipe_of(shader, constants), text)
    if not texts:
        sys.exit(f"{options.folder} has no text of {shader} with {wanted}; tests/written writes them")
    options.lab.mkdir(parents=True, exist_ok=True)
    folder = tools(options.lab / "venv")
    for target in options.targets.split(","):
        print(f"## {target}\n")
        print_table([row(recipe, "", count(folder, text, target, options.lab)) for recipe, text in texts.items()])


if __name__ == "__main__":
    main()
