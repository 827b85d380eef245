#!/bin/sh
# Makes tokens of 256 random bits for deploy/compose.yaml and the units of deploy/systemd:
#
#     ./make-secrets.sh [FOLDER [UID]]
#
# FOLDER: secrets beside this file. UID: who reads them, 10001 as in the image; given away only when root runs this.
# What is there already stays.
set -eu
folder=${1:-$(dirname "$0")/secrets}
reader=${2:-10001}
umask 077
mkdir -p "$folder"

secret() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

for role in admin client worker; do
    [ -s "$folder/$role-token" ] || printf '%s %s\n' "$role" "$(secret)" > "$folder/$role-token"
done
cat "$folder/admin-token" "$folder/client-token" "$folder/worker-token" > "$folder/node-tokens"
chmod 0400 "$folder"/*-token "$folder/node-tokens"
if [ "$(id -u)" = 0 ]; then
    chown "$reader" "$folder"/*-token "$folder/node-tokens"
fi
echo "made $folder: node-tokens for the node; admin-token, client-token, worker-token for who connects"
