#!/usr/bin/env python3
"""PyTorch on the benchmark's named problems: torch_times.py [cpu | cuda] [f32 | f16] [THREADS].

Prints a Markdown table of medians. The problems are read from ../problems/mod.rs, so that there is one list.
On CUDA, TF32 is off and times are by events.
"""
import pathlib
import re
import sys
import time

import torch
import torch.nn.functional as F

SOURCE = (pathlib.Path(__file__).parent / "../problems/mod.rs").read_text()


def problems():
    for table, op in (("CONV_TRANSPOSE", "conv_transpose"), ("CONV", "conv")):
        rows = re.search(rf"const {table}: .*? = \[(.*?)\n\];", SOURCE, re.S).group(1)
        for name, text in re.findall(r'\("(\w+)", "([\w:-]+)"\)', rows):
            fields = dict(re.match(r"([a-z]+)(.*)", part).groups() for part in text.split("_"))
            yield name, op, fields


def pair(text, default):
    return [int(n) for n in text.split("x")] if text else [default] * 2


def work(op, fields, device, dtype):
    ins, outs = int(fields.get("ic", 1)), int(fields.get("oc", 1))
    groups, batch = int(fields.get("g", 1)), int(fields.get("n", 1))
    kernel = pair(fields.get("k"), 1)
    options = dict(stride=pair(fields.get("s"), 1), padding=pair(fields.get("p"), 0),
                   dilation=pair(fields.get("d"), 1), groups=groups)
    x = torch.rand(batch, ins, *pair(fields["i"], 1), device=device, dtype=dtype)
    if op == "conv":
        w = torch.rand(outs, ins // groups, *kernel, device=device, dtype=dtype)
        return lambda: F.conv2d(x, w, **options)
    w = torch.rand(ins, outs // groups, *kernel, device=device, dtype=dtype)
    return lambda: F.conv_transpose2d(x, w, output_padding=pair(fields.get("op"), 0), **options)


def milliseconds(run, device):
    if device == "cpu":
        begin = time.perf_counter()
        run()
        return (time.perf_counter() - begin) * 1e3
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    run()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end)


def main():
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    dtype = torch.float16 if "f16" in sys.argv else torch.float32
    torch.set_num_threads(int(sys.argv[3]) if len(sys.argv) > 3 else 2)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    print(f"PyTorch {torch.__version__}, {device}, {dtype}, {torch.get_num_threads()} threads\n")
    print("| problem | ms |\n|---|---|")
    with torch.inference_mode():
        for name, op, fields in problems():
            run = work(op, fields, device, dtype)
            times = sorted(milliseconds(run, device) for _ in range(25))
            print(f"| {name} | {times[len(times) // 2]:.3f} |", flush=True)


main()
