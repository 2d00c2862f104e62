#!/usr/bin/env bash
# Renders icons/slipway.svg to every size the app's bundle wants. The results are committed, so this is
# run only after the drawing has changed: scripts/icons.sh
set -euo pipefail
cd "$(dirname "$0")/../icons"

render() { # render SIZE FILE; PNG32 because Tauri refuses icons without an alpha channel
    rsvg-convert --width "$1" --height "$1" --format png slipway.svg --output "$2"
}

render 32 32x32.png
render 128 128x128.png
render 256 128x128@2x.png
render 512 icon.png

# icon.ico: one PNG per size behind the directory that the format wants. Written here rather than by an
# image tool, so that small sizes come from the vector and not from scaling a large one down.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for size in 16 24 32 48 64 256; do render "$size" "$work/$size.png"; done
for size in 16 32 128 256 512; do [ -f "$work/$size.png" ] || render "$size" "$work/$size.png"; done

python3 - "$work" <<'PYTHON'
import struct, sys
from pathlib import Path

work = Path(sys.argv[1])
png = lambda size: (work / f"{size}.png").read_bytes()

sizes = [16, 24, 32, 48, 64, 256]
offset = 6 + 16 * len(sizes)
head, body = struct.pack("<HHH", 0, 1, len(sizes)), b""
for size in sizes:
    data = png(size)
    head += struct.pack("<BBBBHHII", size % 256, size % 256, 0, 0, 1, 32, len(data), offset + len(body))
    body += data
Path("icon.ico").write_bytes(head + body)

# icon.icns: the types that hold a PNG as it is (macOS 10.7 and later).
kinds = [(b"icp4", 16), (b"icp5", 32), (b"ic07", 128), (b"ic08", 256), (b"ic09", 512)]
parts = b"".join(kind + struct.pack(">I", 8 + len(png(size))) + png(size) for kind, size in kinds)
Path("icon.icns").write_bytes(b"icns" + struct.pack(">I", 8 + len(parts)) + parts)
PYTHON
ls -l -- *.png icon.ico icon.icns
