"""Generate src/mynode/rpc/generated/ from protos/ (`make protos`); with --check, only say whether they differ.

Messages only: the routes of the methods stand in mynode/rpc/methods.py, so that nothing generated needs a transport.
Needs the `dev` extra: protoc comes with grpcio-tools, the plugin is betterproto2_compiler.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
GENERATED = ROOT / "src" / "mynode" / "rpc" / "generated"
OPTIONS = "client_generation=none,google_protobuf_descriptors"
DOCSTRING = '"""Generated from protos/ by tools/generate_protos.py; do not edit."""\n'


def generate(target: Path) -> None:
    """Write the generated package into the empty directory `target`; raises `CalledProcessError`."""
    # protoc looks for its plugin on the PATH; ours is beside the interpreter, perhaps of a venv that is not activated.
    environment = os.environ | {"PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ.get('PATH', '')}"}
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    subprocess.run(
        [
            *(sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}"),
            *(f"--python_betterproto2_out={target}", f"--python_betterproto2_opt={OPTIONS}"),
            *sources,
        ],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    (target / "py.typed").unlink()
    for package in target.rglob("__init__.py"):
        if not package.read_text("utf-8"):
            package.write_text(DOCSTRING, "utf-8")


def differences(left: Path, right: Path) -> list[str]:
    """The files, relative to both, that are not the same in both trees."""
    files = {
        path.relative_to(root)
        for root in (left, right)
        for path in root.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    _, changed, missing = filecmp.cmpfiles(left, right, [str(path) for path in files], shallow=False)
    return sorted(changed + missing)


def main() -> int:
    """0 when the generated code is, or now is, up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file differs")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as directory:
        fresh = Path(directory) / "generated"
        fresh.mkdir()
        try:
            generate(fresh)
        except subprocess.CalledProcessError as error:
            sys.stderr.write(error.stderr)
            return 1
        changed = differences(fresh, GENERATED)
        if check:
            for name in changed:
                sys.stderr.write(f"src/mynode/rpc/generated/{name} is not what protos/ says: run `make protos`\n")
            return 1 if changed else 0
        shutil.rmtree(GENERATED, ignore_errors=True)
        shutil.copytree(fresh, GENERATED)
    return 0


if __name__ == "__main__":
    sys.exit(main())
