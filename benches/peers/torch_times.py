#!/usr/bin/env python3
"""PyTorch on the benchmark's named problems: torch_times.py [cpu | cuda] [f32 | f16] [THREADS].

Prints a Markdown table of medians. The problems are read from ../problems/mod.rs, so that there is one list.
On CUDA, TF32 is off and times are measured by events.

torch_times.py serve [cpu | cuda] [THREADS] is for the peers' program, which measures ours in turns. It prints who
answers, and then answers a problem's name with `ready` or `none`, `go` with the nanoseconds of a run as the host saw
them.
"""
import pathlib
import re
import sys
import time

SERVES = sys.argv[1:2] == ["serve"]


def give_up(reason):
    if SERVES:
        print(f"error: {reason}")
        sys.exit(1)
    sys.exit(f"torch_times.py: {reason}")


try:
    import torch
    import torch.nn.functional as F
except (ImportError, OSError) as error:
    give_up(f"PyTorch cannot be loaded by {sys.executable}: {' '.join(str(error).split())}")

SOURCE = (pathlib.Path(__file__).parent / "../problems/mod.rs").read_text()
WARMING = 3
MODES = {"Nearest": "nearest", "Linear": "bilinear", "Cubic": "bicubic"}


def problems():
    for table, op in (("CONV_TRANSPOSE", "conv_transpose"), ("CONV", "conv")):
        rows = re.search(rf"const {table}: .*? = \[(.*?)\n\];", SOURCE, re.S).group(1)
        for name, text in re.findall(r'\("(\w+)", "([\w:-]+)"\)', rows):
            fields = dict(re.match(r"([a-z]+)(.*)", part).groups() for part in text.split("_"))
            yield name, op, fields
    sizes = re.search(r"channels: (\d+), input_size: \[(\d+), (\d+)\], output_size: \[(\d+), (\d+)\]", SOURCE).groups()
    rows = re.search(r"const UPSAMPLE: .*? = \[(.*?)\n\];", SOURCE, re.S).group(1)
    for name, mode in re.findall(r'\("(\w+)", PytorchInterpolate::(\w+)', rows):
        yield name, MODES[mode], dict(ic=sizes[0], i="x".join(sizes[1:3]), size="x".join(sizes[3:]))


def pair(text, default):
    return [int(n) for n in text.split("x")] if text else [default] * 2


def work(op, fields, device, dtype):
    ins, outs = int(fields.get("ic", 1)), int(fields.get("oc", 1))
    groups, batch = int(fields.get("g", 1)), int(fields.get("n", 1))
    kernel = pair(fields.get("k"), 1)
    options = dict(stride=pair(fields.get("s"), 1), padding=pair(fields.get("p"), 0),
                   dilation=pair(fields.get("d"), 1), groups=groups)
    x = torch.rand(batch, ins, *pair(fields["i"], 1), device=device, dtype=dtype)
    if op in MODES.values():
        corners = None if op == "nearest" else False
        return lambda: F.interpolate(x, pair(fields["size"], 1), mode=op, align_corners=corners)
    if op == "conv":
        w = torch.rand(outs, ins // groups, *kernel, device=device, dtype=dtype)
        return lambda: F.conv2d(x, w, **options)
    w = torch.rand(ins, outs // groups, *kernel, device=device, dtype=dtype)
    return lambda: F.conv_transpose2d(x, w, output_padding=pair(fields.get("op"), 0), **options)


def nanoseconds(run, device):
    begin = time.perf_counter_ns()
    kept = run()
    if device == "cuda":
        torch.cuda.synchronize()
    taken = time.perf_counter_ns() - begin
    del kept
    return taken


def milliseconds(run, device):
    if device == "cpu":
        return nanoseconds(run, device) / 1e6
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    run()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end)


def serve(device):
    version = torch.__version__.split("+")[0]
    print(f"PyTorch {version} ({device.upper()})", flush=True)
    named = {name: (op, fields) for name, op, fields in problems()}
    run = None
    for line in map(str.strip, sys.stdin):
        if line == "go":
            print(nanoseconds(run, device), flush=True)
        elif line in named:
            run = work(*named[line], device, torch.float32)
            for _ in range(WARMING):
                nanoseconds(run, device)
            print("ready", flush=True)
        else:
            print("none", flush=True)


def table(device, dtype):
    print(f"PyTorch {torch.__version__}, {device}, {dtype}, {torch.get_num_threads()} threads\n")
    print("| problem | ms |\n|---|---|")
    for name, op, fields in problems():
        run = work(op, fields, device, dtype)
        times = sorted(milliseconds(run, device) for _ in range(25))
        print(f"| {name} | {times[len(times) // 2]:.3f} |", flush=True)


def main():
    words = sys.argv[2 if SERVES else 1:]
    device = words[0] if words else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        give_up(f"PyTorch {torch.__version__} finds no CUDA device")
    torch.set_num_threads(next((int(word) for word in words if word.isdigit()), 2))
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    with torch.inference_mode():
        if SERVES:
            serve(device)
        else:
            table(device, torch.float16 if "f16" in words else torch.float32)


main()
