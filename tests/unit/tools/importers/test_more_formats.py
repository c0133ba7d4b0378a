"""Kea, tables, routers, OpenWrt, units: read, or named with the place; files that say nothing."""

from __future__ import annotations

import pytest

from pxerelay.tools.importers.formats import recognise
from tests.unit.tools.importers.result import Importer, Result, where

ONE, TWO, THREE = (f"02:00:00:10:00:0{number}" for number in (1, 2, 3))
RIS, ALTIRIS, LAB = "10.20.0.10", "10.20.0.20", "10.20.0.30"


def files(imports: Importer, texts: dict[str, str], *more: str) -> Result:
    """Import files of these names."""
    for name, text in texts.items():
        path = imports.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return imports(*(imports.folder / name for name in texts), *more)


KEA = """\
// a comment
{ # another
"Dhcp4": {
  "next-server": "10.20.0.10", /* and
  one more */
  "client-classes": [
    {"name": "efi", "next-server": "10.20.0.30",
     "test": "option[93].hex == 0x0007 or option[93].hex == 0x0009"},
    {"name": "http", "test": "substring(option[60].hex,0,10) == 'HTTPClient'", "next-server": "10.20.0.31"},
    {"name": "given", "next-server": "10.20.0.32"},
  ],
  "shared-networks": [{"name": "floor", "next-server": "10.20.0.20", "subnet4": [
    {"id": 1, "subnet": "10.1.1.0/24", "reservations": [<?include "hosts.json"?>]}]}],
  "subnet4": [{"id": 2, "subnet": "10.1.2.0/24", "reservations": [
    {"hw-address": "02:00:00:10:00:03", "client-classes": ["given"], "next-server": "10.20.0.32"},
    {"hw-address": "02:00:00:10:00:04", "client-classes": ["DROP"]}]}]
}}
"""
HOSTS = '{"hw-address": "02:00:00:10:00:02", "next-server": "10.20.0.33", "hostname": "thin2"}\n'


def test_kea(imports: Importer) -> None:
    texts = {"kea-dhcp4.conf": KEA, "hosts.json": HOSTS}
    result = files(imports, texts, "--interface", "10.1.1.0/24=vlan1", "--interface", "10.1.2.0/24=vlan2")
    assert (result.code, "Traceback" in result.err) == (0, False), result.err
    loaded = result.loaded()
    found = [where(loaded, f"02:00:00:10:00:0{at}") for at in range(1, 5)]
    assert found == [(RIS,), ("10.20.0.33",), ("10.20.0.32",), ()]
    assert "  vlan1: {default: server-10-20-0-20}  # 10.1.1.0/24\n  vlan2: {}\n" in result.out
    assert "  - name: efi\n    arch: [7, 9]\n    server: server-10-20-0-30\n" in result.out
    assert "    vendor_class: HTTPClient\n    server: server-10-20-0-31\n" in result.out
    assert "02:00:00:10:00:02: server-10-20-0-33  # thin2\n" in result.out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"Dhcp4": {\n "subnet4": [{]}}', "given:2:15: not JSON: "),
        ('{"Dhcp4": {"next-server": "10.20.0.300"}}', "1:27: '10.20.0.300' is no server"),
        ('{"Dhcp4": {"subnet4": [{"subnet": "10.1.1"}]}}', "1:35: '10.1.1' is no subnet"),
        (
            '{"Dhcp4": {\n// x\n"subnet4": [{"subnet": "10.1.1.0/24", "next-server": "10.20.0.1"}]}}',
            "3:54: clients of 10.1.1.0/24 boot from 10.20.0.1: which interface",
        ),
        (
            '{"Dhcp4": {"client-classes": [{"name": "x", "test": "option[61].hex == 0x01", '
            '"next-server": "10.20.0.1"}]}}',
            "this server is for clients of the class 'x', whose test a class of pxerelay can't say",
        ),
        (
            '{"Dhcp4": {"subnet4": [{"subnet": "10.1.1.0/24", "reservations": '
            '[{"duid": "01:02:03", "next-server": "10.20.0.1"}]}]}}',
            "1:68: this reservation has a server, and no hw-address",
        ),
        (
            '{"Dhcp4": {"subnet4": [{"subnet": "10.1.1.0/24", "reservations": '
            '[{"hw-address": "02:00", "next-server": "10.20.0.1"}]}]}}',
            "1:82: '02:00' has 4 of a MAC's 12",
        ),
        (
            '{"Dhcp4": {"client-classes": [{"name": "x", "next-server": "10.20.0.1"},\n'
            '{"name": "y", "test": "option[93].hex == 0x0007", "next-server": "10.20.0.2"}],\n'
            '"subnet4": [{"subnet": "10.1.1.0/24", "reservations": '
            '[{"hw-address": "02:00:00:10:00:01", "client-classes": ["x"]}]}]}}',
            "3:71: this client has 10.20.0.1 by its class, unless the test of 'y' is true of it",
        ),
        ('{"Dhcp4": {"boot-file-name": "x"}}', "1:30: no next-server applies here, so that clients fetch"),
        ('{"Dhcp4": {"subnet4": <?include "/x"?>}}', "1:23: '/x' is not followed; import that file together"),
        ('{"Dhcp4": {"x": <?include "given"?>}}', "1:17: 'given' includes itself"),
        (
            '{"Dhcp6": {"option-data": [{"name": "bootfile-url", "data": "x"}]}}',
            "1:61: this is no URL with a host in it, such as tftp://[2001:db8:20::10]/boot.efi",
        ),
    ],
)
def test_kea_faults(text: str, message: str, imports: Importer) -> None:
    result = imports.text(text)
    assert result.code == 1
    assert message in result.err
    result.loaded("" if "\ndefault:" in result.out else "default: drop\n")


def test_an_included_file_of_kea_has_its_own_places(imports: Importer) -> None:
    wrong = HOSTS.replace("10.20.0.33", "wds").replace(', "hostname"', ',\n\t"hostname"')
    result = files(imports, {"kea-dhcp4.conf": KEA, "hosts.json": f"# x\n{wrong}"})
    assert "hosts.json:2:52: 'wds' is no server" in result.err


TABLE = (
    "\ufeffMAC-Adresse;Server;Owner;Notes;Until\r\n"
    '02:00:00:10:00:01;altiris;kiosk team;"says ""hi""; ok";31.01.2027\r\n'
    "020000100002;10.20.0.30;;;\r\n"
    "02-00-00-10-00-03;drop;;;2027-02-28\r\n"
)


def test_a_table_of_excel(imports: Importer) -> None:
    result = imports.text(TABLE, "--server", f"altiris={ALTIRIS}", "--default", RIS)
    assert (result.code, result.err) == (0, "")
    loaded = result.loaded()
    assert [where(loaded, mac) for mac in (ONE, TWO, THREE)] == [(ALTIRIS,), (LAB,), ()]
    more = '{server: altiris, owner: "kiosk team", until: 2027-01-31, note: "says \\"hi\\"; ok"}'
    assert f"  {ONE}: {more}\n" in result.out


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_delimiter_and_order(delimiter: str, imports: Importer) -> None:
    rows = (("room", "server", "hw address"), ("1", ALTIRIS, ONE), ("2", LAB, TWO))
    text = "\n".join(delimiter.join(row) for row in rows)
    loaded = imports.text(text, "--default", RIS).loaded()
    assert [where(loaded, mac) for mac in (ONE, TWO)] == [(ALTIRIS,), (LAB,)]


def test_columns_by_other_names(imports: Importer) -> None:
    text = f"station,boots from\n{ONE},{ALTIRIS}\n"
    refused = imports.text(text, "--from", "csv")
    assert "given:1:1: no column is one for MACs; say which by --column mac=HEADER" in refused.err
    named = imports.text(
        text, "--from", "csv", "--column", "mac=station", "--column", "server=Boots From", "--default", RIS
    )
    assert (named.code, where(named.loaded(), ONE)) == (0, (ALTIRIS,))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"{ONE};wds;;", "2:19: 'wds' has no address here; add --server wds=ADDRESS"),
        (f"{ONE};10.20.0.300;;", "2:19: '10.20.0.300' is no server"),
        (f"{ONE};;;", "2:1: this line has no server"),
        (f";{ALTIRIS};;", "2:1: this line has no MAC"),
        (f"{ONE};{ALTIRIS};02/03/2027;", "2:30: '02/03/2027' may be two days"),
        (f"{ONE};{ALTIRIS};2027-02-30;", "2:30: '2027-02-30' is no day"),
        (f'{ONE};{ALTIRIS};;"x', "2:31: this quote is never closed"),
        (f"02:00;{ALTIRIS};;", "2:1: '02:00' has 4 of a MAC's 12"),
    ],
)
def test_rows_that_are_not_understood(row: str, message: str, imports: Importer) -> None:
    result = imports.text(f"mac;server;until;note\n{row}\n{TWO};{LAB};;\n", "--default", RIS)
    assert result.code == 1
    assert message in result.err
    assert where(result.loaded(), TWO) == (LAB,)


def test_a_list_of_macs(imports: Importer) -> None:
    text = f"# thin clients\n{ONE}  # reception\n0200.0010.0002\n020000100003\n"
    whole = imports.text(text, "--server", f"altiris={ALTIRIS}", "--default", RIS)
    loaded = whole.loaded()
    assert [where(loaded, mac) for mac in (ONE, TWO, THREE)] == [(ALTIRIS,)] * 3
    rules = imports.text(text, "--server", "altiris")
    assert (rules.code, rules.err) == (0, "")
    assert rules.out.endswith(
        f"rules:\n  # thin clients\n  {ONE}: altiris  # reception\n  0200.0010.0002: altiris\n"
        f"  {THREE}: altiris\n"
    )
    main = imports.folder / "main.yml"
    (imports.folder / "thin.yml").write_text(rules.out)
    main.write_text(f"servers: {{altiris: {ALTIRIS}}}\ndefault: altiris\ninclude: thin.yml\n")
    assert imports.text(text, "--from", "mac-list").code == 1


IOS = """\
hostname r1
!
interface Vlan10
 ip address 10.10.10.1 255.255.255.0
 ip address 10.10.11.1 255.255.255.0 secondary
 ip helper-address 10.20.0.2
 ip helper-address global 10.20.0.10
!
interface Vlan20
  ip address 10.10.20.1/24
  ip dhcp relay address 10.20.0.10 use-vrf mgmt
  ip dhcp relay address 10.20.0.2
!
interface Vlan30
 ip address 10.10.30.1 255.255.255.0
 ip helper-address 10.20.0.99
 shutdown
!
line vty 0 4
"""
JUNOS = """\
interfaces {
    irb { unit 10 { family inet { address 10.10.10.1/24; } }
          unit 20 { family inet { address 10.10.20.1/24; } } }
}
forwarding-options {
    dhcp-relay {
        server-group { dhcp { 10.20.0.2; 10.20.0.10; } }  /* two */
        active-server-group dhcp;
        group clients { interface irb.10; interface irb.20; inactive: interface irb.30; }
    }
}
"""
JUNOS_SET = """\
set interfaces irb unit 10 family inet address 10.10.10.1/24
set interfaces irb unit 20 family inet address 10.10.20.1/24
set forwarding-options helpers bootp server [ 10.20.0.2 10.20.0.10 ]
set forwarding-options helpers bootp interface irb.10
set forwarding-options helpers bootp interface irb.20
"""
FORTIOS = """\
config system interface
    edit "vlan10"
        set ip 10.10.10.1 255.255.255.0
        set dhcp-relay-service enable
        set dhcp-relay-ip "10.20.0.2" "10.20.0.10"
        config ipv6
            set ip6-mode static
        end
    next
    edit "vlan20"
        set dhcp-relay-service enable
        set ip 10.10.20.1 255.255.255.0
        set dhcp-relay-ip "10.20.0.2" "10.20.0.10"
    next
    edit "vlan30"
        set ip 10.10.30.1 255.255.255.0
        set dhcp-relay-ip "10.20.0.99"
    next
end
"""


@pytest.mark.parametrize("text", [IOS, JUNOS, JUNOS_SET, FORTIOS], ids=["ios", "junos", "set", "fortios"])
def test_routers(text: str, imports: Importer) -> None:
    result = imports.text(text)
    assert result.code == 0, result.err
    loaded = result.loaded()
    assert set(where(loaded, ONE)) == {"10.20.0.2", "10.20.0.10"}
    accepted = {str(network.network_address) for network in loaded.config.accept_relayed_from}
    assert accepted >= {"10.10.10.1", "10.10.20.1"}
    assert "10.10.30.1" not in accepted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"{IOS}interface Vlan50\n ip address 10.10.50.1 255.255.255.0\n ip helper-address 10.20.0.7\n",
            "given:22:20: Vlan50 is relayed to 10.20.0.7, others to 10.20.0.10, 10.20.0.2: pxerelay does not",
        ),
        ("interface Vlan5\n ip helper-address 10.20.0.2\n", "2:20: Vlan5 has no address here"),
        (
            "interface Vlan5\n ip address 10.1.1.1 255.0.255.0\n ip helper-address 10.20.0.2\n",
            "2:13: '10.1.1.1/255.0.255.0' is no address with its netmask",
        ),
        ("interface Vlan5\n ip address 10.1.1.1 255.255.255.0\n", "no interface here relays"),
        (
            f"{IOS}interface Vlan9\n ipv6 dhcp relay destination 2001:db8::1\n",
            "no IPv6 address is here that Vlan9's",
        ),
        (f"{JUNOS}}}\n", "12:1: this } closes nothing"),
    ],
)
def test_routers_faults(text: str, message: str, imports: Importer) -> None:
    result = imports.text(text)
    assert result.code == 1
    assert message in result.err
    result.loaded("" if "\ndefault:" in result.out else "default: drop\n")


OPENWRT = """\
config dnsmasq
	option domainneeded '1'
	list dhcp_boot 'tag:bios,pxelinux.0,srv,10.20.0.12'

config dhcp 'lan'
	option interface 'lan'
	option start '100'
	list dhcp_option '66,10.20.0.10'

config match
	option networkid 'bios'
	option match '93,0'

config host
	option name 'thin'
	option mac '02:00:00:10:00:01 02:00:00:10:00:02'
	option ip '192.168.1.10'
	option tag 'thin'

config boot
	option filename 'x.0'
	option servername 'y'
	option serveraddress '10.20.0.20'
	option networkid 'thin'
"""


def test_openwrt(imports: Importer) -> None:
    asked = imports.text(OPENWRT, "--default", "drop")
    assert asked.code == 1
    assert (
        "given:6:19: clients of the network 'lan' have a server of their own: which device is that?"
        in asked.err
    )
    result = imports.text(OPENWRT, "--default", "drop", "--interface", "lan=br-lan")
    assert result.code == 0, result.err
    loaded = result.loaded()
    assert [where(loaded, mac) for mac in (ONE, TWO)] == [(ALTIRIS,)] * 2
    assert "  br-lan: {default: lan}  # the network lan\n" in result.out
    assert "  - name: bios\n    arch: 0\n    server: bios\n" in result.out
    assert "1:1: 'nonsense' is none of config, option and list" in imports.text(f"nonsense\n{OPENWRT}").err


UNIT = """\
[Unit]
Description=DHCP relay
[Service]
EnvironmentFile=-/etc/sysconfig/dhcrelay
ExecStart=/usr/sbin/dhcrelay -d --no-pid $DHCRELAYARGS -i vlan10 \\
   ${SERVER}
"""


def test_a_unit_with_its_drop_in_and_variables(imports: Importer) -> None:
    variables = 'DHCRELAYARGS="-a -c 5"\nSERVER=10.20.0.10\n'
    alone = files(imports, {"dhcrelay.service": UNIT, "sysconfig": variables})
    assert alone.code == 0, alone.err
    loaded = alone.loaded()
    assert (where(loaded, ONE), loaded.config.max_hops) == ((RIS,), 4)
    drop_in = "[Service]\nExecStart=\nExecStart=-/usr/sbin/dhcrelay -i vlan20 10.20.0.20\n"
    changed = files(imports, {"dhcrelay.service.d/x.conf": drop_in, "dhcrelay.service": UNIT})
    assert changed.code == 0, changed.err
    assert where(changed.loaded(), ONE) == (ALTIRIS,)
    lacking = files(imports, {"dhcrelay.service": UNIT})
    assert "dhcrelay.service:5:42: '$DHCRELAYARGS' has no value here" in lacking.err
    assert "dhcrelay.service:6:4: '$SERVER' has no value here" in lacking.err
    other = files(
        imports,
        {"dhcrelay.service": UNIT.replace("/usr/sbin/dhcrelay", "/usr/sbin/dnsmasq")},
        "--from",
        "dhcrelay",
    )
    assert "'/usr/sbin/dnsmasq' is not dhcrelay" in other.err


@pytest.mark.parametrize(
    "text",
    [
        'DHCPSERVERS="10.20.0.10"\nINTERFACES="vlan10 vlan20"\n',
        'DHCRELAY_INTERFACES="vlan10 vlan20"\nDHCRELAY_SERVERS="10.20.0.10"\nDHCRELAY_OPTIONS=""\n',
        'IFACE="vlan10 vlan20"\nDHCRELAY_SERVERS="10.20.0.10"\nDHCRELAY_OPTS="-a"\n',
        'dhcrelay_enable="YES"\ndhcrelay_servers="10.20.0.10"\ndhcrelay_ifaces="vlan10 vlan20"\n',
    ],
    ids=["rhel", "suse", "alpine", "freebsd"],
)
def test_variables_of_other_systems(text: str, imports: Importer) -> None:
    result = imports.text(text)
    assert result.code == 0, result.err
    loaded = result.loaded()
    assert where(loaded, ONE) == (RIS,)
    assert [entry.name for entry in loaded.config.interfaces] == ["vlan10", "vlan20"]
    assert "no server; write" not in imports.text(f"{text}DHCRELAY6_OPTIONS='-l eth0'\n").err


ETHERS = f"{ONE} laptop\n{TWO} 10.1.1.20\n{THREE} printer\n"


def test_ethers_gives_addresses_to_names(imports: Importer) -> None:
    alone = files(imports, {"ethers": ETHERS})
    assert (alone.code, alone.out) == (2, "")
    assert "this is an /etc/ethers" in alone.err
    text = (
        "read-ethers\ndhcp-boot=tag:a,x,y,10.20.0.20\ndhcp-boot=x,y,10.20.0.10\ndhcp-host=laptop,set:a\n"
        "dhcp-host=desk,10.1.1.20,set:a\n"
    )
    result = files(imports, {"dnsmasq.conf": text, "ethers": ETHERS})
    assert result.code == 0, result.err
    loaded = result.loaded()
    assert [where(loaded, mac) for mac in (ONE, TWO, THREE)] == [(ALTIRIS,), (ALTIRIS,), (RIS,)]
    assert recognise(ETHERS, "names") == "ethers"
    assert recognise(f"{ONE} {ALTIRIS}\n{TWO} {LAB}\n", "/etc/ethers") == "ethers"
    assert recognise(f"{ONE} {ALTIRIS}\n{TWO} {LAB}\n", "dhcrelay.hosts") == "dhcrelay-hosts"


def test_a_hostsfile_may_have_nothing_but_macs(imports: Importer) -> None:
    result = files(imports, {"dnsmasq.conf": "dhcp-boot=x,y,10.20.0.10\n", "hosts": f"{ONE}\n"})
    assert result.code == 0, result.err
    assert where(result.loaded(), ONE) == (RIS,)


def test_files_that_say_nothing_veto_nothing(imports: Importer) -> None:
    stock = "".join(f"# line {number} of a manual\n#dhcp-host=11:22:33:44:55:66\n" for number in range(300))
    texts = {
        "dnsmasq.conf": stock,
        "dnsmasq.d/README": "All files here are read, but dhcp-host=x\n",
        "dnsmasq.d/boot": f"{stock}dhcp-boot=x,y,10.20.0.10\ndhcp-boot=tag:a,x,y,10.20.0.20\n{stock}"
        f"dhcp-host={ONE},set:a\n",
        "dnsmasq.d/boot.dpkg-old": "dhcp-boot=x,y,10.20.0.30\n",
    }
    result = files(imports, texts)
    assert result.code == 0, result.err
    assert where(result.loaded(), ONE) == (ALTIRIS,)
    assert len(result.out.splitlines()) < 30
    assert "note: These files say nothing, all of them is comments: " in result.err
    hosts = files(
        imports,
        {
            "hosts.conf": f"{stock}dhcp-host={ONE},set:a\n",
            "dnsmasq.d/boot": texts["dnsmasq.d/boot"].replace(ONE, TWO),
        },
    )
    assert len(hosts.out.splitlines()) < 30


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('<?xml version="1.0"?>\n<pfsense>\n', "the config.xml of pfSense"),
        ("/ip dhcp-relay\nadd dhcp-server=10.20.0.2 interface=vlan10\n", "an export of RouterOS"),
        ("lease 10.1.1.5 {\n  binding state active;\n}\n", "a dhcpd.leases"),
        ("start 10.1.1.10\nsiaddr 10.20.0.10\n", "an udhcpd.conf"),
        (
            "[Match]\nName=eth0\n[DHCPServer]\nBootServerAddress=10.20.0.10\n",
            "a .network file of systemd-networkd",
        ),
        ("set service dhcp-relay server 10.20.0.2\n", "a configuration of VyOS"),
        (" dhcp relay server-ip 10.20.0.2\n", "a configuration of Huawei"),
        ("default: ris\nservers: {ris: 10.20.0.10}\n", "a configuration of pxerelay already"),
        ('[{"mac": "02:00:00:10:00:01"}]\n', "JSON of some other program"),
        ("<html>\n", "XML or HTML"),
    ],
)
def test_a_format_that_is_known_is_named(text: str, says: str, imports: Importer) -> None:
    result = imports.text(text)
    assert (result.code, result.out) == (2, "")
    assert f"{imports.folder / 'given'}: this is {says}" in result.err


def test_an_include_in_a_group_of_dhcpd_has_its_values(imports: Importer) -> None:
    hosts = (
        f"host a {{ hardware ethernet {ONE}; }}\nhost b {{ hardware ethernet {TWO}; next-server {LAB}; }}\n"
    )
    main = f'next-server {RIS};\ngroup {{\n next-server {ALTIRIS};\n include "/etc/dhcp/hosts.conf";\n}}\n'
    result = files(imports, {"dhcpd.conf": main, "hosts.conf": hosts})
    assert result.code == 0, result.err
    loaded = result.loaded()
    assert [where(loaded, mac) for mac in (ONE, TWO, THREE)] == [(ALTIRIS,), (LAB,), (RIS,)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            f"host a {{ option dhcp-client-identifier 01:02; next-server {LAB}; }}",
            "1:10: the host 'a' has a server, and no hardware ethernet",
        ),
        (
            f"group {{ subnet 10.1.1.0 netmask 255.255.255.0 {{ next-server {RIS}; }}\n"
            f"next-server {LAB}; host a {{ hardware ethernet {ONE}; }} }}\n"
            "subnet 10.1.2.0 netmask 255.255.255.0 { }\n",
            "2:52: this client has 10.20.0.10 in 10.1.1.0/24, 10.20.0.30 in 10.1.2.0/24; a rule has one "
            "server",
        ),
        (
            "subnet 10.1.1.0 netmask 255.255.255.0 { pool { range 10.1.1.10 10.1.1.20; next-server "
            "10.20.0.1; }\n"
            "pool { range 10.1.1.30 10.1.1.40; next-server 10.20.0.2; } }\n",
            "2:47: clients of 10.1.1.0/24 have this server or 10.20.0.1, by the pool",
        ),
        (
            'filename "pxelinux.0";',
            "1:10: no next-server applies here, so that clients fetch this from dhcpd's own",
        ),
        (
            f"deny unknown-clients;\nnext-server {RIS};\nsubnet 10.1.1.0 netmask 255.255.255.0 {{ }}\n",
            "1:1: unknown clients get no address of 10.1.1.0/24",
        ),
        ("subnet 10.1.1.0 { }", "1:1: this is no subnet"),
        ('include "given";\ngroup { }', "1:1: 'given' includes itself"),
    ],
)
def test_dhcpd_names_what_can_not_be_said(text: str, message: str, imports: Importer) -> None:
    result = imports.text(text, "--from", "isc-dhcpd")
    assert result.code == 1
    assert message in result.err
    result.loaded("" if "\ndefault:" in result.out else "default: drop\n")


def test_dhcpd_on_this_host_itself(imports: Importer) -> None:
    text = 'subnet 10.1.1.0 netmask 255.255.255.0 { range 10.1.1.10 10.1.1.20; filename "x"; }\n'
    result = imports.text(
        text, "--from", "isc-dhcpd", "--self", RIS, "--interface", "10.1.1.0/24=vlan1", "--default", LAB
    )
    assert result.code == 0, result.err
    assert "  vlan1: {default: server-10-20-0-10}  # 10.1.1.0/24\n" in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--interface", "10.1.1.0/33=x"], "--interface 10.1.1.0/33=x: write SUBNET=NAME"),
        (["--interface", "10.1.1.0/24"], "write SUBNET=NAME"),
        (["--interface", "10.1.1.0/24=a b"], "'a b' is not the name of a network interface"),
        (["--self", "10.20.0"], "--self 10.20.0: '10.20.0' is no server"),
        (["--column", "x=y"], "--column x=y: write KEY=HEADER"),
    ],
)
def test_options_that_are_wrong(arguments: list[str], message: str, imports: Importer) -> None:
    result = imports.text(f"mac,server\n{ONE},{RIS}\n", *arguments)
    assert (result.code, result.out) == (2, "")
    assert message in result.err
