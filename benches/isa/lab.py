"""A chroot with the newest Mesa and its stand-ins for the kernel's GPU drivers, in which a program compiles shaders for
a GPU that is not there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LIBRARIES = "/usr/lib/x86_64-linux-gnu"
INTEL_LIBRARY = "libintel_noop_drm_shim.so"

# For each kind of device: the stand-in, Mesa's driver as its file is called, and the variables that choose the device.
KINDS = {
    "amd": ("amdgpu", "radeon", ["AMDGPU_GPU_ID={}"]),
    "nv": ("nouveau", "nouveau", ["NOUVEAU_CHIPSET={}", "NVK_I_WANT_A_BROKEN_VULKAN_DRIVER=1"]),
    "fd": ("freedreno", "freedreno", ["FD_GPU_ID={}"]),
    "agx": ("asahi", "asahi", []),
    "intel": ("intel", "intel", ["INTEL_STUB_GPU_PLATFORM={}"]),
}

# Debian leaves Intel's stand-in out. Meson would build it with the rest of Intel's tools, which need far more packages.
INTEL_PACKAGES = (
    "meson,ninja-build,gcc,g++,pkg-config,python3-mako,python3-yaml,python3-packaging,libdrm-dev,libexpat1-dev,"
    "zlib1g-dev,libzstd-dev,bison,flex,glslang-tools,libelf-dev,xz-utils,dpkg-dev"
)
INTEL_BUILD = r"""
set -e
cd /root; apt-get update; apt-get source --only-source --download-only mesa
mkdir -p mesa; tar -C mesa --strip-components=1 -xf mesa_*.orig.tar.xz; cd mesa
python3 - <<'PY'
path = "src/intel/meson.build"
text = open(path).read()
both = "if with_intel_tools\n  subdir('tools')\n  subdir('executor')\nendif"
open(path, "w").write(text.replace(both, "subdir('tools')"))
path = "src/intel/tools/meson.build"
text = open(path).read()
start = text.index("  libintel_stub_gpu = shared_library(")
open(path, "w").write(text[start : text.index("endif", start)])
PY
meson setup build -Dvulkan-drivers=intel_hasvk -Dgallium-drivers= -Dplatforms= -Dglx=disabled -Degl=disabled \
    -Dgbm=disabled -Dopengl=false -Dgles1=disabled -Dgles2=disabled -Dllvm=disabled -Dtools=drm-shim \
    -Dbuildtype=release -Dvideo-codecs= -Dvulkan-layers=
nice -n 15 ninja -C build src/intel/tools/libintel_noop_drm_shim.so
"""


def logged(log: Path, *command, **options) -> None:
    """Runs a command whose output goes to a file; ends the program with the file's last lines if it fails."""
    with log.open("w") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, **options)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))[:200]} failed:\n" + "\n".join(log.read_text().splitlines()[-15:]))


def mirror() -> str:
    """Where this machine has its Debian packages from."""
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    mirrors = [address for address in listed if address.rstrip("/").endswith("/debian")]
    return mirrors[0] if mirrors else sys.exit("apt has no Debian mirror; run apt-get update first")


class Lab:
    """The folder with the chroot, what was built for it, and the logs."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.logs = folder / "logs"
        self.root = folder / "root-sid"
        self.inside = self.root / "isa"
        self.logs.mkdir(parents=True, exist_ok=True)

    def set_up(self, checkout: Path, devices: list[str]) -> None:
        """Makes what is missing and builds the program of this checkout."""
        files = {"debootstrap": "/usr/sbin/debootstrap", "gcc": "/usr/bin/gcc"}
        files["libvulkan-dev"] = "/usr/include/vulkan/vk_layer.h"
        missing = [package for package, file in files.items() if not Path(file).exists()]
        if missing:
            logged(self.logs / "update.log", "apt-get", "update")
            logged(self.logs / "install.log", "apt-get", "install", "-y", "--no-install-recommends", *missing)
        self.debian("sid", self.root, "mesa-vulkan-drivers,mesa-drm-shim,libvulkan1")
        self.inside.mkdir(exist_ok=True)
        self.build(checkout)
        if any(device.startswith("intel:") for device in devices):
            self.build_intel()

    def debian(self, suite: str, root: Path, packages: str) -> None:
        """A chroot of Debian with these packages, unless it is there."""
        done = self.folder / f"done-{suite}"
        if done.exists():
            return
        print(f"isa: making a chroot of Debian {suite} in {self.folder}, which takes minutes", file=sys.stderr)
        shutil.rmtree(root, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", f"--include={packages}", suite, root, mirror()]
        logged(self.logs / f"{suite}.log", *command)
        # The machine's way to its mirror, by a proxy for instance, holds inside too.
        settings = [path for path in Path("/etc/apt/apt.conf.d").iterdir() if "Acquire" in path.read_text()]
        for file in [*settings, Path("/etc/resolv.conf"), Path("/etc/hosts")]:
            if file.exists():
                shutil.copy(file, root / file.relative_to("/"))
        done.touch()

    def build(self, checkout: Path) -> None:
        """The layer and the program, with the versions that the checkout's Cargo.lock names."""
        layer = self.inside / "liblayer_isa.so"
        command = ["gcc", "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-o", layer, HERE / "layer.c"]
        logged(self.logs / "layer.log", *command)
        shutil.copy(HERE / "layer.json", self.inside)
        crate, target = checkout / "benches/isa", Path(os.environ.get("CARGO_TARGET_DIR", self.folder / "target"))
        shutil.copy(checkout / "Cargo.lock", crate)
        environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
        logged(self.logs / "cargo.log", "cargo", "build", "--release", cwd=crate, env=environment)
        shutil.copy(target / "release/upconv-isa", self.inside)

    def build_intel(self) -> None:
        """Intel's stand-in from the Mesa of Debian 13; the driver is the newer one."""
        if (self.inside / INTEL_LIBRARY).exists():
            return
        root = self.folder / "root-trixie"
        self.debian("trixie", root, INTEL_PACKAGES)
        (root / "etc/apt/sources.list.d/src.list").write_text(f"deb-src {mirror()} trixie main\n")
        logged(self.logs / "intel.log", "chroot", root, "bash", "-c", INTEL_BUILD)
        shutil.copy(root / "root/mesa/build/src/intel/tools" / INTEL_LIBRARY, self.inside)

    def run(self, device: str, *arguments: str) -> subprocess.CompletedProcess:
        """The program's output, with a device such as `amd:navi31`."""
        kind, _, name = device.partition(":")
        shim, driver, settings = KINDS[kind]
        library = f"/isa/{INTEL_LIBRARY}" if kind == "intel" else f"{LIBRARIES}/lib{shim}_noop_drm_shim.so"
        variables = [
            *["HOME=/tmp", "XDG_RUNTIME_DIR=/tmp", "MESA_SHADER_CACHE_DISABLE=1", "WGPU_BACKEND=vulkan"],
            *["VK_LAYER_PATH=/isa", "VK_INSTANCE_LAYERS=VK_LAYER_UPCONV_isa"],
            f"VK_DRIVER_FILES=/usr/share/vulkan/icd.d/{driver}_icd.json",
            f"LD_PRELOAD={library}",
            *[setting.format(name) for setting in settings],
        ]
        command = ["chroot", self.root, "/usr/bin/env", "-i", *variables, "/isa/upconv-isa", *arguments]
        return subprocess.run(command, capture_output=True, text=True, errors="replace")
