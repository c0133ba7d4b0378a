# Links to the manual pages of the build in use, so that `man pxerelay` finds them.
#   sh man.sh VERB FROM TO
# FROM is the folder of pages in the build, TO that of the host's own. Verbs, which say "changed" if that changes anything:
#   link    TO has a link to each page of FROM, and no other link to there
#   look    the same, but nothing is changed
#   unlink  TO has no link to FROM, and is not there if it is empty
set -eu
exec </dev/null # nobody is there to answer
verb=$1 from=$2 to=$3 changed=

for section in man1 man5; do
    for link in "$to/$section"/pxerelay*; do
        page=$from/$section/${link##*/}
        if [ "$(readlink "$link")" = "$page" ] && { [ "$verb" = unlink ] || [ ! -e "$page" ]; }; then
            changed=changed
            [ "$verb" = look ] || rm "$link"
        fi
    done
    if [ "$verb" = unlink ]; then
        rmdir --ignore-fail-on-non-empty "$to/$section" 2>/dev/null || true
        continue
    fi
    for page in "$from/$section"/pxerelay*; do
        link=$to/$section/${page##*/}
        if [ -e "$page" ] && [ ! -e "$link" ]; then
            changed=changed
            [ "$verb" = look ] || { mkdir -p -m 755 "$to/$section" && ln -sfn "$page" "$link"; }
        fi
    done
done
echo "$changed"
