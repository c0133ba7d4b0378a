# What the host runs, kept to go back to: configuration, unit, and the build of the daemon.
#   sh state.sh VERB DIR CONFIG UNIT
# DIR/proven is what was proven last, DIR/previous what was proven before that. Verbs:
#   keep       make what is there now `proven`, and what was that `previous`; says "kept" if that changes anything
#   which      say what to go back to: "proven" where something else is there now, else "previous", or "nothing"
#   proven     put it back; says "changed" if that changes anything
#   previous   the same, and from then on it is what was proven last
# Broken off anywhere, the next run does the rest.
set -eu
exec </dev/null # nobody is there to answer
umask 077
verb=$1 dir=$2 config=$3 unit=$4

attributes() {
    (cd "$1" && find . -printf '%P %y %u %g %m\n' | sort)
}

same_config() {
    diff -r "$1/config" "$config" >/dev/null 2>&1 && [ "$(attributes "$1/config")" = "$(attributes "$config")" ]
}

same() {
    [ -d "$1" ] && same_config "$1" && cmp -s "$1/unit" "$unit" &&
        [ "$(cat "$1/release")" = "$(readlink "$dir/current")" ]
}

keep() {
    same "$dir/proven" && return
    rm -rf "$dir/proven.new"
    mkdir "$dir/proven.new" "$dir/proven.new/config"
    cp -a "$config/." "$dir/proven.new/config/"
    cp -a "$unit" "$dir/proven.new/unit"
    readlink "$dir/current" >"$dir/proven.new/release"
    if [ -d "$dir/proven" ]; then
        rm -rf "$dir/previous"
        mv "$dir/proven" "$dir/previous"
    fi
    mv "$dir/proven.new" "$dir/proven"
    echo kept
}

put_back() {
    same "$1" && return
    if ! same_config "$1"; then
        rm -rf "$config.new"
        cp -a "$1/config" "$config.new"
        rm -rf "$config.old"
        if [ -e "$config" ]; then mv "$config" "$config.old"; fi
        mv "$config.new" "$config"
        rm -rf "$config.old"
    fi
    cp -a "$1/unit" "$unit"
    rm -f "$dir/current.new"
    ln -s "$(cat "$1/release")" "$dir/current.new"
    mv -T "$dir/current.new" "$dir/current"
    echo changed
}

case $verb in
keep) keep ;;
which)
    if [ -d "$dir/proven" ] && ! same "$dir/proven"; then
        echo proven
    elif [ -d "$dir/previous" ]; then
        echo previous
    else
        echo nothing
    fi
    ;;
proven) put_back "$dir/proven" ;;
previous)
    put_back "$dir/previous"
    rm -rf "$dir/proven"
    mv "$dir/previous" "$dir/proven"
    ;;
esac
