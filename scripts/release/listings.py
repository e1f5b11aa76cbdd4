#!/usr/bin/env python3
"""What package managers read, of the files that pack.py wrote: SHA256SUMS, a Homebrew formula, the manifests of winget.

    scripts/release/listings.py FOLDER VERSION https://github.com/OWNER/NAME
"""

import hashlib
import pathlib
import sys

ABOUT = "Compares a native inference runtime with Ollama: identical workloads, at the same time, with confidence intervals"

FORMULA = '''class Loadcmp < Formula
  desc "{about}"
  homepage "{home}"
  version "{version}"
  license any_of: ["MIT", "Apache-2.0"]

  on_macos do
    on_arm do
      url "{at}/loadcmp-macos-aarch64.tar.gz"
      sha256 "{macos_aarch64}"
    end
    on_intel do
      url "{at}/loadcmp-macos-x86_64.tar.gz"
      sha256 "{macos_x86_64}"
    end
  end

  on_linux do
    on_arm do
      url "{at}/loadcmp-linux-aarch64.tar.gz"
      sha256 "{linux_aarch64}"
    end
    on_intel do
      url "{at}/loadcmp-linux-x86_64.tar.gz"
      sha256 "{linux_x86_64}"
    end
  end

  def install
    bin.install "loadcmp"
    man1.install "man/loadcmp.1"
    bash_completion.install "completions/loadcmp.bash" => "loadcmp"
    zsh_completion.install "completions/_loadcmp"
    fish_completion.install "completions/loadcmp.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{{bin}}/loadcmp --version")
  end
end
'''

WINGET = {
    "": '''PackageIdentifier: loadcmp.loadcmp
PackageVersion: {version}
DefaultLocale: en-US
ManifestType: version
ManifestVersion: 1.10.0
''',
    ".installer": '''PackageIdentifier: loadcmp.loadcmp
PackageVersion: {version}
InstallerType: zip
NestedInstallerType: portable
NestedInstallerFiles:
  - RelativeFilePath: loadcmp.exe
    PortableCommandAlias: loadcmp
Installers:
  - Architecture: x64
    InstallerUrl: {at}/loadcmp-windows-x86_64.zip
    InstallerSha256: {windows_upper}
ManifestType: installer
ManifestVersion: 1.10.0
''',
    ".locale.en-US": '''PackageIdentifier: loadcmp.loadcmp
PackageVersion: {version}
PackageLocale: en-US
Publisher: loadcmp
PackageName: loadcmp
PackageUrl: {home}
License: MIT OR Apache-2.0
ShortDescription: {about}
ManifestType: defaultLocale
ManifestVersion: 1.10.0
''',
}


def main() -> None:
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    folder, version, home = pathlib.Path(sys.argv[1]), sys.argv[2].removeprefix("v"), sys.argv[3].rstrip("/")
    sums = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir()) if path.name != "SHA256SUMS"}
    (folder / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in sums.items()))
    names = {"linux_x86_64", "linux_aarch64", "macos_x86_64", "macos_aarch64"}
    files = {name: f"loadcmp-{name.replace('_', '-', 1)}.tar.gz" for name in names} | {"windows": "loadcmp-windows-x86_64.zip"}
    missing = [file for file in files.values() if file not in sums]
    if missing:
        raise SystemExit(f"listings.py: {folder} lacks {', '.join(sorted(missing))}")
    known = {name: sums[file] for name, file in files.items()}
    known |= {"about": ABOUT, "version": version, "home": home, "at": f"{home}/releases/download/v{version}"}
    known["windows_upper"] = known["windows"].upper()
    (folder / "loadcmp.rb").write_text(FORMULA.format(**known))
    for part, text in WINGET.items():
        (folder / f"loadcmp.loadcmp{part}.yaml").write_text(text.format(**known))


if __name__ == "__main__":
    main()
