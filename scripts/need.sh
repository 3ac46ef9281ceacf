#!/bin/sh
# need.sh COMMAND PACKAGE [OTHER COMMAND...]: install Debian's PACKAGE unless a command is there.
set -eu
command=$1 package=$2
shift 2
for name in "$command" "$@"; do
  if [ -n "$name" ] && command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
root=""
if [ "$(id -u)" != 0 ]; then root=sudo; fi
echo "installing $package"
$root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq "$package" >/dev/null
