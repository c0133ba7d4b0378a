#!/usr/bin/python
# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""The variables of all hosts of a play; the action of this name does it, on the control machine."""

from __future__ import annotations

DOCUMENTATION = r"""
module: variables
short_description: Reads the variables of all relay hosts at once, on the control machine
version_added: 1.0.0
description:
  - Works out variables of each host as a task of that host would, and connects to none. To be run once, for all hosts of a play.
  - A task for each host has Ansible start a process for each of them. And what hundreds of hosts have alike is worked out once.
  - All that is wrong for any host is told at once.
options:
  hosts:
    description: The hosts.
    type: list
    elements: str
    required: true
  names:
    description: The variables, which may be those of a role.
    type: list
    elements: str
    required: true
  options:
    description: The variables that the role declares, as C(meta/argument_specs.yml) has them. They are checked first.
    type: dict
    default: {}
  faults:
    description: The name of a variable that lists what is wrong with a host's variables.
    type: str
  condition:
    description: The name of a variable that says whether a host is to be looked at.
    type: str
attributes:
  check_mode:
    description: The same as without.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
  run_once:
    description: It does all hosts by itself.
    support: full
author: pxerelay developers (!UNKNOWN)
"""

EXAMPLES = r"""
- name: Read every host's variables
  pxerelay.pxerelay.variables:
    hosts: "{{ ansible_play_hosts_all }}"
    names: [pxerelay_interfaces]
  run_once: true
  register: variables

- name: Show those of this host
  ansible.builtin.debug:
    msg: "{{ variables.contents[variables.hosts[inventory_hostname].pxerelay_interfaces] }}"
"""

RETURN = r"""
hosts:
  description: For each host, by the name of a variable, under which name RV(contents) has its value.
  type: dict
  returned: success
  sample: {relay1: {pxerelay_interfaces: 5feceb66ffc86f38d952786c6d696c79}}
contents:
  description: The values, each of them once.
  type: dict
  returned: success
  sample: {5feceb66ffc86f38d952786c6d696c79: {vlan10: {}}}
"""
