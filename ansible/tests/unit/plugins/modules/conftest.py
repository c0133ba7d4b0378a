# Copyright: pxerelay developers
# SPDX-License-Identifier: MIT
"""Modules as Ansible runs them: parameters in, JSON and an exit code out."""

from __future__ import annotations

import json

import pytest
from ansible.module_utils.testing import patch_module_args


@pytest.fixture
def run_module(capsys):
    """Return a function that runs a module, and returns what it prints."""

    def run(module, check_mode=False, **parameters):
        arguments = {**parameters, "_ansible_check_mode": check_mode, "_ansible_diff": True}
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return json.loads(capsys.readouterr().out)

    return run
