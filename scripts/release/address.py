#!/usr/bin/env python3
"""Before a release is built: where this copy of the project lives goes into Cargo.toml, for the crate's page and `cargo binstall`, and the
tag must be the version.

    scripts/release/address.py https://github.com/OWNER/NAME [TAG]
"""

import pathlib
import re
import sys

FILE = pathlib.Path(__file__).resolve().parents[2] / "Cargo.toml"


def main() -> None:
    if len(sys.argv) not in (2, 3) or not re.fullmatch(r"https://[\w.-]+/[\w./-]+", sys.argv[1]):
        raise SystemExit(__doc__)
    text = FILE.read_text()
    version = re.search(r'^version = "(.+)"$', text, re.MULTILINE)[1]
    tag = sys.argv[2] if len(sys.argv) == 3 else ""
    if tag.startswith("v") and tag != f"v{version}":
        raise SystemExit(f"address.py: the tag is {tag}, and Cargo.toml has version {version}")
    if re.search(r"^repository = ", text, re.MULTILINE):
        raise SystemExit("address.py: Cargo.toml has a repository already")
    FILE.write_text(text.replace("readme = ", f'repository = "{sys.argv[1]}"\nhomepage = "{sys.argv[1]}"\nreadme = ', 1))


if __name__ == "__main__":
    main()
