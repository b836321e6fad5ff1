#!/bin/sh
# ZeroStem onto macOS, into your home alone: an environment of its own, the command, the daemon at logon, your DAWs.
#   sh installers/macos.sh [reaper] [ardour] [audacity] [--no-service]    sh installers/macos.sh --uninstall
# ZEROSTEM_APP: where to (default ~/Library/Application Support/zerostem-app). PYTHON: 3.11 or newer. ZEROSTEM_WHEEL: instead of this folder.
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
app=${ZEROSTEM_APP:-$HOME/Library/Application Support/zerostem-app}
python=${PYTHON:-python3}

case " $* " in *" --uninstall "*)
	[ -f "$app/zerostem-app" ] || { echo "zerostem: nothing is installed at $app." >&2; exit 1; }
	"$app/bin/python" -P -m installers.macos "$@"
	rm -rf "$app"
	exit ;;
esac

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
	echo "zerostem: $python is older than 3.11, or missing. Install a newer one, or name it: PYTHON=python3.12 sh $0" >&2
	exit 1
}
[ -f "$app/zerostem-app" ] || [ ! -e "$app" ] || { echo "zerostem: $app is in the way. Move it away." >&2; exit 1; }
mkdir -p "$app" && : > "$app/zerostem-app" # what --uninstall takes for ours
[ -x "$app/bin/python" ] || "$python" -m venv "$app"
# shellcheck disable=SC2086 # ZEROSTEM_PIP holds options
"$app/bin/python" -m pip install --quiet ${ZEROSTEM_PIP:-} -c "$here/constraints.txt" "${ZEROSTEM_WHEEL:-$here}[panel]"
exec "$app/bin/python" -P -m installers.macos "$@"
