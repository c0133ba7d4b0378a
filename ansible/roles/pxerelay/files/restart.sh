#!/bin/sh
# Restarts the relay without losing a request, where routers can send them to another one: out of rotation first.
#   restart.sh PXERELAY SECONDS    SECONDS: until routers have noticed
set -u
program=$1 seconds=$2
systemctl daemon-reload </dev/null || exit
if ! "$program" healthy --help >/dev/null 2>&1 </dev/null; then # a build of before there was such
    exec systemctl restart pxerelay.service </dev/null
fi

was_drained() {
    "$program" healthy --timeout 2 </dev/null 2>/dev/null | grep -q '^drained '
}

if ! was_drained && "$program" drain </dev/null >/dev/null 2>&1; then
    ours=yes
    sleep "$seconds"
else
    ours=no
fi
systemctl restart pxerelay.service </dev/null || exit
# Degraded, as it is while drained, is ready.
tries=0
until "$program" healthy --timeout 1 >/dev/null 2>&1 </dev/null || [ $? -eq 1 ] || [ $tries -ge 60 ]; do
    tries=$((tries + 1))
    sleep 0.5
done
if [ $ours = yes ]; then
    "$program" undrain </dev/null || exit
    sleep "$seconds"
fi
