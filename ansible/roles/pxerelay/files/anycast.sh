#!/bin/sh
# managed by Ansible, role pxerelay: which route to the shared address BIRD announces, by the relay's health.
#   anycast.sh check PXERELAY EVERY FALL RISE    until it is ended
#   anycast.sh withdraw                          once
# `well` is the route as it is, `degraded` the one that routers prefer others to, `none` no route at all.
set -u
birdc="${BIRDCL:-/usr/sbin/birdcl} -s ${BIRD_SOCKET:-/run/pxerelay-anycast/bird.ctl}"

# The new route is there before the old one goes. What BIRD does not do ends this program: systemd starts it anew.
bird() {
    $birdc "$1 \"$2\"" >/dev/null || exit 1
}

announce() {
    case $1 in
        well) bird enable 'pxerelay_well_*'; bird disable 'pxerelay_degraded_*' ;;
        degraded) bird enable 'pxerelay_degraded_*'; bird disable 'pxerelay_well_*' ;;
        none) bird disable 'pxerelay_well_*'; bird disable 'pxerelay_degraded_*' ;;
    esac
    echo "announced: $1${2:+ ($2)}"
}

rank() {
    case $1 in well) echo 2 ;; degraded) echo 1 ;; *) echo 0 ;; esac
}

if [ "$1" = withdraw ]; then
    announce none
    exit 0
fi

program=$2 every=$3 fall=$4 rise=$5
state=none worse=0 better=0
announce none 'it begins'
while :; do
    said=$("$program" healthy --timeout 1 2>&1 </dev/null)
    case $? in 0) seen=well ;; 1) seen=degraded ;; *) seen=none ;; esac
    why=$(echo "$said" | paste -s -d ' ')
    if [ "$(rank $seen)" -lt "$(rank $state)" ]; then
        worse=$((worse + 1)) better=0
        if [ "$worse" -ge "$fall" ]; then
            state=$seen worse=0
            announce "$state" "$why"
        fi
    else
        worse=0
        # A relay that answers again is there at once for who has no other, and is preferred only once it stays well.
        if [ $state = none ] && [ $seen != none ]; then
            state=degraded
            announce "$state" "$why"
        fi
        if [ $seen = well ] && [ $state = degraded ]; then
            better=$((better + 1))
            if [ "$better" -ge "$rise" ]; then
                state=well better=0
                announce "$state" "$why"
            fi
        else
            better=0
        fi
    fi
    sleep "$every"
done
