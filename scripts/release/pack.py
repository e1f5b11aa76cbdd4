#!/usr/bin/env python3
"""One system's release file: the program, its manual pages and completions, the licences, in an archive whose bytes depend on nothing else.

    scripts/release/pack.py TARGET PROGRAM FOLDER [--by PROGRAM_THAT_RUNS_HERE]

writes FOLDER/loadcmp-linux-x86_64.tar.gz (a .zip for Windows): the names that action.yml and Cargo.toml ask for.
"""

import argparse
import gzip
import io
import pathlib
import subprocess
import tarfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SYSTEMS = {"linux": "linux", "darwin": "macos", "windows": "windows"}
SHELLS = {"bash": "loadcmp.bash", "zsh": "_loadcmp", "fish": "loadcmp.fish", "powershell": "loadcmp.ps1"}
# Archives know no time before this.
WHEN = (1980, 1, 1, 0, 0, 0)


def name_of(target: str) -> str:
    """`loadcmp-linux-x86_64` for `x86_64-unknown-linux-musl`."""
    system = next((ours for theirs, ours in SYSTEMS.items() if theirs in target), None)
    if system is None:
        raise SystemExit(f"pack.py: no release for {target}")
    return f"loadcmp-{system}-{target.split('-')[0]}"


def said(program: str, *arguments: str) -> bytes:
    return subprocess.run([program, *arguments], check=True, capture_output=True).stdout


def contents(program: pathlib.Path, by: str) -> dict[str, tuple[bytes, int]]:
    """What lies in the archive: each file's bytes and mode."""
    files = {program.name: (program.read_bytes(), 0o755)}
    for name in ("LICENSE-APACHE", "LICENSE-MIT", "README.md", "CHANGELOG.md"):
        files[name] = ((ROOT / name).read_bytes(), 0o644)
    for shell, name in SHELLS.items():
        files[f"completions/{name}"] = (said(by, "completions", shell), 0o644)
    files["man/loadcmp.1"] = (said(by, "man"), 0o644)
    return files


def tar(path: pathlib.Path, files: dict[str, tuple[bytes, int]]) -> None:
    with path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed, tarfile.open(fileobj=packed, mode="w") as archive:
        for name in sorted(files):
            data, mode = files[name]
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), mode
            archive.addfile(entry, io.BytesIO(data))


def zipped(path: pathlib.Path, files: dict[str, tuple[bytes, int]]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            data, mode = files[name]
            entry = zipfile.ZipInfo(name, WHEN)
            entry.external_attr, entry.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("target")
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--by", help="a loadcmp that runs here, where PROGRAM is for another system")
    given = parser.parse_args()
    program = given.program.resolve()
    files = contents(program, given.by or str(program))
    given.folder.mkdir(parents=True, exist_ok=True)
    windows = "windows" in given.target
    path = given.folder / (name_of(given.target) + (".zip" if windows else ".tar.gz"))
    (zipped if windows else tar)(path, files)
    print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, the program {program.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
