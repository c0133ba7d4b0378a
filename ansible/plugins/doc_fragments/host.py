# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""Options that several modules have alike: where on a relay host things are."""

from __future__ import annotations


class ModuleDocFragment:
    """The options, a text for each group of them; a module names them as C(pxerelay.pxerelay.host.links)."""

    LINKS = r"""
options:
  link:
    description: The link to the program.
    type: path
    default: /usr/local/bin/pxerelay
  man:
    description: The folder of the host's own manual pages.
    type: path
    default: /usr/local/share/man
"""

    DAEMON = r"""
options:
  socket:
    description: The daemon's control socket.
    type: path
    default: /run/pxerelay/control.sock
"""

    SERVICE = r"""
options:
  path:
    description: The folder of the configuration.
    type: path
    default: /etc/pxerelay
  unit:
    description: The daemon's unit.
    type: path
    default: /etc/systemd/system/pxerelay.service
"""
