# Lets DHCP through this host's firewall, UDP port 67 for IPv4 and 547 for IPv6: clients' requests, and servers' answers.
#   sh firewall.sh VERB [PORT...]
# Verbs, which say "changed" if that changes anything:
#   open   let it in, where firewalld, ufw or nftables rules the host; now, and with the first two for good
#   look   the same, but nothing is changed
#   close  take back what `open` did
# Without a port it is 67 that is opened; `close` closes both.
# The rules of nftables are in files of the administrator. Into each chain with `hook input`, of a table that drops
# anything, a rule is put in front; pxerelay-firewall.service does it again after nftables.service has loaded the files.
# Chains that iptables made are left alone: nobody says what loads them at boot.
set -eu
exec </dev/null
verb=$1
shift
ports=${*:-67}
[ "$verb" != close ] || ports='67 547'

# Carries a command out, unless there is only to be looked.
changes() {
    echo changed
    [ "$verb" = look ] || "$@" >/dev/null
}

firewalld() {
    zones=$(firewall-cmd --get-default-zone && firewall-cmd --get-active-zones | sed -n 's/^\([^ ]*\).*/\1/p')
    [ "$verb" != close ] || zones=$(firewall-cmd --get-zones | tr ' ' '\n')
    for zone in $(printf '%s\n' "$zones" | sort -u); do
        for place in --permanent ''; do
            there=" $(firewall-cmd ${place:+"$place"} --zone="$zone" --list-ports) "
            for port in $ports; do
                case "$verb$there" in
                close*" $port/udp "*) changes firewall-cmd ${place:+"$place"} --zone="$zone" --remove-port="$port/udp" ;;
                close* | *" $port/udp "*) ;;
                *) changes firewall-cmd ${place:+"$place"} --zone="$zone" --add-port="$port/udp" ;;
                esac
            done
        done
    done
}

ufw_rules() {
    for port in $ports; do
        if [ "$verb" = close ]; then
            ! ufw show added | grep -q "^ufw allow $port/udp comment 'pxerelay'" || changes ufw delete allow "$port/udp"
        else
            ufw show added | grep -q "^ufw allow $port/udp" || changes ufw allow "$port/udp" comment pxerelay
        fi
    done
}

# Tells family, table and name of chains that what is for this host goes through, and perhaps no further.
input_chains() {
    nft list ruleset 2>/dev/null | awk '
        $1 == "table" { family = $2; table = $3; count = 0; drops = 0 }
        $1 == "chain" { chain = $2 }
        / hook input / { chains[count++] = chain }
        / (drop|reject)/ { drops = 1 }
        /^}/ && drops && (family == "ip" || family == "ip6" || family == "inet") {
            for (at = 0; at < count; at++)
                if (family == "inet" || table " " chains[at] != "filter INPUT") print family, table, chains[at]
        }'
}

nftables() {
    input_chains | while read -r family table chain; do
        for port in $ports; do
            # What DHCPv4 is for has no IPv6 in it, and the other way round.
            case "$family $port" in 'ip 547' | 'ip6 67') continue ;; esac
            rule="udp dport $port accept comment \"pxerelay\""
            handle=$(nft -a list chain "$family" "$table" "$chain" | sed -n "s/.*$rule # handle //p" | head -n 1)
            if [ "$verb" = close ]; then
                [ -z "$handle" ] || changes nft delete rule "$family" "$table" "$chain" handle "$handle"
            elif [ -z "$handle" ]; then
                changes nft insert rule "$family" "$table" "$chain" "$rule"
            fi
        done
    done
}

has() { command -v "$1" >/dev/null 2>&1; }

if has firewall-cmd && firewall-cmd --state >/dev/null 2>&1; then
    found=$(firewalld)
elif has ufw && ufw status | grep -q '^Status: active'; then
    found=$(ufw_rules)
elif has nft; then
    found=$(nftables)
fi
[ -z "${found:-}" ] || echo changed
