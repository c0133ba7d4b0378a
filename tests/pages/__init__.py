r"""The blocks of commands in README and docs, run in the lab, and compared with what the page shows.

Such a block is fenced and its language is `console`. A line that begins as the first one does, with `$ ` or
`# `, is a command, which goes on in the next line where it ends with a backslash; what follows is its output,
until the next command. A comment stands right above the block:

    <!-- lab: relay -->                     run in the scene `relay` of `tests/pages/scenes.py`
    <!-- lab: relay; meanwhile: boot -->    the scene does its action `boot`; then the command is interrupted
    <!-- lab: relay; file: /etc/a.yml -->   above a block of any language: the scene has it as this file
    <!-- lab: files; is: a.yml -->          above a block of any language: this file has become that
    <!-- run by: NAME -->                   takes minutes; `RUN_BY` in `tests/pages/listed.py` says where

A line of output that is `...` or `# ...` stands for any number of lines. What differs each time, as times do,
is compared by the named patterns of `tests/pages/comparing.py`.

`python -m tests.pages docs/PAGE.md` (as root) prints what would have to change, `--write` changes it.
"""
