#!/usr/bin/env bash
# The crate as it would be published: its contents, that it builds by itself, and that the oldest Rust it promises compiles it.
#   scripts/release/crate.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
known='^(src|templates|scenarios|suites)/|^(Cargo\.(toml|toml\.orig|lock)|\.cargo_vcs_info\.json|README\.md|CHANGELOG\.md|LICENSE-(APACHE|MIT))$'
list=$(cargo package --list --allow-dirty 2>/dev/null)
if strange=$(grep -Ev "$known" <<<"$list"); then
    printf 'FAILED: files that are no part of the crate:\n%s\n' "$strange" >&2
    exit 1
fi
cargo publish --dry-run --quiet --locked --allow-dirty
find target/package -name 'loadcmp-*.crate' -exec ls -l {} + | tail -n 1 | awk -v files="$(wc -l <<<"$list")" '{ printf "ok: %d files, %.0f KiB, built from nothing else\n", files, $5 / 1024 }'

# The rest of CI is built by whatever is installed: where that is the oldest itself, all of it shows the same.
least=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
case $(rustc --version) in "rustc $least."*)
    echo "ok: built by Rust $least itself, the oldest that is promised"
    exit 0
    ;;
esac
if ! command -v rustup >/dev/null || ! rustup -q toolchain install "$least" --profile minimal >/dev/null 2>&1; then
    echo "NOT RUN: Rust $least is not to be had here" >&2
    exit 0
fi
CARGO_TARGET_DIR=target/least cargo "+$least" check --locked --quiet
echo "ok: Rust $least compiles it"
